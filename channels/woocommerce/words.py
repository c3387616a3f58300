"""What WooCommerce says and hears, as types, and how its words and ours become each other."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec

from channels.base import Level, OrderLine, OrderState, Parcel, Pushed, Shown
from channels.errors import Nonsense, Refused
from channels.wire import Answer

SHIPMENT_KEY: Final = "_allot_shipment"
"""Our own id of a shipment, kept with it, so that one told twice is known."""

STATES: Final[Mapping[str, OrderState]] = {
    "pending": "unpaid",
    "on-hold": "unpaid",
    "processing": "paid",
    "completed": "shipped",
    "cancelled": "cancelled",
    "failed": "cancelled",
    "refunded": "returned",
    "trash": "cancelled",
}
"""What Woo's own states of an order mean. A failed payment may be tried again: then the order comes back as paid."""

ANY: Final = "any"
BIN: Final = "trash"
"""What lists of orders are asked for: any state of an order but the bin, and the bin."""

DRAFTS: Final = frozenset({"checkout-draft", "auto-draft"})
"""States of what nobody has placed yet."""


class WooSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    Which shop. states: what states that plugins have added mean. key_in_query: for hosts that strip `Authorization`.
    fulfillments: the shop has the fulfilments API (Woo 10.1 with its feature switched on).
    """

    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/?#]+(/[^?#]*)?\Z", description="Of the shop.")]
    states: dict[str, OrderState] = {}
    key_in_query: bool = False
    fulfillments: bool = False


class WooSecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A key of the REST API with read and write, and what webhooks are signed with."""

    consumer_key: str
    consumer_secret: str
    webhook_secret: str


# --- what Woo says ----------------------------------------------------------------------------------------------


class SaidError(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class Item(msgspec.Struct, frozen=True):
    """A product or a variation. `manage_stock` is "parent" for a variation whose stock its product has."""

    id: int
    sku: str = ""
    type: str = ""
    parent_id: int = 0
    stock_quantity: int | float | None = None
    manage_stock: bool | str = False
    variations: list[int] = []
    error: SaidError | None = None


class Batch(msgspec.Struct, frozen=True):
    update: list[Item] = []


class Meta(msgspec.Struct, frozen=True):
    key: str
    value: Any = None


class SaidLine(msgspec.Struct, frozen=True):
    id: int
    product_id: int = 0
    variation_id: int = 0
    sku: str | None = ""
    quantity: int | float = 0
    meta_data: list[Meta] = []


class Address(msgspec.Struct, frozen=True):
    country: str = ""
    state: str = ""


class Refund(msgspec.Struct, frozen=True):
    id: int
    line_items: list[SaidLine] = []


class SaidOrder(msgspec.Struct, frozen=True):
    id: int
    status: str = ""
    number: str = ""
    date_created_gmt: str | None = None
    date_modified_gmt: str | None = None
    line_items: list[SaidLine] = []
    refunds: list[Refund] = []
    shipping: Address = Address()
    billing: Address = Address()


class Named(msgspec.Struct, frozen=True):
    """As much of an order as is there whatever its state."""

    id: int
    refunds: list[Any] = []


class SaidWebhook(msgspec.Struct, frozen=True):
    id: int
    topic: str = ""
    status: str = ""
    delivery_url: str = ""


class SaidFulfillment(msgspec.Struct, frozen=True):
    id: int
    meta_data: list[Meta] = []


# --- translations -----------------------------------------------------------------------------------------------


def error_of(answer: Answer) -> SaidError:
    """What an answer that is no success says; nothing when a server in between says it without JSON."""
    try:
        return answer.json(SaidError)  # type: ignore[no-any-return]
    except Nonsense:
        return SaidError()


def product_of(listing: str) -> str:
    """The product of a variation, '' for a product."""
    product, slash, _ = listing.partition("/")
    return product if slash else ""


def own_id(listing: str) -> int:
    """The id of a product or variation. Raises Refused for a listing that is none."""
    try:
        return int(listing.rpartition("/")[2])
    except ValueError as error:
        raise Refused(f"{listing!r} is no product's id", "no_such_listing") from error


def shown_of(item: Item, product: str) -> Shown:
    listing = f"{product}/{item.id}" if product else str(item.id)
    if item.manage_stock == "parent":
        return Shown(listing, None, item.sku, refs={"manages": "parent"})
    units = int(item.stock_quantity or 0) if item.manage_stock else None
    return Shown(listing, units, item.sku, refs={"manages": "self" if item.manage_stock else "none"})


def pushed_of(level: Level, item: Item) -> Pushed:
    if item.error is not None:
        return refused(level, item.error.code, item.error.message)
    shown = int(item.stock_quantity or 0)
    return Pushed(level.listing.listing, "accepted", applied=shown == level.units, shown=shown)


def refused(level: Level, code: str, says: str) -> Pushed:
    return Pushed(level.listing.listing, "refused", code=code, says=says)


def kept_by_product(level: Level) -> Pushed:
    product = product_of(level.listing.listing)
    return refused(level, "managed_by_parent", f"product {product} keeps the stock of its variations: list it instead")


def line_of(line: SaidLine, refunded: int, state: OrderState) -> OrderLine:
    listing = f"{line.product_id}/{line.variation_id}" if line.variation_id else str(line.product_id)
    units = int(line.quantity)
    shipped = units if state in {"shipped", "returned"} else 0
    returned, cancelled = (refunded, 0) if shipped else (0, refunded)
    return OrderLine(str(line.id), listing, line.sku or "", units - cancelled, cancelled, shipped, returned)


def refunded_line(line: SaidLine) -> int:
    """The id of the order's line that a refund's line is of."""
    return next((int(meta.value) for meta in line.meta_data if meta.key == "_refunded_item_id"), 0)


def meta_of(parcel: Parcel) -> dict[str, Any]:
    items = [{"item_id": int(line), "qty": units} for line, units in parcel.units.items()]
    tracking = {"_tracking_number": parcel.tracking, "_shipment_provider": parcel.carrier}
    return {"_items": items, SHIPMENT_KEY: parcel.key, **{key: value for key, value in tracking.items() if value}}


def note_of(parcel: Parcel) -> dict[str, Any]:
    way = " ".join(word for word in (parcel.carrier, parcel.tracking) if word)
    return {"note": f"Shipped: {way or 'without tracking'} ({parcel.key})", "customer_note": bool(parcel.tracking)}


def next_page(answer: Answer, page: int) -> str:
    """The next page, '' after the last one."""
    pages = int(answer.headers.get("x-wp-totalpages", "1"))
    return str(page + 1) if page < pages else ""


def to_ms(text: str | None) -> int:
    """Woo's times in GMT, which carry no zone."""
    if not text:
        return 0
    try:
        return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)
    except ValueError as error:
        raise Nonsense(f"{text!r} is no time") from error


def is_older(text: Any, than_ms: int) -> bool:
    """Whether this is a time from before; what is no time at all is not."""
    try:
        return bool(text) and to_ms(str(text)) < than_ms
    except Nonsense:
        return False


def to_iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
