"""
eBay, Inventory, Fulfillment, Notification and Post-Order APIs: https://developer.ebay.com/develop/api

A listing is a sku of the Inventory API: its item has a number, and its offer may have one of its own; buyers see the
smaller one. eBay takes off what is bought at the commitment to buy, so the number pushed is net. It has neither
compare-and-set nor keys for what is sent twice, and counts revisions: so a push looks first, does not touch what shows
its number already, and an answer that is lost is cleared up by looking, not by sending again.

Orders are told when their checkout is complete. What a buyer has committed to and not checked out yet is off eBay's
number and in no list: a push that raises a number from what we last saw there stops short (`stale`) when fewer are
left, and a buffer on the channel keeps the rest apart.
"""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from channels.base import (
    Facts,
    Level,
    Listing,
    Order,
    Page,
    Parcel,
    Pushed,
    Shown,
    Window,
)
from channels.errors import Busy, ChannelError, Refused, Unclear
from channels.one_by_one import each, read_as
from channels.pacing import Rate
from channels.wire import Call, Steps, send_json

from .account import ask
from .bodies import (
    OFFERS,
    Row,
    cancellation_of,
    failure_of,
    is_asked_to_cancel,
    is_told,
    order_of,
    refused_item,
    remembered,
    requests_of,
    results_of,
    row_of,
    shipment_of,
    shipped_units,
    shown_of,
    shows_already,
    to_iso,
)
from .notices import BUCKET as NOTIFICATION
from .notices import Noticing, next_params
from .words import (
    Cancelled,
    EbaySecrets,
    EbaySettings,
    GotItem,
    GotItems,
    Items,
    Offer,
    Offers,
    Programs,
    SaidOrder,
    SaidOrders,
    Sets,
    Shipment,
    Shipments,
)

INVENTORY: Final = "inventory"
FULFILLMENT: Final = "fulfillment"
POST_ORDER: Final = "post_order"
ACCOUNT: Final = "account"

STOCK: Final = "/sell/inventory/v1"
ORDERS: Final = "/sell/fulfillment/v1/order"
CANCELLATION: Final = "/post-order/v2/cancellation"

ROWS_MAX: Final = 25
PER_PAGE: Final = 200
ITEMS_PER_PAGE: Final = 200
OFFERS_MAX: Final = 100

IN_THE_FUTURE: Final = "30850"
CONTROL: Final = "OUT_OF_STOCK_CONTROL"
"""The programme that keeps a listing whose last unit is gone; without it, 0 ends the listing."""


