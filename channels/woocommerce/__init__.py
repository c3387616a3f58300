"""WooCommerce."""

from .connector import WooCommerce
from .words import WooSecrets, WooSettings

__all__ = ["WooCommerce", "WooSecrets", "WooSettings"]
