"""How Amazon's words and ours become each other."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from channels.base import Level, Order, OrderLine, OrderState, Parcel, Pushed, Shown
from channels.errors import Nonsense
from channels.moments import to_iso, to_ms
from channels.wire import Answer

from .words import (
    AMAZON,
    MERCHANT,
    Cancellation,
    Error,
    Errors,
    Issue,
    Item,
    Line,
    SaidOrder,
    Submission,
)

T = TypeVar("T")

SELLERS: Final = "DEFAULT"
"""The fulfilment channel whose quantity is the seller's; Amazon's own are AMAZON_NA, AMAZON_EU …"""

ANY_PRODUCT: Final = "PRODUCT"
"""Stands for every product type, where a listing's own is not known."""

FULFILLED_BY: Final = "fulfilled_by"
PRODUCT_TYPE: Final = "product_type"
SOURCES: Final = "SUPPLY_SOURCES"
"""Who ships a listing whose numbers the seller keeps by place: then there is none for all places together."""

NOT_OURS: Final = {
    AMAZON: ("fulfilled_by_amazon", "Amazon ships it from its own stock"),
    SOURCES: ("has_supply_sources", "its numbers are kept by supply source"),
}
"""Why no number may be sent: it would make what Amazon ships the seller's to ship, or be there a second time."""

STATES: Final[Mapping[str, OrderState]] = {
    "PENDING_AVAILABILITY": "unpaid",
    "PENDING": "unpaid",
    "UNSHIPPED": "paid",
    "PARTIALLY_SHIPPED": "paid",
    "SHIPPED": "shipped",
    "CANCELLED": "cancelled",
    "UNFULFILLABLE": "cancelled",
}
"""Amazon takes a pending order's units from what it shows already, though the payment is not authorised."""

CARRIERS: Final[Mapping[str, str]] = {
    code.casefold(): code
    for code in ("UPS", "USPS", "FedEx", "DHL", "DHL eCommerce", "OnTrac", "DPD", "GLS", "Royal Mail", "PostNord")
}
"""Carrier codes Amazon knows, those of ours that mean them; for any other one `carriers` in the settings has a word."""

PACKAGES: Final = 2**31 - 1
"""Packages have positive numbers; they fit into what anybody may keep them in."""


def read(answer: Answer, type: type[T]) -> T:
    """The body, read as this type; what is null is not there. Raises Nonsense."""
    return read_as(answer.json(), type)


def read_as(said: Any, type: type[T]) -> T:
    """The same of what was decoded already."""
    try:
        return msgspec.convert(_without_nulls(said), type, strict=False)
    except msgspec.ValidationError as error:
        raise Nonsense(str(error)) from error


def _without_nulls(said: Any) -> Any:
    if isinstance(said, dict):
        return {name: _without_nulls(inner) for name, inner in said.items() if inner is not None}
    return [_without_nulls(inner) for inner in said] if isinstance(said, list) else said


def error_of(answer: Answer) -> Error:
    """Why an answer is no success; nothing when a server in between says it in another form."""
    try:
        said = read(answer, Errors)
    except Nonsense:
        return Error()
    return said.errors[0] if said.errors else Error(said.error, said.description)


def patch_of(units: int) -> dict[str, Any]:
    """The operation that sets a number; merged, because replacing would wipe how long the seller needs to ship."""
    value = [{"fulfillment_channel_code": SELLERS, "quantity": units}]
    return {"op": "merge", "path": "/attributes/fulfillment_availability", "value": value}


def refs_of(item: Item) -> dict[str, str]:
    """What has to be known of a listing before a number is sent for it."""
    codes = {one.fulfillment_channel_code for one in item.fulfillment_availability}
    theirs = any(code.startswith("AMAZON_") for code in codes)
    by = AMAZON if theirs else SOURCES if codes - {SELLERS} else MERCHANT
    own = item.summaries[0].product_type if item.summaries else ""
    return {FULFILLED_BY: by, PRODUCT_TYPE: own or ANY_PRODUCT}


def is_ours(refs: Mapping[str, str]) -> bool:
    """Whether a number may be sent for it."""
    return refs.get(FULFILLED_BY) not in NOT_OURS


def product_type(refs: Mapping[str, str]) -> str:
    """The type that a patch names: the listing's own, or the one that stands for all."""
    return refs.get(PRODUCT_TYPE, ANY_PRODUCT)


