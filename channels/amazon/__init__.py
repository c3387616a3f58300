"""Amazon, where the seller ships: the Selling Partner API."""

from .connector import Amazon
from .words import AmazonSecrets, AmazonSettings

__all__ = ["Amazon", "AmazonSecrets", "AmazonSettings"]
