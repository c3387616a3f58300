"""Shopify, its point of sale too."""

from .connector import Shopify
from .words import ShopifySecrets, ShopifySettings

__all__ = ["Shopify", "ShopifySecrets", "ShopifySettings"]
