"""How Shopify's bodies are put together and taken apart: errors, rows of a push, fulfilments."""

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

from channels.base import Level, Parcel, Pushed, Shown
from channels.errors import Busy, Down, Refused, Unauthorized

from .words import AVAILABLE, FulfillmentOrder, Items, Orders, UserError, gid, row_of, tail

Outcome = Literal["refused", "failed", "stale"]

WORST_FIRST: Final[tuple[Outcome, ...]] = ("refused", "failed", "stale")

OUTCOMES: Final[dict[str, Outcome]] = {
    "CHANGE_FROM_QUANTITY_STALE": "stale",
    "IDEMPOTENCY_CONCURRENT_REQUEST": "failed",
    "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED": "failed",
}
"""What errors of a push mean; the rest are refusals. Of those that failed another attempt may do."""


class Row(NamedTuple):
    """One number at one location; `before` is what is thought to be shown, None to set it whatever is."""

    listing: str
    location: str
    units: int
    before: int | None


class Failure(NamedTuple):
    """Why a row was not set."""

    outcome: Outcome
    code: str
    says: str


# --- errors -----------------------------------------------------------------------------------------------------


def raise_said(error: dict[str, Any], said: dict[str, Any]) -> None:
    """Raise what an error of the answer means."""
    code = (error.get("extensions") or {}).get("code", "")
    says = str(error.get("message", code))
    if code == "THROTTLED":
        raise Busy(says, wait_s(said))
    if code == "INTERNAL_SERVER_ERROR":
        raise Down(says)
    if code == "ACCESS_DENIED":
        raise Unauthorized(says)
    raise Refused(says, code)


def throttle_of(said: dict[str, Any]) -> dict[str, float]:
    """What the answer says of the bucket."""
    cost = (said.get("extensions") or {}).get("cost") or {}
    return cost.get("throttleStatus") or {}


def wait_s(said: dict[str, Any]) -> float:
    """How long until there are as many points as the call needs."""
    throttle = throttle_of(said)
    if not throttle:
        return 1.0
    needed = said["extensions"]["cost"].get("requestedQueryCost") or 0
    return max(0.1, (needed - throttle["currentlyAvailable"]) / throttle["restoreRate"])


def refuse(errors: list[dict[str, Any]]) -> None:
    """Raise the first error a mutation names."""
    for error in errors:
        raise Refused(str(error.get("message")), str(error.get("code") or ""))


# --- bodies -----------------------------------------------------------------------------------------------------


def input_of(rows: Sequence[Row]) -> dict[str, Any]:
    """The rows as a mutation's input."""
    quantities = [
        {
            "inventoryItemId": gid("InventoryItem", row.listing),
            "locationId": row.location,
            "quantity": row.units,
            "changeFromQuantity": row.before,
        }
        for row in rows
    ]
    return {"name": AVAILABLE, "reason": "correction", "quantities": quantities}


def failures_of(rows: Sequence[Row], errors: Sequence[UserError]) -> dict[Row, Failure]:
    """Of each row that keeps the call from being done, why; an error of no row is one of all."""
    found: dict[Row, Failure] = {}
    for error in errors:
        code = error.code or ""
        outcome = OUTCOMES.get(code, "refused")
        number = row_of(error)
        about = rows if number is None or number >= len(rows) else [rows[number]]
        found |= dict.fromkeys(about, Failure(outcome, code, error.message))
    return found


def pushed_of(
    level: Level, rows: Sequence[Row], failures: dict[Row, Failure], shown: dict[tuple[str, str], int]
) -> Pushed:
    """What became of a level: it is as good as its worst row."""
    listing = level.listing.listing
    there = {row.location: shown.get((row.listing, row.location), row.units) for row in rows if row not in failures}
    there |= {row.location: shown[row.listing, row.location] for row in rows if (row.listing, row.location) in shown}
    places = {tail(location): units for location, units in there.items()}
    for outcome in WORST_FIRST:
        for row in rows:
            failure = failures.get(row)
            if failure is not None and failure.outcome == outcome:
                units = sum(places.values()) if len(places) == len(rows) else None
                return Pushed(listing, outcome, False, units, places, failure.code, failure.says)
    return Pushed(listing, "accepted", True, sum(places.values()), places)


def level_told(said: dict[str, Any]) -> Shown:
    """The number an inventory webhook tells."""
    units = said.get("available")
    places = {} if units is None else {str(said.get("location_id")): units}
    return Shown(str(said.get("inventory_item_id")), units, places=places)


def by_location(orders: Sequence[FulfillmentOrder], wanted: dict[str, int]) -> list[list[dict[str, Any]]]:
    """What is wanted of each line, by location, as far as it has not been sent yet: one fulfilment each."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for order in orders:
        rows = []
        for line in order.line_items.nodes:
            units = min(wanted.get(tail(line.line_item.id), 0), line.remaining_quantity)
            if units > 0:
                wanted[tail(line.line_item.id)] -= units
                rows.append({"id": line.id, "quantity": units})
        if rows:
            location = order.assigned_location.location
            group = groups.setdefault(location.id if location else "", [])
            group.append({"fulfillmentOrderId": order.id, "fulfillmentOrderLineItems": rows})
    return list(groups.values())


def tracking_of(parcel: Parcel) -> dict[str, str]:
    """A parcel's way, as far as it is known."""
    return {name: value for name, value in (("company", parcel.carrier), ("number", parcel.tracking)) if value}


def next_page(page: Items | Orders) -> str:
    """The next page's cursor, '' after the last one."""
    return (page.page_info.end_cursor or "") if page.page_info.has_next_page else ""
