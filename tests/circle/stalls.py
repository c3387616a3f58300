"""
The sandboxes of the circle: each tells the judge of every number that it was told and applied.

What a buyer does there, a channel does by itself; what is told here came over the wire.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from channels.amazon import AmazonSecrets, AmazonSettings
from channels.ebay import EbaySecrets
from channels.pos import PosSecrets
from channels.sandbox.amazon import AmazonSandbox
from channels.sandbox.amazon_things import Listing
from channels.sandbox.ebay import EbaySandbox
from channels.sandbox.pos import PosSandbox
from channels.sandbox.shopify import ShopifySandbox
from channels.sandbox.webhooks import Courier
from channels.sandbox.woocommerce import Product, WooSandbox
from channels.shopify import ShopifySecrets
from channels.woocommerce import WooSecrets

from .shop import PUBLIC, SELLER, Stand

Told = Callable[[str, int], None]
"""Hears that a listing was told a number, and shows it now."""

OPEN: Final = frozenset({"on-hold", "processing"})
"""States of Woo's orders whose units a shop that counts gross takes off by itself."""


class Amazon(AmazonSandbox):
    """Tells what it was told; a buyer's taking is none of it."""

    told: Told
    by_itself = False

    def edits(self, sku: str, units: int) -> None:
        """The channel's own change of a number."""
        self.by_itself = True
        super().edits(sku, units)
        self.by_itself = False

    def _patch(self, listing: Listing, patches: list[dict[str, Any]]) -> None:
        super()._patch(listing, patches)
        if not self.by_itself and listing.own is not None:
            self.told(listing.sku, listing.own)


class Ebay(EbaySandbox):
    """Tells what it was told."""

    told: Told

    def revises(self, sku: str, units: int, places: dict[str, int], offers: list[str]) -> None:
        """The seller sets a number."""
        super().revises(sku, units, places, offers)
        self.told(sku, units)


class Pos(PosSandbox):
    """Tells what it was told."""

    told: Told

    def _put(self, sku: str, available: int, signed_s: int) -> dict[str, Any]:
        said = super()._put(sku, available, signed_s)
        if said["status"] == "shown":
            self.told(sku, available)
        return said


class Shopify(ShopifySandbox):
    """Tells what it was told."""

    told: Told

    def _set(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        said = super()._set(rows)
        if not said["userErrors"]:
            for row in rows:
                self.told(row["inventoryItemId"].rpartition("/")[2], row["quantity"])
        return said


class GrossWoo(WooSandbox):
    """
    A shop whose number includes what its open orders wait for: it takes them off by itself.

    Tells what it was told.
    """

    told: Told

    def open_units(self, id: int) -> int:
        """Units that orders wait for."""
        lines = (line for order in self.orders.values() if order["status"] in OPEN for line in order["line_items"])
        return sum(line["quantity"] for line in lines if line["product_id"] == id)

    def shows(self, listing: str) -> int:
        """What buyers see."""
        return self.products[int(listing)].stock - self.open_units(int(listing))

    def buys(self, listing: str, units: int, **more: Any) -> int:
        """A buyer orders what is shown and no more. Raises ValueError."""
        if units > self.shows(listing):
            raise ValueError(f"{self.shows(listing)} left of {listing}")
        return super().buys(listing, units, **more)

    def _takes(self, order: dict[str, Any], sign: int) -> None:
        """The number stays as it was told."""

    def _put_product(self, row: dict[str, Any], parent: int) -> dict[str, Any]:
        said = super()._put_product(row, parent)
        if "error" not in said:
            self.told(str(row["id"]), said["stock_quantity"])
        return said


def sandbox_of(stand: Stand, now_ms: Callable[[], int], courier: Courier, ask: Any, told: Told) -> Any:
    """The channel of a stand, with everything it sells, which shows nothing yet."""
    sandbox = _OPENED[stand.name](stand, now_ms, courier, ask)
    sandbox.told = told
    return sandbox


def _amazon(stand: Stand, now_ms: Callable[[], int], courier: Courier, _: Any) -> Amazon:
    secrets = msgspec.convert(stand.secrets, AmazonSecrets)
    sandbox = Amazon(courier, now_ms, secrets, msgspec.convert(stand.settings, AmazonSettings))
    sandbox.notices.forwarded_to = f"{PUBLIC}/v1/hooks/{SELLER}/amazon"
    for listed in stand.listings:
        sandbox.sells(listed.listing, 0)
    return sandbox


def _ebay(stand: Stand, now_ms: Callable[[], int], courier: Courier, ask: Any) -> Ebay:
    sandbox = Ebay(courier, now_ms, msgspec.convert(stand.secrets, EbaySecrets), ask)
    for listed in stand.listings:
        sandbox.sells(listed.listing, 0)
    return sandbox


def _pos(stand: Stand, now_ms: Callable[[], int], courier: Courier, _: Any) -> Pos:
    sandbox = Pos(courier, now_ms, msgspec.convert(stand.secrets, PosSecrets), url=f"{PUBLIC}/v1/pos/pos/events")
    for till in ("till-1", "till-2"):
        sandbox.opens(till, "STORE1")
    for listed in stand.listings:
        sandbox.sells(listed.listing, 0)
    return sandbox


def _shopify(stand: Stand, now_ms: Callable[[], int], courier: Courier, _: Any) -> Shopify:
    secrets = msgspec.convert(stand.secrets, ShopifySecrets)
    sandbox = Shopify(courier, now_ms, secrets, f"gid://shopify/Location/{stand.settings['location']}")
    for listed in stand.listings:
        sandbox.sells(int(listed.listing), listed.sku, 0)
    return sandbox


def _woocommerce(stand: Stand, now_ms: Callable[[], int], courier: Courier, _: Any) -> GrossWoo:
    sandbox = GrossWoo(courier, now_ms, msgspec.convert(stand.secrets, WooSecrets))
    for listed in stand.listings:
        sandbox.sells(Product(int(listed.listing), listed.sku, stock=0))
    return sandbox


_OPENED: Final[dict[str, Any]] = {
    "amazon": _amazon,
    "ebay": _ebay,
    "pos": _pos,
    "shopify": _shopify,
    "woocommerce": _woocommerce,
}
