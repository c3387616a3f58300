"""What Shopify says and hears, as types, and how its words and ours become each other."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec

from channels.base import Order, OrderLine, OrderState, Shown
from channels.errors import Nonsense
from channels.moments import to_ms

AVAILABLE: Final = "available"
"""The quantity that is pushed: what may be sold on top of the shop's open orders."""

FINANCIAL: Final[Mapping[str, OrderState]] = {
    "PENDING": "unpaid",
    "EXPIRED": "unpaid",
    "PARTIALLY_PAID": "unpaid",
    "AUTHORIZED": "paid",
    "PAID": "paid",
    "PARTIALLY_REFUNDED": "paid",
    "REFUNDED": "paid",
    "VOIDED": "cancelled",
}
"""What the state of the payment means for an order of which nothing has left. An authorised card is as good as paid."""


class ShopifySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which shop; `location` is where numbers go that are not told apart by location. A gid or its last part."""

    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/?#]+\Z", description="https://NAME.myshopify.com")]
    location: str
    version: Annotated[str, msgspec.Meta(pattern=r"^20[0-9]{2}-(01|04|07|10)\Z")] = "2026-10"


class ShopifySecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    The app's credentials; `client_secret` is what webhooks are signed with, `previous_secret` while it is rotated.

    access_token: a permanent one (legacy apps). refresh_token: the first one of an expiring offline token. With neither
    the app asks for tokens of 24 hours by its credentials.
    """

    client_id: str
    client_secret: str
    previous_secret: str = ""
    access_token: str = ""
    refresh_token: str = ""


class _Camel(msgspec.Struct, rename="camel", frozen=True):
    """A struct whose fields Shopify spells in camel case."""


class PageInfo(_Camel, frozen=True):
    """Whether there is more, and where."""

    has_next_page: bool = False
    end_cursor: str | None = None


class Id(_Camel, frozen=True):
    """Something of which only the id matters."""

    id: str


class Quantity(_Camel, frozen=True):
    """How many in a state."""

    name: str
    quantity: int


class InventoryLevel(_Camel, frozen=True):
    """What is shown of an item at a location."""

    quantities: list[Quantity] = []


class Item(_Camel, frozen=True):
    """An inventory item: what a variant's stock is kept by."""

    id: str = ""
    sku: str | None = ""
    tracked: bool = False
    inventory_level: InventoryLevel | None = None


class Variant(_Camel, frozen=True):
    """A line's variant, as far as stock is concerned."""

    inventory_item: Id


class Line(_Camel, frozen=True):
    """A line of an order. `quantity` has what was removed since, `current_quantity` has not."""

    id: str
    quantity: int
    current_quantity: int
    unfulfilled_quantity: int
    sku: str | None = ""
    requires_shipping: bool = True
    variant: Variant | None = None


class Lines(_Camel, frozen=True):
    """Some lines of an order."""

    nodes: list[Line] = []
    page_info: PageInfo = PageInfo()


class RefundLine(_Camel, frozen=True):
    """Units refunded; RETURN: they were shipped and came back."""

    quantity: int
    restock_type: str
    line_item: Id


class RefundLines(_Camel, frozen=True):
    """Lines of a refund."""

    nodes: list[RefundLine] = []


class Refund(_Camel, frozen=True):
    """A refund."""

    refund_line_items: RefundLines = RefundLines()


class Address(_Camel, frozen=True):
    """Where the goods go, no closer than routing needs."""

    country_code_v2: str | None = msgspec.field(name="countryCodeV2", default=None)
    province_code: str | None = None


class SaidOrder(_Camel, frozen=True):
    """An order."""

    id: str
    name: str
    created_at: str
    updated_at: str
    cancelled_at: str | None = None
    display_financial_status: str | None = None
    display_fulfillment_status: str = ""
    shipping_address: Address | None = None
    refunds: list[Refund] = []
    line_items: Lines = Lines()


class Orders(_Camel, frozen=True):
    """A page of orders, which are read each for itself (SaidOrder)."""

    nodes: list[dict[str, Any]] = []
    page_info: PageInfo = PageInfo()


class Items(_Camel, frozen=True):
    """A page of items."""

    nodes: list[Item] = []
    page_info: PageInfo = PageInfo()


class UserError(_Camel, frozen=True):
    """Why a mutation did nothing; `field` is the way to the argument."""

    message: str = ""
    code: str | None = None
    field: list[str] | None = None


