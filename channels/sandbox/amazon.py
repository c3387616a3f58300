"""
A seller's account at Amazon: listings, feeds, orders, shipments and notifications of the Selling Partner API.

Paths, bodies, limits and errors are those of https://developer-docs.amazon.com/sp-api. Like Amazon it takes a pending
order's units from the seller's own quantity, accepts a patch long before it shows it, finds orders two minutes late,
and has notifications of orders for queues only. Whoever forwards them from there to us is in it too.
"""

import secrets as randomness
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from channels.amazon import AmazonSecrets, AmazonSettings
from channels.pacing import Level, Rate, filled

from .amazon_feeds import Feeds
from .amazon_notices import Notices
from .amazon_things import OWN, Listing, Order, Reported, answer, iso, issue, problem
from .amazon_timer import Timer
from .faults import Faults
from .webhooks import Courier

APPLIED_MS: Final = 90_000
"""How long a patch that was accepted usually waits until it is shown."""

FOUND_MS: Final = 120_000
"""How long orders are kept back from searches."""

TOKEN_MS: Final = 3_600_000

RATES: Final = {
    "patchListingsItem": Rate(5.0, 5.0),
    "getListingsItem": Rate(5.0, 10.0),
    "searchListingsItems": Rate(5.0, 5.0),
    "createFeedDocument": Rate(0.5, 15.0),
    "createFeed": Rate(5 / 300, 5.0),
    "getFeed": Rate(2.0, 15.0),
    "getFeedDocument": Rate(0.0222, 10.0),
    "searchOrders": Rate(0.0056, 20.0),
    "getOrder": Rate(0.5, 30.0),
    "confirmShipment": Rate(2.0, 10.0),
}
"""Of the other operations: one a second, and five at once."""

Endpoint = Callable[[Request], Awaitable[Response]]


