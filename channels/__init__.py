"""
The room that talks to the places that sell: knows HTTP and their wire formats, nothing of stock decisions.

`CHANNELS` is the whole family, by the name a connection gives as its kind.
"""

from collections.abc import Mapping
from typing import Any, Final

from .amazon import Amazon
from .base import Connector
from .ebay import Ebay
from .pos import Pos
from .shopify import Shopify
from .woocommerce import WooCommerce

CHANNELS: Final[Mapping[str, type[Connector[Any, Any]]]] = {
    connector.facts.name: connector for connector in (Amazon, Ebay, Pos, Shopify, WooCommerce)
}

__all__ = ["CHANNELS", "Connector"]