def shown_of(item: Item) -> Shown:
    """What buyers see of the seller's own units; no number where it is not ours."""
    refs = refs_of(item)
    units = own_units(item) if is_ours(refs) else None
    return Shown(item.sku, units, item.sku, refs=refs)


def own_units(item: Item) -> int | None:
    """The seller's own quantity, None where there is none."""
    own = (one.quantity for one in item.fulfillment_availability if one.fulfillment_channel_code == SELLERS)
    return next(own, None)


def pushed_of(level: Level, said: Submission, refs: Mapping[str, str]) -> Pushed:
    """What became of a patch."""
    listing = level.listing.listing
    if said.status == "ACCEPTED":
        return Pushed(listing, "accepted", refs=refs)
    issue = next((one for one in said.issues if one.severity == "ERROR"), Issue(said.status, "it says no more"))
    return Pushed(listing, "refused", code=issue.code or said.status, says=issue.message, refs=refs)


def not_ours(listing: str, refs: Mapping[str, str]) -> Pushed:
    """The refusal, by ourselves, of a number that may not be sent."""
    code, says = NOT_OURS[refs[FULFILLED_BY]]
    return Pushed(listing, "refused", code=code, says=says, refs=refs)


def order_of(said: SaidOrder) -> Order:
    """The order in our words."""
    address = said.recipient.delivery_address
    latest = said.fulfillment.ship_by_window.latest_date_time
    state = _state(said)
    return Order(
        external_id=said.order_id,
        revision=to_ms(said.last_updated_time) + _progress(said),
        state=state,
        placed_ms=to_ms(said.created_time),
        lines=[_line(line, state) for line in said.order_items],
        number=said.order_id,
        country=address.country_code,
        region=address.state_or_region,
        ship_by_ms=to_ms(latest) if latest else None,
        fulfilled_elsewhere=said.fulfillment.fulfilled_by == AMAZON,
    )


def _state(said: SaidOrder) -> OrderState:
    status = said.fulfillment.fulfillment_status
    try:
        state = STATES[status]
    except KeyError as error:
        raise Nonsense(f"order {said.order_id}: {status} is no status of an order") from error
    wanted_off = state == "paid" and any(_is_wanted_off(line.cancellation) for line in said.order_items)
    return "cancel_requested" if wanted_off else state


def _progress(said: SaidOrder) -> int:
    """How far it has got, as less than 1,000: Amazon's times are whole seconds, and much can happen in one."""
    steps = list(STATES).index(said.fulfillment.fulfillment_status)
    wanted_off = any(_is_wanted_off(line.cancellation) for line in said.order_items)
    shipped = sum(line.fulfillment.quantity_fulfilled for line in said.order_items)
    return 100 * steps + 50 * wanted_off + min(shipped, 49)


def _is_wanted_off(said: Cancellation) -> bool:
    """Whether the buyer has asked, and nobody has done it yet: Amazon does not."""
    asked = said.cancellation_request
    return asked is not None and asked.requester == "BUYER" and said.cancellation_execution is None


def _line(line: Line, state: OrderState) -> OrderLine:
    shipped, left = line.fulfillment.quantity_fulfilled, line.fulfillment.quantity_unfulfilled
    # Of an order that is not paid yet nothing is counted as open, though all of it is.
    is_counted = left is not None and state != "unpaid"
    cancelled = max(0, line.quantity_ordered - shipped - (left or 0)) if is_counted else 0
    sku = line.product.seller_sku
    return OrderLine(line.order_item_id, sku, sku, line.quantity_ordered - cancelled, cancelled, shipped)


def package_of(parcel: Parcel, carriers: Mapping[str, str]) -> dict[str, Any]:
    """A parcel as a package of Amazon's."""
    return {
        "packageReferenceId": str(package_number(parcel.key)),
        **_carrier(parcel.carrier, carriers),
        "trackingNumber": parcel.tracking,
        "shipDate": to_iso(parcel.shipped_ms),
        "orderItems": [{"orderItemId": line, "quantity": units} for line, units in parcel.units.items()],
    }


def package_number(key: str) -> int:
    """The number of a parcel among its order's: always the same for the same key, so that it is told twice as one."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % PACKAGES + 1


def _carrier(carrier: str, carriers: Mapping[str, str]) -> dict[str, str]:
    code = carriers.get(carrier) or CARRIERS.get(carrier.casefold())
    return {"carrierCode": code} if code else {"carrierCode": "Other", "carrierName": carrier or "Other"}


def csv(words: Sequence[str]) -> str:
    """A list as Amazon reads it in an address."""
    return ",".join(words)