class AmazonSandbox:
    """
    One seller. `now_ms` is its clock, `courier` posts what is forwarded, `secrets` let in.

    A search turns to no more than `search_max` listings. A patch that was accepted is shown after `applied_ms`. Ids are
    numbered from behind `after`.
    """

    def __init__(
        self,
        courier: Courier,
        now_ms: Callable[[], int],
        secrets: AmazonSecrets,
        settings: AmazonSettings,
        *,
        after: int = 0,
    ) -> None:
        self.courier, self.faults = courier, Faults()
        self.listings: dict[str, Listing] = {}
        self.orders: dict[str, Order] = {}
        self.tokens: dict[str, tuple[str, int]] = {}
        self.calls: list[str] = []
        self.search_max, self.applied_ms = 1_000, APPLIED_MS
        self._now_ms, self._secrets, self._settings = now_ms, secrets, settings
        self._timer = Timer(now_ms, after)
        self.notices = Notices(self._timer, courier, secrets.webhook_secret)
        self.feeds = Feeds(self._timer, settings.seller, self._carried_out, self.notices.tell)
        self._levels: dict[str, Level] = {}
        self._pages: dict[str, tuple[dict[str, str], str, int]] = {}
        self.app = Starlette(routes=list(self._routes()))

    # --- what happens at Amazon ---------------------------------------------------------------------------------

    def sells(self, sku: str, units: int | None, **more: Any) -> None:
        """Put something on sale; `units` None for what Amazon ships from its own stock."""
        ours = {"fulfillment_channel_code": OWN, "quantity": units}
        availability = [{"fulfillment_channel_code": "AMAZON_NA"} if units is None else ours]
        self.listings[sku] = Listing(sku, availability, self._now_ms(), **more)

    def shows(self, sku: str) -> int | None:
        """What buyers see of the seller's own units."""
        self._timer.catch_up()
        return self.listings[sku].own

    def buys(self, sku: str, units: int, *, pending: bool = False, country: str = "NO") -> str:
        """A buyer orders, and pays at once unless told otherwise. Returns the order's id. Raises ValueError."""
        self._timer.catch_up()
        listing, number, now_ms = self.listings[sku], self._timer.number(), self._now_ms()
        if listing.own is not None and units > listing.own:
            raise ValueError(f"{listing.own} left of {sku}")
        id = f"111-{number:07d}-{number:07d}"
        market = self._settings.marketplaces[0]
        order = Order(id, str(self._timer.number()), sku, units, market, country, now_ms, now_ms, listing.is_amazons)
        self.orders[id] = order
        self._takes(order, units)
        self._becomes(order, "PENDING")
        if not pending:
            self.pays(id)
        return id

    def pays(self, id: str) -> None:
        """The payment of an order is authorised."""
        self._becomes(self.orders[id], "UNSHIPPED")

    def asks_to_cancel(self, id: str) -> None:
        """A buyer wants an order to be cancelled; nothing is, until the seller does it."""
        self.orders[id].wanted_off = True
        self._becomes(self.orders[id], self.orders[id].status, "BuyerRequestedChange")

    def gives_up(self, id: str, by: str = "BUYER") -> None:
        """An order is cancelled; its units can be bought again."""
        order = self.orders[id]
        if order.status != "CANCELLED":
            self._takes(order, order.shipped - order.units)
            order.cancelled_by = by
            self._becomes(order, "CANCELLED")

    def edits(self, sku: str, units: int) -> None:
        """The seller's people change a number by hand."""
        patch = {"op": "merge", "value": [{"fulfillment_channel_code": OWN, "quantity": units}]}
        self._patch(self.listings[sku], [patch])

    def finds_fault(self, sku: str) -> None:
        """Amazon finds something wrong with a listing."""
        payload = {"SellerId": self._settings.seller, "Sku": sku, "Severities": ["ERROR"]}
        self.notices.tell("LISTINGS_ITEM_ISSUES_CHANGE", payload)

    def _takes(self, order: Order, units: int) -> None:
        if not order.is_amazons and units:
            listing = self.listings[order.sku]
            self.edits(order.sku, (listing.own or 0) - units)

    def _becomes(self, order: Order, status: str, kind: str = "OrderStatusChange") -> None:
        order.status, order.updated_ms = status, self._now_ms()
        self.notices.tell("ORDER_CHANGE", order.change(self._settings.seller, kind))

    def _patch(self, listing: Listing, patches: list[dict[str, Any]]) -> None:
        before = listing.own
        for patch in patches:
            listing.patched(patch)
        if listing.own is not None and listing.own != before:
            payload = {"SellerId": self._settings.seller, "FulfillmentChannelCode": OWN}
            self.notices.tell(
                "LISTINGS_ITEM_MFN_QUANTITY_CHANGE", {**payload, "Sku": listing.sku, "Quantity": listing.own}
            )

    async def deliver(self) -> None:
        """Deliver what happened."""
        self._timer.catch_up()
        await self.courier.deliver()

    # --- the interface ------------------------------------------------------------------------------------------

    def _routes(self) -> Iterable[Route]:
        def route(path: str, operation: str, name: str, endpoint: Endpoint, method: str) -> Route:
            async def guarded(request: Request) -> Response:
                self._timer.catch_up()
                self.calls.append(name)
                refused = await self.faults.before(operation) or self._let_in(request, name)
                said = refused or self._throttled(name, operation) or await endpoint(request)
                said.headers["x-amzn-RequestId"] = f"r-{self._timer.number()}"
                said.headers["x-amzn-RateLimit-Limit"] = str(_rate(name).per_second)
                if said.status_code < 400:
                    self.faults.after(operation)
                return said

            return Route(path, guarded, methods=[method])

        items, feeds = "/listings/2021-08-01/items/{seller}", "/feeds/2021-06-30"
        orders, notifications = "/orders/2026-01-01/orders", "/notifications/v1"
        subscriptions = notifications + "/subscriptions/{type}"
        yield Route("/auth/o2/token", self._token, methods=["POST"])
        yield Route("/documents/{id}", self.feeds.signed, methods=["PUT", "GET"])
        yield route(items, "read", "searchListingsItems", self._search, "GET")
        yield route(items + "/{sku:path}", "read", "getListingsItem", self._item, "GET")
        yield route(items + "/{sku:path}", "push", "patchListingsItem", self._patch_item, "PATCH")
        yield route(feeds + "/documents", "document", "createFeedDocument", self.feeds.new_document, "POST")
        yield route(feeds + "/documents/{id}", "report", "getFeedDocument", self.feeds.document, "GET")
        yield route(feeds + "/feeds", "feed", "createFeed", self.feeds.new_feed, "POST")
        yield route(feeds + "/feeds/{id}", "follow", "getFeed", self.feeds.feed, "GET")
        yield route(orders, "orders", "searchOrders", self._search_orders, "GET")
        yield route(orders + "/{id}", "order", "getOrder", self._order, "GET")
        yield route("/orders/v0/orders/{id}/shipmentConfirmation", "ship", "confirmShipment", self._ship, "POST")
        yield route(
            notifications + "/destinations", "webhooks", "getDestinations", self.notices.list_destinations, "GET"
        )
        yield route(
            notifications + "/destinations", "webhooks", "createDestination", self.notices.new_destination, "POST"
        )
        yield route(subscriptions, "webhooks", "getSubscription", self.notices.subscription, "GET")
        yield route(subscriptions, "webhooks", "createSubscription", self.notices.subscribe, "POST")
        yield route(subscriptions + "/{id}", "webhooks", "deleteSubscriptionById", self.notices.unsubscribe, "DELETE")

    def _let_in(self, request: Request, name: str) -> Response | None:
        given = request.headers.get("x-amz-access-token")
        if given is None:
            return problem(403, "MissingAuthenticationToken", "Access to requested resource is denied.")
        scope, until_ms = self.tokens.get(given, ("", 0))
        wanted = "notifications" if name in GRANTLESS else "seller"
        if scope == wanted and self._now_ms() < until_ms:
            return None
        ended = "expired" if scope else "revoked, malformed or invalid"
        says = "Access to requested resource is denied."
        return problem(403, "Unauthorized", says, f"The access token you provided has {ended}.")

    def _throttled(self, name: str, operation: str) -> Response | None:
        left = filled(self._levels.get(name), _rate(name), self._now_ms())
        if left >= 1 and not self.faults.strikes(self.faults.throttle, operation):
            self._levels[name] = Level(left - 1, self._now_ms())
            return None
        return problem(429, "QuotaExceeded", "You exceeded your quota for the requested resource.")

    async def _token(self, request: Request) -> Response:
        asked = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if (asked.get("client_id"), asked.get("client_secret")) != (
            self._secrets.client_id,
            self._secrets.client_secret,
        ):
            return answer({"error": "invalid_client", "error_description": "Client authentication failed"}, 401)
        if asked["grant_type"] == "client_credentials":
            return self._new_token("notifications")
        if asked.get("refresh_token") != self._secrets.refresh_token:
            return answer({"error": "invalid_grant", "error_description": "The request has an invalid grant"}, 400)
        return self._new_token("seller")

    def _new_token(self, scope: str) -> Response:
        token = f"Atza|{randomness.token_hex(8)}"
        self.tokens[token] = scope, self._now_ms() + TOKEN_MS
        return answer({"access_token": token, "token_type": "bearer", "expires_in": TOKEN_MS // 1_000})

    # --- listings -----------------------------------------------------------------------------------------------

    async def _item(self, request: Request) -> Response:
        listing = self.listings.get(request.path_params["sku"])
        if listing is None:
            return problem(404, "NOT_FOUND", f"SKU '{request.path_params['sku']}' not found in marketplace")
        return answer(listing.json(request.query_params["marketplaceIds"], _included(request)))

    async def _search(self, request: Request) -> Response:
        asked, found = request.query_params, list(self.listings.values())
        if "identifiers" in asked:
            wanted = asked["identifiers"].split(",")
            found = [listing for listing in found if listing.sku in wanted]
        found = [one for one in found if iso(one.created_ms) >= asked.get("createdAfter", "")]
        found.sort(key=lambda one: (one.created_ms, one.sku))
        size, start = int(asked.get("pageSize", 10)), int(asked.get("pageToken", 0))
        end = min(start + size, self.search_max)
        rows = [listing.json(asked["marketplaceIds"], _included(request)) for listing in found[start:end]]
        said = {"numberOfResults": len(found), "items": rows}
        more = end < min(len(found), self.search_max)
        return answer({**said, "pagination": {"nextToken": str(end)}} if more else said)

    async def _patch_item(self, request: Request) -> Response:
        sku, asked = request.path_params["sku"], await request.json()
        listing = self.listings.get(sku)
        if listing is None:
            return problem(400, "InvalidInput", f"SKU '{sku}' does not exist")
        said: dict[str, Any] = {"sku": sku, "submissionId": f"s-{self._timer.number()}", "issues": []}
        if sku in self.faults.refuse:
            return answer(
                {**said, "status": "INVALID", "issues": [{**issue(sku), "categories": ["INVALID_ATTRIBUTE"]}]}
            )
        self._timer.later(self.applied_ms, lambda: self._patch(listing, asked["patches"]))
        return answer({**said, "status": "ACCEPTED"})

    def _carried_out(self, messages: list[dict[str, Any]], market: str) -> Reported:
        issues, items = [], []
        for message in messages:
            listing = self.listings.get(message["sku"])
            if listing is None or message["sku"] in self.faults.refuse:
                issues.append({**issue(message["sku"]), "messageId": message["messageId"], "sku": message["sku"]})
                continue
            self._patch(listing, message["patches"])
            items.append(listing.json(market, {"issues", "fulfillmentAvailability"}))
        return Reported(issues, items)

    # --- orders -------------------------------------------------------------------------------------------------

    async def _search_orders(self, request: Request) -> Response:
        asked = dict(request.query_params)
        latest = iso(self._now_ms() - FOUND_MS)
        filters = {name: asked[name] for name in sorted(asked) if name not in VARIABLE}
        before, start = asked.get("lastUpdatedBefore", latest), 0
        if token := asked.get("paginationToken"):
            there, before, start = self._pages.get(token, ({}, "", 0))
            if there != filters:
                return problem(400, "InvalidInput", "The filters are not those of the token")
        if ("createdAfter" in asked) == ("lastUpdatedAfter" in asked):
            return problem(400, "InvalidInput", "Exactly one of createdAfter and lastUpdatedAfter")
        if not asked["lastUpdatedAfter"] <= before <= latest:
            return problem(400, "InvalidInput", "The end must be after the beginning, and two minutes ago")
        found = [order for order in self._by_change() if self._matches(order, asked, before)]
        end = start + int(asked.get("maxResultsPerPage", 100))
        said = {"orders": [order.json(_included(request)) for order in found[start:end]], "lastUpdatedBefore": before}
        if end >= len(found):
            return answer(said)
        token = randomness.token_hex(8)
        self._pages[token] = filters, before, end
        return answer({**said, "pagination": {"nextToken": token}})

    def _by_change(self) -> list[Order]:
        return sorted(self.orders.values(), key=lambda order: (order.updated_ms, order.id))

    def _matches(self, order: Order, asked: dict[str, str], before: str) -> bool:
        by = "AMAZON" if order.is_amazons else "MERCHANT"
        there = order.market in asked["marketplaceIds"].split(",") and by in asked.get("fulfilledBy", by).split(",")
        return there and asked["lastUpdatedAfter"] <= iso(order.updated_ms) <= before

    async def _order(self, request: Request) -> Response:
        order = self.orders.get(request.path_params["id"])
        if order is None:
            return problem(404, "NotFound", "The order does not exist")
        return answer({"order": order.json(_included(request))})

    async def _ship(self, request: Request) -> Response:
        order, asked = self.orders.get(request.path_params["id"]), await request.json()
        if order is None:
            return problem(404, "NotFound", "The order does not exist")
        package = asked["packageDetail"]
        number = package["packageReferenceId"]
        others = {id: one for id, one in order.packages.items() if id != number}
        told = [row for one in (*others.values(), package) for row in one["orderItems"]]
        wrong = not number.isdecimal() or not package["trackingNumber"] or order.status in {"PENDING", "CANCELLED"}
        if wrong or any(row["orderItemId"] != order.line for row in told):
            return problem(400, "InvalidInput", "The package cannot be confirmed")
        if sum(row["quantity"] for row in told) > order.units:
            return problem(400, "InvalidInput", "More units than were ordered")
        order.packages[number] = package
        self._becomes(order, "SHIPPED" if order.shipped == order.units else "PARTIALLY_SHIPPED")
        return Response(status_code=204)


GRANTLESS: Final = frozenset({"getDestinations", "createDestination", "deleteSubscriptionById"})
VARIABLE: Final = frozenset({"paginationToken", "maxResultsPerPage", "includedData"})
"""What may differ from page to page of one search."""


def _rate(name: str) -> Rate:
    return RATES.get(name, Rate(1.0, 5.0))


def _included(request: Request) -> set[str]:
    return set(request.query_params.get("includedData", "summaries").split(","))
