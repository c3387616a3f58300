"""
What happens at eBay, whoever asks: items and their offers, purchases, orders, and what a listing's day allows.

Like eBay it takes units off at the commitment to buy, tells of an order only when its checkout is complete, ends a
listing that falls to 0 unless the seller has opted in to keep it, and lets a listing be revised 250 times a day.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from .ebay_notices import Board

REVISIONS_MAX: Final = 250
DAYS: Final = ZoneInfo("America/Los_Angeles")
"""eBay's day begins at midnight there."""


@dataclass
class Offer:
    """A listing. units: a number of its own, None for its item's. revised: how often, by day."""

    id: str
    sku: str
    units: int | None
    kind: str = "FIXED_PRICE"
    live: bool = True
    revised: dict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass
class Item:
    """What its offers are of."""

    sku: str
    units: int
    places: dict[str, int] = field(default_factory=dict)


@dataclass
class Order:
    """An order of one line. `parcels` as eBay tells them."""

    id: str
    line: str
    sku: str
    units: int
    country: str
    created_ms: int
    changed_ms: int
    payment: str = "PAID"
    cancel: str = "NONE_REQUESTED"
    requests: list[dict[str, str]] = field(default_factory=list)
    refunds: list[dict[str, Any]] = field(default_factory=list)
    parcels: list[dict[str, Any]] = field(default_factory=list)

    @property
    def shipped(self) -> int:
        """Units that have left."""
        return sum(row["quantity"] for parcel in self.parcels for row in parcel["lineItems"])


class Shop:
    """One seller. keeps_zero: he has opted in to keep listings without units. Ids are numbered from behind `after`."""

    def __init__(self, board: Board, now_ms: Callable[[], int], after: int = 0) -> None:
        self.board, self.now_ms = board, now_ms
        self.items: dict[str, Item] = {}
        self.offers: dict[str, Offer] = {}
        self.orders: dict[str, Order] = {}
        self.baskets: dict[str, Order] = {}
        self.keeps_zero, self.revisions_max = True, REVISIONS_MAX
        self._ids = itertools.count(after + 10_001)

    # --- what is on sale ----------------------------------------------------------------------------------------

    def sells(self, sku: str, units: int, *, own: bool = True, live: bool = True) -> Offer:
        """Put something on sale; `own`: its offer has a number of its own."""
        self.items[sku] = Item(sku, units)
        return self.offers_it(sku, units if own else None, live=live)

    def offers_it(self, sku: str, units: int | None, *, kind: str = "FIXED_PRICE", live: bool = True) -> Offer:
        """One more offer of an item."""
        offer = Offer(str(next(self._ids)), sku, units, kind, live)
        self.offers[offer.id] = offer
        return offer

    def shows(self, sku: str) -> int:
        """What buyers see."""
        item = self.items[sku]
        live = [offer for offer in self.offers_of(sku) if offer.live and offer.kind == "FIXED_PRICE"]
        return max((item.units if one.units is None else min(item.units, one.units) for one in live), default=0)

    def offers_of(self, sku: str) -> list[Offer]:
        """All offers of an item."""
        return [offer for offer in self.offers.values() if offer.sku == sku]

    def is_spent(self, sku: str) -> bool:
        """Whether one of its listings was revised too often today."""
        return any(one.revised[self._day()] >= self.revisions_max for one in self.offers_of(sku) if one.live)

    def revises(self, sku: str, units: int, places: dict[str, int], offers: list[str]) -> None:
        """The seller sets a number: one revision of each listing."""
        item = self.items[sku]
        item.units, item.places = units, places
        for offer in self.offers_of(sku):
            if offer.id in offers:
                offer.units = units
            if offer.live:
                offer.revised[self._day()] += 1
                offer.live = self.keeps_zero or self.shows(sku) > 0

    def _day(self) -> str:
        return datetime.fromtimestamp(self.now_ms() / 1_000, DAYS).date().isoformat()

    # --- what buyers do -----------------------------------------------------------------------------------------

    def commits(self, sku: str, units: int, country: str = "NO") -> str:
        """A buyer commits to buy and does not check out yet: no list has it. Returns its id until then."""
        if units > self.shows(sku):
            raise ValueError(f"{self.shows(sku)} left of {sku}")
        item = self.items[sku]
        item.units -= units
        for offer in self.offers_of(sku):
            if offer.units is not None:
                offer.units = max(0, offer.units - units)
        now_ms, number = self.now_ms(), next(self._ids)
        basket = Order(f"{number}-0", str(next(self._ids)), sku, units, country, now_ms, now_ms)
        self.baskets[basket.id] = basket
        return basket.id

    def pays(self, id: str) -> str:
        """A buyer checks out, or his payment arrives. Returns the order's id, which is another one after checkout."""
        if id in self.baskets:
            return self._checks_out(id, "PAID")
        self.orders[id].payment = "PAID"
        self._changed(id)
        return id

    def buys(self, sku: str, units: int, *, payment: str = "PAID", country: str = "NO") -> str:
        """A buyer buys what is shown and no more, and checks out at once. Returns the id. Raises ValueError."""
        return self._checks_out(self.commits(sku, units, country), payment)

    def _checks_out(self, basket: str, payment: str) -> str:
        order = self.baskets.pop(basket)
        order.id = f"{next(self._ids) % 90 + 10}-{next(self._ids):05}-{next(self._ids):05}"
        order.payment, order.created_ms = payment, self.now_ms()
        self.orders[order.id] = order
        self._changed(order.id)
        line = {"orderLineItemId": order.line, "listingId": self.offers_of(order.sku)[0].id, "quantity": order.units}
        data = {"user": self.board.user, "order": {"orderId": order.id, "orderLineItems": [line]}}
        self.board.tell("ORDER_CONFIRMATION", data, to_iso(self.now_ms()))
        return order.id

    def gives_up(self, id: str) -> None:
        """An order is cancelled. What was bought does not come back on sale by itself."""
        order = self.orders[id]
        order.cancel, order.payment = "CANCELED", "FULLY_REFUNDED"
        for request in order.requests:
            request["cancelRequestState"] = "COMPLETED"
        self._changed(id)

    def asks_to_cancel(self, id: str) -> str:
        """A buyer asks for it; the seller has not answered. Returns the request's id."""
        request = {"cancelRequestId": str(next(self._ids)), "cancelRequestState": "REQUESTED"}
        request |= {"cancelInitiator": "Buyer", "cancelReason": "ORDER_MISTAKE"}
        order = self.orders[id]
        order.cancel = "IN_PROGRESS"
        order.requests.append(request)
        self._changed(id)
        return request["cancelRequestId"]

    def refunds(self, id: str, *, whole: bool) -> None:
        """The seller gives money back."""
        order = self.orders[id]
        order.payment = "FULLY_REFUNDED" if whole else "PARTIALLY_REFUNDED"
        order.refunds.append({"refundId": str(next(self._ids)), "amount": {"currency": "USD", "value": "1.00"}})
        self._changed(id)

    def ships(self, id: str, asked: dict[str, Any]) -> str:
        """A parcel leaves. Returns its id: its tracking number, or one of eBay's."""
        order, number = self.orders[id], asked.get("trackingNumber", "")
        parcel = {"fulfillmentId": number or str(next(self._ids)), "lineItems": asked["lineItems"]}
        parcel["shippedDate"] = asked.get("shippedDate", to_iso(self.now_ms()))
        if number:
            parcel |= {"shipmentTrackingNumber": number, "shippingCarrierCode": asked["shippingCarrierCode"]}
        order.parcels.append(parcel)
        self._changed(id)
        user = self.board.user
        shipped = {"itemId": order.line, "orderId": id, "username": user["username"], "publicUserId": user["userId"]}
        self.board.tell("ITEM_MARKED_SHIPPED", {"itemMarkedShipped": shipped}, to_iso(self.now_ms()))
        return str(parcel["fulfillmentId"])

    def _changed(self, id: str) -> None:
        self.orders[id].changed_ms = self.now_ms()


