"""How eBay's words and ours become each other."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from channels.base import Level, Order, OrderLine, OrderState, Parcel, Pushed, Shown
from channels.errors import Nonsense, Refused
from channels.moments import to_ms

from .account import is_passing
from .words import (
    CancelStatus,
    GotItem,
    Item,
    Line,
    Offer,
    SaidError,
    SaidOrder,
    Set,
    Shipment,
    Start,
)

OFFERS: Final = "offers"
"""The ref that keeps a sku's offers with a number of their own."""

SPENT: Final = "revisions_spent"
"""The code of a listing that was revised as often as it may be today. eBay has no number for it, only words."""

PAYMENTS: Final[Mapping[str, OrderState]] = {
    "PENDING": "unpaid",
    "FAILED": "unpaid",
    "PAID": "paid",
    "PARTIALLY_REFUNDED": "paid",
    "FULLY_REFUNDED": "paid",
}
"""What the state of the payment means for an order that is neither cancelled nor gone."""

REASONS: Final = ("OUT_OF_STOCK_OR_CANNOT_FULFILL", "BUYER_ASKED_CANCEL", "ADDRESS_ISSUES")
"""Why a seller may cancel; the first one unless a reason speaks of the buyer or an address."""

_LIMITED: Final = re.compile(r"limit|maximum|exceed|threshold|\btimes\b")


class Row(NamedTuple):
    """A number to be set on an item, and on these offers of it. is_live: buyers see it then."""

    level: Level
    offers: list[str]
    is_live: bool

    @property
    def listing(self) -> str:
        """The sku."""
        return self.level.listing.listing


# --- stock ------------------------------------------------------------------------------------------------------


def row_of(level: Level, offers: Sequence[Offer]) -> Row:
    """The row of a level whose offers were asked for."""
    return Row(level, own_numbers(offers), any(offer.is_live for offer in offers))


def remembered(level: Level) -> Row:
    """The row of a level whose offers are known from before."""
    return Row(level, [id for id in level.listing.refs[OFFERS].split(",") if id], is_live=True)


def refs_of(offers: Sequence[str]) -> dict[str, str]:
    """What is to be remembered of a listing that is live."""
    return {OFFERS: ",".join(offers)}


def requests_of(rows: Sequence[Row]) -> dict[str, Any]:
    """The body of a push."""
    return {"requests": [_request(row) for row in rows]}


def _request(row: Row) -> dict[str, Any]:
    level = row.level
    ship_to: dict[str, Any] = {"quantity": level.units}
    if level.places:
        places = [{"merchantLocationKey": key, "quantity": units} for key, units in level.places.items()]
        ship_to["availabilityDistributions"] = places
    request: dict[str, Any] = {"sku": row.listing, "shipToLocationAvailability": ship_to}
    if row.offers:
        request["offers"] = [{"offerId": id, "availableQuantity": level.units} for id in row.offers]
    return request


def results_of(rows: Sequence[Row], said: Sequence[Set]) -> dict[str, Pushed]:
    """What became of each row: it is as good as the worst of its item and its offers."""
    return {row.listing: _result(row, [one for one in said if _is_about(one, row)]) for row in rows}


def _is_about(one: Set, row: Row) -> bool:
    return one.sku == row.listing or one.offer_id in row.offers


def _result(row: Row, said: Sequence[Set]) -> Pushed:
    if not said:
        return Pushed(row.listing, "failed", code="unanswered", says="eBay says nothing of it")
    found = [failure_of(row.listing, one.errors, one.status_code) for one in said if one.status_code >= 300]
    refused = [one for one in found if one.outcome == "refused"]
    if found:
        return (refused or found)[0]
    if not row.is_live:
        return Pushed(row.listing, "accepted", says="nothing of it is on sale")
    return Pushed(row.listing, "accepted", True, row.level.units, row.level.places, refs=refs_of(row.offers))


def failure_of(listing: str, errors: Sequence[SaidError], status: int) -> Pushed:
    """Why a number was not set: whether it may be later, and eBay's word for it."""
    error = errors[0] if errors else SaidError(message=f"status {status}")
    if is_spent(error):
        return Pushed(listing, "failed", code=SPENT, says=error.says)
    outcome = "failed" if is_passing(error, status) else "refused"
    return Pushed(listing, outcome, code=str(error.error_id or status), says=error.says)  # type: ignore[arg-type]


def refused_item(sku: str, error: Refused) -> GotItem:
    """An item whose call was refused as a whole."""
    number = int(error.code) if error.code.isdecimal() else 0
    return GotItem(sku, error.status, errors=[SaidError(number, message=str(error))])


def is_spent(error: SaidError) -> bool:
    """Whether a listing was revised too often today."""
    words = f"{error.message} {error.says}".lower()
    return "revis" in words and _LIMITED.search(words) is not None


def shown_of(listing: str, item: Item, offers: Sequence[Offer]) -> Shown:
    """
    What buyers see: of each offer the smaller of its own number and the item's; of several offers the largest.

    No number when nothing of it is on sale.
    """
    live = [offer for offer in offers if offer.is_live]
    seen = [item.units if offer.available_quantity is None else offer.available_quantity for offer in live]
    if not seen:
        return Shown(listing, None, item.sku)
    units = max(min(item.units, one) for one in seen)
    return Shown(listing, units, item.sku, item.places, refs_of(own_numbers(live)))


def own_numbers(offers: Iterable[Offer]) -> list[str]:
    """The ids of offers that must be told a number besides their item."""
    return [offer.offer_id for offer in offers if offer.is_live and offer.available_quantity is not None]