class FulfillmentLine(_Camel, frozen=True):
    """What is left to send of a line, by one fulfilment order."""

    id: str
    remaining_quantity: int
    line_item: Id


class FulfillmentLines(_Camel, frozen=True):
    """Lines of a fulfilment order."""

    nodes: list[FulfillmentLine] = []


class Assigned(_Camel, frozen=True):
    """Where a fulfilment order is to be sent from."""

    location: Id | None = None


class FulfillmentOrder(_Camel, frozen=True):
    """What one location is to send of an order."""

    id: str
    status: str
    assigned_location: Assigned = Assigned()
    line_items: FulfillmentLines = FulfillmentLines()


class FulfillmentOrders(_Camel, frozen=True):
    """What all locations are to send of an order."""

    nodes: list[FulfillmentOrder] = []


class Tracking(_Camel, frozen=True):
    """A parcel's number."""

    number: str | None = None


class Fulfillment(_Camel, frozen=True):
    """What has left already."""

    tracking_info: list[Tracking] = []


class Parcels(_Camel, frozen=True):
    """What has left of an order, and what is to follow."""

    fulfillments: list[Fulfillment] = []
    fulfillment_orders: FulfillmentOrders = FulfillmentOrders()


class Subscription(_Camel, frozen=True):
    """A webhook subscription."""

    id: str
    topic: str
    uri: str


# --- translations -----------------------------------------------------------------------------------------------


def gid(kind: str, id: str) -> str:
    """Shopify's global id of something; one that is global already stays."""
    return id if id.startswith("gid://") else f"gid://shopify/{kind}/{id}"


def tail(gid: str) -> str:
    """The last part of a global id: what the listing and the order are called."""
    return gid.rpartition("/")[2]


def shown_of(item: Item, location: str) -> Shown:
    """What is shown of an item at a location; no number when its stock is not tracked or it is not kept there."""
    listing = tail(item.id)
    level = item.inventory_level
    if level is None or not item.tracked:
        return Shown(listing, None, item.sku or "")
    units = next((one.quantity for one in level.quantities if one.name == AVAILABLE), 0)
    return Shown(listing, units, item.sku or "", {tail(location): units})


def order_of(said: SaidOrder, lines: Sequence[Line]) -> Order:
    """The order in our words."""
    returned: dict[str, int] = {}
    for one in (row for refund in said.refunds for row in refund.refund_line_items.nodes):
        if one.restock_type == "RETURN":
            returned[one.line_item.id] = returned.get(one.line_item.id, 0) + one.quantity
    address = said.shipping_address or Address()
    return Order(
        external_id=tail(said.id),
        revision=to_ms(said.updated_at),
        state=_state(said),
        placed_ms=to_ms(said.created_at),
        lines=[_line(line, returned.get(line.id, 0)) for line in lines if line.requires_shipping],
        number=said.name,
        country=address.country_code_v2 or "",
        region=address.province_code or "",
    )


def _state(said: SaidOrder) -> OrderState:
    if said.cancelled_at:
        return "cancelled"
    if said.display_fulfillment_status == "FULFILLED":
        return "shipped"
    try:
        return FINANCIAL[said.display_financial_status or "PENDING"]
    except KeyError as error:
        raise Nonsense(f"order {said.id}: {said.display_financial_status} is no state of a payment") from error


def _line(line: Line, returned: int) -> OrderLine:
    cancelled = max(0, line.quantity - line.current_quantity - returned)
    units = line.quantity - cancelled
    listing = tail(line.variant.inventory_item.id) if line.variant else ""
    return OrderLine(
        line=tail(line.id),
        listing=listing,
        sku=line.sku or "",
        units=units,
        cancelled=cancelled,
        shipped=units - line.unfulfilled_quantity,
        returned=returned,
    )


def row_of(error: UserError) -> int | None:
    """The number of the quantity that an error is about: its way is input, quantities, number, field."""
    way = error.field or []
    return int(way[2]) if len(way) > 2 and way[1] == "quantities" and way[2].isdecimal() else None


def data_of(body: dict[str, Any], name: str, type: Any) -> Any:
    """One field of an answer's data, read as this type. Raises Nonsense."""
    try:
        return msgspec.convert((body.get("data") or {}).get(name), type)
    except msgspec.ValidationError as error:
        raise Nonsense(f"{name}: {error}") from error