# --- bodies -----------------------------------------------------------------------------------------------------


def item_json(item: Item) -> dict[str, Any]:
    """An inventory item."""
    ship_to: dict[str, Any] = {"quantity": item.units}
    if item.places:
        rows = [{"merchantLocationKey": key, "quantity": units} for key, units in item.places.items()]
        ship_to["availabilityDistributions"] = rows
    return {"sku": item.sku, "locale": "en_US", "availability": {"shipToLocationAvailability": ship_to}}


def offer_json(offer: Offer) -> dict[str, Any]:
    """An offer."""
    said: dict[str, Any] = {"offerId": offer.id, "sku": offer.sku, "marketplaceId": "EBAY_US", "format": offer.kind}
    said["status"] = "PUBLISHED" if offer.live else "UNPUBLISHED"
    if offer.units is not None:
        said["availableQuantity"] = offer.units
    if offer.live:
        said["listing"] = {"listingId": f"1{offer.id}", "listingStatus": "ACTIVE"}
    return said


def order_json(order: Order, *, whole: bool) -> dict[str, Any]:
    """An order; lists do not have the requests to cancel it."""
    line = {
        "lineItemId": order.line,
        "legacyItemId": f"1{order.line}",
        "sku": order.sku,
        "title": order.sku,
        "quantity": order.units,
        "lineItemFulfillmentStatus": _degree(order),
        "lineItemFulfillmentInstructions": {"shipByDate": to_iso(order.created_ms + 2 * 86_400_000)},
        "refunds": [],
    }
    address = {"addressLine1": "Storgata 1", "city": "Oslo", "stateOrProvince": "03", "countryCode": order.country}
    ship_to = {"fullName": "Ann Berg", "contactAddress": address, "email": "ann@example.org"}
    paid = {} if order.payment in {"PENDING", "FAILED"} else {"paymentDate": to_iso(order.created_ms)}
    return {
        "orderId": order.id,
        "creationDate": to_iso(order.created_ms),
        "lastModifiedDate": to_iso(order.changed_ms),
        "orderPaymentStatus": order.payment,
        "orderFulfillmentStatus": _degree(order),
        "buyer": {"username": "Ann"},
        "cancelStatus": {"cancelState": order.cancel, "cancelRequests": order.requests if whole else []},
        "paymentSummary": {"payments": [{"paymentStatus": order.payment, **paid}], "refunds": order.refunds},
        "fulfillmentStartInstructions": [
            {"fulfillmentInstructionsType": "SHIP_TO", "shippingStep": {"shipTo": ship_to}}
        ],
        "lineItems": [line],
    }


def _degree(order: Order) -> str:
    if order.parcels and order.shipped >= order.units:
        return "FULFILLED"
    return "IN_PROGRESS" if order.shipped else "NOT_STARTED"


def to_iso(ms: int) -> str:
    """A time as eBay writes it."""
    at = datetime.fromtimestamp(ms / 1_000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
