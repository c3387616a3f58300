"""eBay, listings of its Inventory API."""

from .connector import Ebay
from .words import EbaySecrets, EbaySettings

__all__ = ["Ebay", "EbaySecrets", "EbaySettings"]
