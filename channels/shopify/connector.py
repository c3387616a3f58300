"""
Shopify, GraphQL Admin API: https://shopify.dev/docs/api/admin-graphql

Shopify moves an order's units from `available` to `committed` by itself, so the number pushed as `available` is net. It
compares before it sets (`changeFromQuantity`) and knows a call that comes twice (`@idempotent`); of a call with one bad
row nothing is done, so the others are sent again without it. A listing is the id of an inventory item. Orders of
Shopify's tills are orders like all others.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import msgspec

from channels.base import (
    Connector,
    Delivery,
    Facts,
    Level,
    Listing,
    News,
    Order,
    Page,
    Parcel,
    Pushed,
    Shown,
    Token,
    Window,
    judge_status,
)
from channels.errors import Nonsense, Refused, Unauthorized
from channels.moments import to_iso
from channels.one_by_one import each, read_as
from channels.pacing import Learned, Rate
from channels.wire import Answer, Call, Steps, send_json

from . import queries
from .bodies import (
    Failure,
    Row,
    by_location,
    failures_of,
    input_of,
    level_told,
    next_page,
    pushed_of,
    raise_said,
    refuse,
    throttle_of,
    tracking_of,
)
from .words import (
    Item,
    Items,
    Line,
    Orders,
    Parcels,
    SaidOrder,
    ShopifySecrets,
    ShopifySettings,
    Subscription,
    UserError,
    data_of,
    gid,
    order_of,
    shown_of,
    tail,
)

POINTS: Final = "points"
"""Every call costs points of one bucket."""

ROWS_MAX: Final = 250
READ_MAX: Final = 100
ORDERS_PER_PAGE: Final = 25
ROUNDS_MAX: Final = 3
"""How often a push is sent again without the rows that were refused."""

TOPICS: Final = (
    "ORDERS_CREATE",
    "ORDERS_UPDATED",
    "ORDERS_PAID",
    "ORDERS_CANCELLED",
    "ORDERS_EDITED",
    "REFUNDS_CREATE",
    "INVENTORY_LEVELS_UPDATE",
)


class Shopify(Connector[ShopifySettings, ShopifySecrets]):
    """One shop."""

    facts = Facts(
        name="shopify",
        docs="https://shopify.dev/docs/api/admin-graphql",
        batch=ROWS_MAX,
        rates={POINTS: Rate(100.0, 1_000.0)},
        counts="net",
        quantity_max=1_000_000_000,
        poll_s=60,
        overlap_s=300,
        spreads=True,
    )
    settings_type = ShopifySettings
    secrets_type = ShopifySecrets

    def __init__(self, settings: ShopifySettings, secrets: ShopifySecrets) -> None:
        super().__init__(settings, secrets)
        self.has_token = not secrets.access_token
        self._location = gid("Location", settings.location)

    def base_url(self) -> str:
        """The shop."""
        return self.settings.url

    # --- every call ---------------------------------------------------------------------------------------------

    def token(self, before: Token | None, now_ms: int) -> Steps[Token | None]:
        """By the refresh token, which is another one each time, or else by the app's credentials."""
        refresh = (before.refresh if before else "") or self.secrets.refresh_token
        asked = {"client_id": self.secrets.client_id, "client_secret": self.secrets.client_secret}
        asked |= (
            {"grant_type": "refresh_token", "refresh_token": refresh}
            if refresh
            else {"grant_type": "client_credentials"}
        )
        path = "/admin/oauth/access_token"
        answer = yield send_json("token", "POST", path, asked, authorized=False, secret=True)
        said = answer.json()
        return Token(said["access_token"], now_ms + 1_000 * int(said["expires_in"]), said.get("refresh_token", ""))

    def authorize(self, call: Call, token: Token | None, now_ms: int) -> Call:
        """With the token's header."""
        value = token.value if token else self.secrets.access_token
        return msgspec.structs.replace(call, headers={**call.headers, "X-Shopify-Access-Token": value})

    def judge(self, call: Call, answer: Answer) -> None:
        """Most errors come with status 200."""
        judge_status(answer)
        if call.bucket != POINTS:
            return
        said = answer.json(dict[str, Any])
        for error in said.get("errors") or []:
            raise_said(error, said)

    def learn(self, call: Call, answer: Answer) -> Learned | None:
        """How fast the bucket fills, how much it holds, and what is left in it."""
        if call.bucket != POINTS or not answer.is_fine:
            return None
        throttle = throttle_of(answer.json(dict[str, Any]))
        if not throttle:
            return None
        return Learned(Rate(throttle["restoreRate"], throttle["maximumAvailable"]), throttle["currentlyAvailable"])

    def _ask(
        self, operation: str, name: str, cost: float, *, yields: bool = False, **variables: Any
    ) -> Steps[dict[str, Any]]:
        """The whole body of the answer to one of our queries."""
        path = f"/admin/api/{self.settings.version}/graphql.json"
        body = {"query": queries.ALL[name], "operationName": name, "variables": variables}
        answer = yield send_json(operation, "POST", path, body, bucket=POINTS, cost=cost, yields=yields)
        said: dict[str, Any] = answer.json(dict[str, Any])
        return said

    # --- stock out ----------------------------------------------------------------------------------------------

    def push(self, levels: Sequence[Level]) -> Steps[list[Pushed]]:
        """By location; each row is compared with what is thought to be shown, when that is known."""
        rows = [row for level in levels for row in self._rows(level)]
        failures: dict[Row, Failure] = {}
        for start in range(0, len(rows), ROWS_MAX):
            failures |= yield from self._set(rows[start : start + ROWS_MAX], [level.key for level in levels])
        shown = yield from self._read_stale([row for row, failure in failures.items() if failure.outcome == "stale"])
        lowered = yield from self._lower(failures, shown, [level.key for level in levels])
        return [pushed_of(level, self._rows(level), failures, {**shown, **lowered}) for level in levels]

    def _lower(
        self, failures: dict[Row, Failure], shown: Mapping[tuple[str, str], int], keys: Sequence[str]
    ) -> Steps[dict[tuple[str, str], int]]:
        """
        Set what is too high at once: while the shop sells, what is thought to be shown is never what is shown.

        A lower number never sells what a higher one would not have sold. Takes those that were set out of `failures`.
        """
        again = {
            row._replace(before=shown[row.listing, row.location]): row
            for row, failure in failures.items()
            if failure.outcome == "stale" and row.units < shown.get((row.listing, row.location), 0)
        }
        rows, missed = list(again), dict[Row, Failure]()
        for start in range(0, len(rows), ROWS_MAX):
            missed |= yield from self._set(rows[start : start + ROWS_MAX], keys)
        done = [row for row in rows if row not in missed]
        for row in done:
            del failures[again[row]]
        return {(row.listing, row.location): row.units for row in done}

    def _rows(self, level: Level) -> list[Row]:
        if not level.places:
            return [Row(level.listing.listing, self._location, level.units, level.shown)]
        return [
            Row(level.listing.listing, gid("Location", place), units, level.shown_places.get(tail(place)))
            for place, units in level.places.items()
        ]

    def _set(self, rows: Sequence[Row], keys: Sequence[str]) -> Steps[dict[Row, Failure]]:
        """Set what can be set. Why not, for each row that could not."""
        failures: dict[Row, Failure] = {}
        left = list(rows)
        for _ in range(ROUNDS_MAX):
            key = str(uuid5(NAMESPACE_URL, repr((keys, left))))
            said = yield from self._ask("push", "SetQuantities", 12, input=input_of(left), key=key)
            errors = data_of(said, "inventorySetQuantities", dict[str, Any])["userErrors"]
            found = failures_of(left, msgspec.convert(errors, list[UserError]))
            failures |= found
            left = [row for row in left if row not in found]
            if not found or not left:
                return failures
        return failures | dict.fromkeys(left, Failure("failed", "", "others were refused again and again"))

    def _read_stale(self, rows: Sequence[Row]) -> Steps[dict[tuple[str, str], int]]:
        """What is shown where something else was expected."""
        shown: dict[tuple[str, str], int] = {}
        for location in sorted({row.location for row in rows}):
            listings = [Listing(row.listing) for row in rows if row.location == location]
            for one in (yield from self._read_at(location, listings)):
                shown |= {(one.listing, location): one.units or 0}
        return shown

    def read(self, listings: Sequence[Listing]) -> Steps[list[Shown]]:
        """What is available where numbers go that are not told apart by location."""
        return (yield from self._read_at(self._location, listings, yields=True))

    def _read_at(self, location: str, listings: Sequence[Listing], *, yields: bool = False) -> Steps[list[Shown]]:
        found: dict[str, Shown] = {}
        for start in range(0, len(listings), READ_MAX):
            ids = [gid("InventoryItem", one.listing) for one in listings[start : start + READ_MAX]]
            said = yield from self._ask("read", "Levels", 3.0 * len(ids), yields=yields, ids=ids, location=location)
            for item in data_of(said, "nodes", list[Item | None]):
                if item is not None and item.id:
                    found[tail(item.id)] = shown_of(item, location)
        return [found.get(one.listing, Shown(one.listing, None)) for one in listings]

    def list_listings(self, cursor: str) -> Steps[tuple[list[Shown], str]]:
        """A page of inventory items."""
        variables = {"first": READ_MAX, "after": cursor or None, "location": self._location}
        said = yield from self._ask("list", "Items", 3.0 * READ_MAX, yields=True, **variables)
        items: Items = data_of(said, "inventoryItems", Items)
        shown = [shown_of(item, self._location) for item in items.nodes]
        return shown, next_page(items)

    # --- orders in ----------------------------------------------------------------------------------------------

    def orders(self, window: Window, cursor: str) -> Steps[Page]:
        """Orders by their last change; the search lags behind a little, so windows overlap."""
        wanted = f"updated_at:>='{to_iso(window.since_ms)}' AND updated_at:<'{to_iso(window.until_ms)}' AND status:any"
        variables = {"first": ORDERS_PER_PAGE, "after": cursor or None, "query": wanted}
        said = yield from self._ask("orders", "Orders", 20.0 * ORDERS_PER_PAGE, yields=True, **variables)
        orders: Orders = data_of(said, "orders", Orders)
        read = yield from each(
            orders.nodes, lambda row: tail(str(row.get("id"))), lambda row: self._whole(read_as(row, SaidOrder))
        )
        return Page(read.orders, next_page(orders), window.until_ms, read.odd)

    def order(self, external_id: str) -> Steps[Order]:
        """One order."""
        said = yield from self._ask("order", "Order", 20, id=gid("Order", external_id))
        order = data_of(said, "order", SaidOrder | None)
        if order is None:
            raise Refused(f"there is no order {external_id}", "NOT_FOUND", 404)
        return (yield from self._whole(order))

    def _whole(self, said: SaidOrder) -> Steps[Order]:
        """An order with all its lines, of which a page comes with it."""
        lines: list[Line] = list(said.line_items.nodes)
        page = said.line_items
        while page.page_info.has_next_page:
            after = page.page_info.end_cursor
            more = yield from self._ask("order", "MoreLines", 30, id=said.id, after=after)
            order = data_of(more, "order", dict[str, Any])
            page = msgspec.convert(order["lineItems"], type(page))
            lines += page.nodes
        return order_of(said, lines)

    def hear(self, delivery: Delivery, now_ms: int) -> Steps[News]:
        """A webhook, signed over its raw body. Orders are only named: it has them in another form, and may be late."""
        self._prove(delivery)
        yield from ()
        topic = delivery.headers.get("x-shopify-topic", "")
        id = delivery.headers.get("x-shopify-webhook-id", "")
        said = Answer(200, {}, delivery.body).json(dict[str, Any])
        if topic == "inventory_levels/update":
            return News(id, topic, shown=[level_told(said)])
        order = said.get("order_id") if topic.startswith("refunds/") else said.get("id")
        if order is None:
            raise Nonsense(f"a webhook {topic!r} that names no order")
        return News(id, topic, ask=[str(order)])

    def _prove(self, delivery: Delivery) -> None:
        given = delivery.headers.get("x-shopify-hmac-sha256", "").encode()
        for secret in filter(None, (self.secrets.client_secret, self.secrets.previous_secret)):
            digest = hmac.new(secret.encode(), delivery.body, hashlib.sha256).digest()
            if hmac.compare_digest(base64.b64encode(digest), given):
                return
        raise Unauthorized("the webhook's signature is not of its body")

    # --- back ---------------------------------------------------------------------------------------------------

    def ship(self, parcel: Parcel) -> Steps[None]:
        """One fulfilment for each location; a parcel whose number is there already was told before."""
        order = gid("Order", parcel.external_id)
        said = yield from self._ask("ship", "Parcels", 50, id=order)
        there = data_of(said, "order", Parcels | None)
        if there is None:
            raise Refused(f"there is no order {parcel.external_id}", "NOT_FOUND", 404)
        numbers = {info.number for one in there.fulfillments for info in one.tracking_info}
        if parcel.tracking and parcel.tracking in numbers:
            return
        for group in by_location(there.fulfillment_orders.nodes, dict(parcel.units)):
            wanted = {"lineItemsByFulfillmentOrder": group, "notifyCustomer": True, "trackingInfo": tracking_of(parcel)}
            done = yield from self._ask("ship", "Fulfil", 12, fulfillment=wanted)
            refuse(data_of(done, "fulfillmentCreate", dict[str, Any])["userErrors"])

    def cancel(self, external_id: str, reason: str) -> Steps[bool]:
        """Shopify puts the units back to `available` by itself, and the money where it came from."""
        said = yield from self._ask("cancel", "Cancel", 12, id=gid("Order", external_id))
        refuse(data_of(said, "orderCancel", dict[str, Any])["orderCancelUserErrors"])
        return True

    # --- webhooks' health ---------------------------------------------------------------------------------------

    def subscribe(self, url: str) -> Steps[int]:
        """One subscription for each topic; Shopify removes one that fails for four hours."""
        said = yield from self._ask("webhooks", "Webhooks", 10)
        nodes = data_of(said, "webhookSubscriptions", dict[str, Any])["nodes"]
        there = {one.topic for one in msgspec.convert(nodes, list[Subscription]) if one.uri == url}
        missing = [topic for topic in TOPICS if topic not in there]
        for topic in missing:
            done = yield from self._ask("webhooks", "Subscribe", 12, topic=topic, hook={"uri": url, "format": "JSON"})
            refuse(data_of(done, "webhookSubscriptionCreate", dict[str, Any])["userErrors"])
        return len(missing)