class Ebay(Noticing):
    """One seller's account."""

    facts = Facts(
        name="ebay",
        docs="https://developer.ebay.com/develop/api",
        batch=ROWS_MAX,
        # eBay's limits are of a day, for the application: 2,000,000, 100,000, 10,000 and 25,000 calls, a little less.
        rates={
            INVENTORY: Rate(20.0, 500.0),
            FULFILLMENT: Rate(1.0, 500.0),
            NOTIFICATION: Rate(0.1, 100.0),
            ACCOUNT: Rate(0.25, 100.0),
            POST_ORDER: Rate(1.0, 100.0),
        },
        counts="net",
        quantity_max=2_147_483_647,
        revisions_per_day=250,
        day_zone="America/Los_Angeles",
        poll_s=60,
        overlap_s=600,
        spreads=True,
    )

    def __init__(self, settings: EbaySettings, secrets: EbaySecrets) -> None:
        super().__init__(settings, secrets)
        self._one_a_call = False
        self._stays_at_zero = False

    # --- stock out ----------------------------------------------------------------------------------------------

    def push(self, levels: Sequence[Level]) -> Steps[list[Pushed]]:
        """
        On the item, and on those of its offers that have a number of their own.

        The same number set twice is one number, so that a push may be made again. The request is not sent again by
        itself: between the two somebody may have bought, whose units the second one would put back on sale, and it
        would spend another of the day's revisions.
        """
        items = yield from self._items([level.listing.listing for level in levels])
        done: dict[str, Pushed] = {}
        rows: list[Row] = []
        for level in levels:
            found = yield from self._prepared(level, items[level.listing.listing])
            if isinstance(found, Row):
                rows.append(found)
            else:
                done[found.listing] = found
        if rows:
            done |= yield from self._set_each(rows) if self._one_a_call else self._set(rows)
            done |= yield from self._set_anew([row for row in rows if done[row.listing].outcome == "refused"])
        return [done[level.listing.listing] for level in levels]

    def _prepared(self, level: Level, got: GotItem) -> Steps[Row | Pushed]:
        """What is to be set, or what there is to say instead."""
        listing, item = level.listing.listing, got.inventory_item
        if item is None:
            return failure_of(listing, got.errors, got.status_code)
        offers: list[Offer] | None = None
        if item.units == level.units or OFFERS not in level.listing.refs:
            offers = yield from self._offers(listing)
            shown = shown_of(listing, item, offers)
            if shows_already(shown, level):
                return Pushed(listing, "accepted", True, shown.units, shown.places, refs=shown.refs)
        if level.shown is not None and item.units < min(level.shown, level.units):
            return Pushed(listing, "stale", shown=item.units, places=item.places)
        if level.units == 0 and not (yield from self._may_be_zero()):
            return Pushed(listing, "refused", code="out_of_stock_control_off", says="0 would end the listing")
        return remembered(level) if offers is None else row_of(level, offers)

    def _set(self, rows: Sequence[Row]) -> Steps[dict[str, Pushed]]:
        path = f"{STOCK}/bulk_update_price_quantity"
        try:
            answer = yield send_json("push", "POST", path, requests_of(rows), bucket=INVENTORY, repeatable=False)
        except Unclear:
            return (yield from self._looked_after(rows))
        except Refused as error:
            if len(rows) > 1:
                return (yield from self._set_each(rows))
            return {rows[0].listing: Pushed(rows[0].listing, "refused", code=error.code, says=str(error))}
        return results_of(rows, answer.json(Sets).responses)

    def _set_each(self, rows: Sequence[Row]) -> Steps[dict[str, Pushed]]:
        """One by one. When none of them is refused alone, it was their number: this account takes one sku a call."""
        done: dict[str, Pushed] = {}
        for row in rows:
            done |= yield from self._set([row])
        self._one_a_call = all(one.outcome != "refused" for one in done.values())
        return done

    def _set_anew(self, rows: Sequence[Row]) -> Steps[dict[str, Pushed]]:
        """Rows that were refused because other offers are there now than were remembered."""
        done: dict[str, Pushed] = {}
        for row in (row for row in rows if OFFERS in row.level.listing.refs):
            now = row_of(row.level, (yield from self._offers(row.listing)))
            if now.offers != row.offers:
                done |= yield from self._set([now])
        return done

    def _looked_after(self, rows: Sequence[Row]) -> Steps[dict[str, Pushed]]:
        """What became of rows whose answer was lost. Raises Unclear when that cannot be seen either."""
        try:
            seen = yield from self.read([row.level.listing for row in rows])
        except ChannelError as error:
            raise Unclear(f"the answer to a push was lost, and then: {error}") from error
        done: dict[str, Pushed] = {}
        for row, shown in zip(rows, seen, strict=True):
            if shows_already(shown, row.level):
                done[row.listing] = Pushed(row.listing, "accepted", True, shown.units, shown.places, refs=shown.refs)
            else:
                says = "the answer was lost, and another number is shown"
                done[row.listing] = Pushed(row.listing, "failed", False, shown.units, shown.places, "unclear", says)
        return done

    def _may_be_zero(self) -> Steps[bool]:
        """Whether the seller's listings stay when their last unit is gone, or may end."""
        if not self._stays_at_zero and not self.settings.ends_listings:
            path = "/sell/account/v1/program/get_opted_in_programs"
            programs: Programs = (yield ask("programs", ACCOUNT, path)).json(Programs)
            self._stays_at_zero = any(one.program_type == CONTROL for one in programs.programs)
        return self._stays_at_zero or self.settings.ends_listings

    def read(self, listings: Sequence[Listing]) -> Steps[list[Shown]]:
        """What buyers see, and which offers must be told; offers are asked for one sku at a time."""
        items = yield from self._items([one.listing for one in listings])
        shown: list[Shown] = []
        for one in listings:
            item = items[one.listing].inventory_item
            if item is None:
                shown.append(Shown(one.listing, None))
            else:
                shown.append(shown_of(one.listing, item, (yield from self._offers(one.listing))))
        return shown

    def _items(self, skus: Sequence[str]) -> Steps[dict[str, GotItem]]:
        """Each item, or why there is none; of a call that one bad sku spoils, the others are asked for without it."""
        body = {"requests": [{"sku": sku} for sku in skus]}
        try:
            answer = yield send_json("read", "POST", f"{STOCK}/bulk_get_inventory_item", body, bucket=INVENTORY)
        except Refused as error:
            if len(skus) == 1:
                return {skus[0]: refused_item(skus[0], error)}
            half = len(skus) // 2
            first = yield from self._items(skus[:half])
            return first | (yield from self._items(skus[half:]))
        got = {one.sku: one for one in answer.json(GotItems).responses}
        return {sku: got.get(sku, GotItem(sku, 404)) for sku in skus}

    def _offers(self, sku: str) -> Steps[list[Offer]]:
        """What a sku is offered by; nothing is an error at eBay."""
        try:
            answer = yield ask("offers", INVENTORY, f"{STOCK}/offer", sku=sku, limit=OFFERS_MAX)
        except Refused as error:
            if error.status != 404:
                raise
            return []
        offers: Offers = answer.json(Offers)
        return offers.offers

    def list_listings(self, cursor: str) -> Steps[tuple[list[Shown], str]]:
        """A page of items, with the item's number: what their offers make of it is only read for some (`read`)."""
        params = {"limit": str(ITEMS_PER_PAGE), "offset": cursor or "0"}
        items: Items = (yield ask("list", INVENTORY, f"{STOCK}/inventory_item", **params)).json(Items)
        listed = [Shown(one.sku, one.units, one.sku, one.places) for one in items.inventory_items]
        return listed, next_params(items.next).get("offset", "")

    # --- orders in ----------------------------------------------------------------------------------------------

    def orders(self, window: Window, cursor: str) -> Steps[Page]:
        """
        Orders by their last change, in a closed window, by offset.

        An order that changes meanwhile leaves the window and moves those behind it forward: where fewer are left than
        before, the page is read again from as many earlier. The cursor is "offset/total".
        """
        start, _, total = cursor.partition("/")
        offset, before = int(start or 0), int(total or 0)
        page = yield from self._orders_at(window, offset)
        while page.total < before:
            offset, before = max(0, offset - (before - page.total)), page.total
            page = yield from self._orders_at(window, offset)
        read = yield from each(
            page.orders, lambda row: row.get("orderId"), lambda row: self._whole(read_as(row, SaidOrder))
        )
        after = offset + len(page.orders)
        more = page.orders and after < page.total
        return Page(read.orders, f"{after}/{page.total}" if more else "", window.until_ms, read.odd)

    def _orders_at(self, window: Window, offset: int) -> Steps[SaidOrders]:
        """A page; a window that ends ahead of eBay's clock is asked for without its end."""
        try:
            answer = yield self._orders_call(to_iso(window.since_ms), to_iso(window.until_ms), offset)
        except Refused as error:
            if error.code != IN_THE_FUTURE:
                raise
            try:
                answer = yield self._orders_call(to_iso(window.since_ms), "", offset)
            except Refused as again:
                if again.code != IN_THE_FUTURE:
                    raise
                return SaidOrders()
        said: SaidOrders = answer.json(SaidOrders)
        return said

    def _orders_call(self, since: str, until: str, offset: int) -> Call:
        wanted = f"lastmodifieddate:[{since}..{until}]"
        return ask("orders", FULFILLMENT, ORDERS, filter=wanted, limit=PER_PAGE, offset=offset)

    def order(self, external_id: str) -> Steps[Order]:
        """One order."""
        return (yield from self._whole((yield from self._said_order(external_id))))

    def _said_order(self, external_id: str) -> Steps[SaidOrder]:
        answer = yield ask("order", FULFILLMENT, _order_path(external_id))
        said: SaidOrder = answer.json(SaidOrder)
        return said

    def _whole(self, said: SaidOrder) -> Steps[Order]:
        """An order; of lines that have left in part the parcels say how much."""
        if any(line.line_item_fulfillment_status == "IN_PROGRESS" for line in said.line_items):
            return order_of(said, shipped_units((yield from self._shipments(said.order_id))))
        return order_of(said, {})

    # --- back ---------------------------------------------------------------------------------------------------

    def ship(self, parcel: Parcel) -> Steps[None]:
        """One fulfilment for each parcel; eBay makes another of one told twice, so those there are looked at first."""
        if is_told(parcel, (yield from self._shipments(parcel.external_id))):
            return
        path = f"{_order_path(parcel.external_id)}/shipping_fulfillment"
        body = shipment_of(parcel, self.settings.carriers)
        try:
            yield send_json("ship", "POST", path, body, bucket=FULFILLMENT, repeatable=False)
        except (Unclear, Busy):
            if not is_told(parcel, (yield from self._shipments(parcel.external_id))):
                raise

    def _shipments(self, external_id: str) -> Steps[list[Shipment]]:
        answer = yield ask("ship", FULFILLMENT, f"{_order_path(external_id)}/shipping_fulfillment")
        said: Shipments = answer.json(Shipments)
        return said.fulfillments

    def cancel(self, external_id: str, reason: str) -> Steps[bool]:
        """
        Approve what the buyer has asked for, or cancel by ourselves: always the whole order.

        eBay pays back. Whether it puts the units back on sale is not said anywhere: the next push tells the number.
        """
        if not self.settings.cancels:
            return False
        said = yield from self._said_order(external_id)
        asked = [one for one in said.cancel_status.cancel_requests if one.cancel_request_state == "REQUESTED"]
        if asked:
            yield self._cancel_call(f"{CANCELLATION}/{quote(asked[0].cancel_request_id, safe='')}/approve", {})
        elif said.cancel_status.cancel_state != "CANCELED" and not is_asked_to_cancel(said.cancel_status):
            yield from self._cancel_ourselves(said, reason)
        return True

    def _cancel_ourselves(self, said: SaidOrder, reason: str) -> Steps[None]:
        try:
            answer = yield self._cancel_call(CANCELLATION, cancellation_of(said, reason))
        except Unclear:
            now = (yield from self._said_order(said.order_id)).cancel_status
            if now.cancel_state == "NONE_REQUESTED":
                raise
            return
        done: Cancelled = answer.json(Cancelled)
        if done.order_eligibility_result is not None and not done.order_eligibility_result.eligible:
            raise Refused(f"order {said.order_id} cannot be cancelled (any more)", "not_eligible")

    def _cancel_call(self, path: str, body: dict[str, Any]) -> Call:
        return send_json("cancel", "POST", path, body, bucket=POST_ORDER, repeatable=False)


def _order_path(external_id: str) -> str:
    return f"{ORDERS}/{quote(external_id, safe='')}"