def shows_already(shown: Shown, level: Level) -> bool:
    """Whether there is nothing to revise."""
    return shown.units == level.units and (not level.places or dict(level.places) == dict(shown.places))


# --- orders -----------------------------------------------------------------------------------------------------


def order_of(said: SaidOrder, shipped: Mapping[str, int]) -> Order:
    """The order in our words. shipped: by line, of those that are not whole."""
    state = _state(said)
    start = said.fulfillment_start_instructions[0] if said.fulfillment_start_instructions else Start()
    address = start.shipping_step.ship_to.contact_address
    by = [line.line_item_fulfillment_instructions.ship_by_date for line in said.line_items]
    return Order(
        external_id=said.order_id,
        revision=to_ms(said.last_modified_date),
        state=state,
        placed_ms=to_ms(said.creation_date),
        lines=[_line(line, state, shipped) for line in said.line_items],
        number=said.order_id,
        country=address.country_code or "",
        region=address.state_or_province or "",
        ship_by_ms=min((to_ms(one) for one in by if one), default=None),
        fulfilled_elsewhere=start.fulfillment_instructions_type == "FULFILLED_BY_EBAY",
    )


def _state(said: SaidOrder) -> OrderState:
    """What is gone is shipped, whatever was paid back; a whole refund of what has not left cancels it."""
    started = said.order_fulfillment_status
    if said.cancel_status.cancel_state == "CANCELED":
        return "cancelled"
    if started == "FULFILLED":
        return "shipped"
    if is_asked_to_cancel(said.cancel_status):
        return "cancel_requested"
    if said.order_payment_status == "FULLY_REFUNDED" and started == "NOT_STARTED":
        return "cancelled"
    try:
        return PAYMENTS[said.order_payment_status]
    except KeyError as error:
        raise Nonsense(f"order {said.order_id}: {said.order_payment_status!r} is no state of a payment") from error


def is_asked_to_cancel(status: CancelStatus) -> bool:
    """Whether a cancellation is under way, and not rejected."""
    states = {one.cancel_request_state for one in status.cancel_requests}
    return status.cancel_state == "IN_PROGRESS" and states != {"REJECTED"}


def _line(line: Line, state: OrderState, shipped: Mapping[str, int]) -> OrderLine:
    whole = line.line_item_fulfillment_status == "FULFILLED"
    gone = line.quantity if whole else min(line.quantity, shipped.get(line.line_item_id, 0))
    cancelled = line.quantity - gone if state == "cancelled" else 0
    return OrderLine(line.line_item_id, listing_of(line), line.sku or "", line.quantity - cancelled, cancelled, gone)


def listing_of(line: Line) -> str:
    """The sku; for listings older than the Inventory API, which may have none, eBay's own number."""
    return line.sku or "/".join(filter(None, [line.legacy_item_id, line.legacy_variation_id]))


def shipped_units(shipments: Sequence[Shipment]) -> dict[str, int]:
    """Units that have left, by line."""
    units: dict[str, int] = {}
    for row in (row for shipment in shipments for row in shipment.line_items):
        units[row.line_item_id] = units.get(row.line_item_id, 0) + row.quantity
    return units


# --- back -------------------------------------------------------------------------------------------------------


def shipment_of(parcel: Parcel, carriers: Mapping[str, str]) -> dict[str, Any]:
    """A parcel in eBay's words: a number goes with its carrier, or neither."""
    rows = [{"lineItemId": line, "quantity": units} for line, units in parcel.units.items() if units > 0]
    body: dict[str, Any] = {"lineItems": rows}
    if parcel.shipped_ms:
        body["shippedDate"] = to_iso(parcel.shipped_ms)
    if parcel.tracking:
        body["shippingCarrierCode"] = carriers.get(parcel.carrier, parcel.carrier) or "Other"
        body["trackingNumber"] = plain(parcel.tracking)
    return body


def is_told(parcel: Parcel, shipments: Sequence[Shipment]) -> bool:
    """Whether a parcel is there already: by its number, and without one by what is in it and when it left."""
    if parcel.tracking:
        return plain(parcel.tracking) in {plain(one.shipment_tracking_number or "") for one in shipments}
    units = {line: units for line, units in parcel.units.items() if units > 0}
    return any(
        not one.shipment_tracking_number
        and shipped_units([one]) == units
        and (not parcel.shipped_ms or to_ms(one.shipped_date) == parcel.shipped_ms)
        for one in shipments
    )


def plain(tracking: str) -> str:
    """A number with nothing but letters and digits: eBay takes no others."""
    return re.sub(r"[^0-9A-Za-z]", "", tracking)


def cancellation_of(said: SaidOrder, reason: str) -> dict[str, Any]:
    """The body that cancels an order."""
    body: dict[str, Any] = {"legacyOrderId": said.legacy_order_id or said.order_id, "cancelReason": _reason(reason)}
    dates = [one.payment_date for one in said.payment_summary.payments if one.payment_date]
    body["buyerPaid"] = bool(dates)
    if dates:
        body["buyerPaidDate"] = {"value": dates[0]}
    return body


def _reason(reason: str) -> str:
    if reason in REASONS:
        return reason
    words = reason.lower()
    return REASONS[1] if "buyer" in words or "customer" in words else REASONS[2] if "address" in words else REASONS[0]


# --- time -------------------------------------------------------------------------------------------------------


def to_iso(ms: int) -> str:
    """A time as eBay reads it: with milliseconds, and Z."""
    at = datetime.fromtimestamp(ms / 1_000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
