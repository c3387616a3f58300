"""
eBay: inventory, offers, orders, fulfilments, cancellations and notifications of one seller's account.

Paths, bodies, paging, errors and tokens are those of https://developer.ebay.com/develop/api. What happens there, and
when, is in `ebay_shop`; what is told of it in `ebay_notices`.
"""

import base64
import itertools
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from channels.ebay import EbaySecrets

from .ebay_notices import Ask, Board
from .ebay_shop import Shop, item_json, offer_json, order_json, to_iso
from .faults import Faults
from .webhooks import Courier

ROWS_MAX: Final = 25
SKU_MAX: Final = 50
TOKEN_S: Final = 7_200

STOCK: Final = "/sell/inventory/v1"
ORDER: Final = "/sell/fulfillment/v1/order"
NOTIFICATION: Final = "/commerce/notification/v1"
CANCELLATION: Final = "/post-order/v2/cancellation"

STATUSES: Final = {195001: 404, 195011: 403, 195013: 404, 195022: 404}
CONFLICTS: Final = frozenset({195003, 195012, 195015, 195020, 195021})

_WINDOW: Final = re.compile(r"lastmodifieddate:\[(?P<since>[^.\]]+\.\d+Z)\.\.(?P<until>[^\]]*)\]\Z")


class EbaySandbox(Shop):
    """
    One account. `now_ms` is its clock, `courier` delivers its notifications, `secrets` let in; `ask` asks addresses.

    one_a_call: only one sku may be set in a call, as the text of the operation says. stumbles: errors of the next
    setting of a sku, once each, by their number.
    """

    def __init__(
        self,
        courier: Courier,
        now_ms: Callable[[], int],
        secrets: EbaySecrets,
        ask: Ask | None = None,
        *,
        after: int = 0,
    ) -> None:
        board = Board(courier, ask, {"userId": "u-1", "username": "seller-1"}, after)
        super().__init__(board, now_ms, after)
        self.courier, self.faults, self.one_a_call = courier, Faults(), False
        self.stumbles: dict[str, int] = {}
        self.calls: list[str] = []
        self.tokens: dict[str, tuple[str, int]] = {}
        self._secrets = secrets
        keys = f"{secrets.client_id}:{secrets.client_secret}"
        self._basic = f"Basic {base64.b64encode(keys.encode()).decode()}"
        self._tokens = itertools.count(1)
        self.app = Starlette(routes=list(self._routes()))

    async def deliver(self) -> None:
        """Deliver what happened."""
        await self.board.deliver()

    # --- the interface ------------------------------------------------------------------------------------------

    def _routes(self) -> Iterable[Route]:
        def route(path: str, operation: str, endpoint: Callable[[Request], Any], kind: str, *methods: str) -> Route:
            async def guarded(request: Request) -> Response:
                self.calls.append(operation)
                refused = await self.faults.before(operation) or self._throttled(operation)
                refused = refused or self._let_in(request, kind)
                if refused is not None:
                    return refused
                answer: Response = await endpoint(request)
                self.faults.after(operation)
                return answer

            return Route(path, guarded, methods=list(methods))

        yield route("/identity/v1/oauth2/token", "token", self._token, "none", "POST")
        yield route(f"{STOCK}/bulk_update_price_quantity", "push", self._set, "user", "POST")
        yield route(f"{STOCK}/bulk_get_inventory_item", "read", self._get_items, "user", "POST")
        yield route(f"{STOCK}/inventory_item", "list", self._list_items, "user", "GET")
        yield route(f"{STOCK}/offer", "offers", self._list_offers, "user", "GET")
        programs = "/sell/account/v1/program/get_opted_in_programs"
        yield route(programs, "programs", self._programs, "user", "GET")
        yield route(ORDER, "orders", self._list_orders, "user", "GET")
        yield route(f"{ORDER}/{{id}}", "order", self._order, "user", "GET")
        yield route(f"{ORDER}/{{id}}/shipping_fulfillment", "ship", self._shipments, "user", "GET", "POST")
        yield route(CANCELLATION, "cancel", self._cancel, "user", "POST")
        yield route(f"{CANCELLATION}/{{id}}/approve", "cancel", self._approve, "user", "POST")
        yield route(f"{NOTIFICATION}/public_key/{{id}}", "key", self._public_key, "app", "GET")
        yield route(f"{NOTIFICATION}/config", "webhooks", self._config, "app", "PUT")
        for kind in ("destination", "subscription"):
            whose = "app" if kind == "destination" else "user"
            yield route(f"{NOTIFICATION}/{kind}", "webhooks", self._list_board, whose, "GET")
            yield route(f"{NOTIFICATION}/{kind}", "webhooks", self._put_board, whose, "POST")
            yield route(f"{NOTIFICATION}/{kind}/{{id}}", "webhooks", self._put_board, whose, "PUT")
        yield route(f"{NOTIFICATION}/subscription/{{id}}/enable", "webhooks", self._enable, "user", "POST")

    def _throttled(self, operation: str) -> Response | None:
        if not self.faults.strikes(self.faults.throttle, operation):
            return None
        return _error(2001, "Too many requests.", 429, domain="ACCESS")

    def _let_in(self, request: Request, kind: str) -> Response | None:
        if kind == "none":
            return None
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        expected = "IAF" if request.url.path.startswith(CANCELLATION) else "Bearer"
        whose, until_ms = self.tokens.get(token, ("", 0))
        if scheme != expected or self.now_ms() >= until_ms:
            return _error(1001, "Invalid access token", 401, domain="OAuth")
        if whose != kind:
            return _error(1100, "Insufficient permissions to fulfill the request.", 403, domain="ACCESS")
        return None

    async def _token(self, request: Request) -> Response:
        asked = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if request.headers.get("authorization") != self._basic:
            return _json({"error": "invalid_client", "error_description": "client authentication failed"}, 401)
        if asked["grant_type"] == "refresh_token" and asked["refresh_token"] != self._secrets.refresh_token:
            return _json({"error": "invalid_grant", "error_description": "the refresh token is invalid"}, 400)
        whose = "user" if asked["grant_type"] == "refresh_token" else "app"
        token = f"v^1.1#{whose}#{next(self._tokens)}"
        self.tokens[token] = whose, self.now_ms() + TOKEN_S * 1_000
        kind = "User Access Token" if whose == "user" else "Application Access Token"
        return _json({"access_token": token, "expires_in": TOKEN_S, "token_type": kind})

    # --- stock --------------------------------------------------------------------------------------------------

    async def _set(self, request: Request) -> Response:
        rows = (await request.json())["requests"]
        skus = [row["sku"] for row in rows]
        if len(set(skus)) < len(skus):
            return _error(25734, "SKU should be unique in the request.", 400)
        if len(rows) > (1 if self.one_a_call else ROWS_MAX):
            return _error(25709, "Invalid value for requests.", 400)
        answers = [answer for row in rows for answer in self._set_row(row)]
        fine = all(answer["statusCode"] == 200 for answer in answers)
        return _json({"responses": answers}, 200 if fine else 207)

    def _set_row(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        sku, offers = row["sku"], [one["offerId"] for one in row.get("offers", [])]
        error = self._why_not(row, offers)
        if error is not None:
            return [{"sku": sku, "statusCode": 500 if error["category"] == "APPLICATION" else 400, "errors": [error]}]
        ship_to = row["shipToLocationAvailability"]
        places = {one["merchantLocationKey"]: one["quantity"] for one in ship_to.get("availabilityDistributions", [])}
        self.revises(sku, ship_to["quantity"], places, offers)
        return [{"sku": sku, "statusCode": 200}, *({"sku": sku, "offerId": id, "statusCode": 200} for id in offers)]

    def _why_not(self, row: dict[str, Any], offers: list[str]) -> dict[str, Any] | None:
        sku = row["sku"]
        if sku in self.stumbles:
            return _said(self.stumbles.pop(sku), "Please try again later.", category="APPLICATION")
        if sku not in self.items:
            return _said(25702, f"{sku} could not be found or is not available in the system.")
        if sku in self.faults.refuse:
            return _said(25709, "Invalid value for quantity.")
        if self.is_spent(sku):
            return _said(25019, f"Cannot revise listing. It was revised {self.revisions_max} times today, the maximum.")
        return self._why_no_offer(sku, offers)

    def _why_no_offer(self, sku: str, offers: list[str]) -> dict[str, Any] | None:
        gone = [id for id in offers if id not in self.offers or self.offers[id].sku != sku]
        if gone:
            return _said(25713, f"This Offer is not available : {gone[0]}.")
        if any(self.offers[id].kind == "AUCTION" for id in offers):
            return _said(25762, "availableQuantity is not applicable for auction offer.")
        return None

    async def _get_items(self, request: Request) -> Response:
        rows = (await request.json())["requests"]
        if len(rows) > ROWS_MAX:
            return _error(25727, f"The number of InventoryItems in the request cannot exceed {ROWS_MAX}.", 400)
        if any(len(row["sku"]) > SKU_MAX for row in rows):
            return _error(25707, "This is an invalid value for a SKU.", 400)
        answers = [self._got_item(row["sku"]) for row in rows]
        return _json({"responses": answers}, 200 if all(one["statusCode"] == 200 for one in answers) else 207)

    def _got_item(self, sku: str) -> dict[str, Any]:
        if sku in self.items:
            return {"sku": sku, "statusCode": 200, "inventoryItem": item_json(self.items[sku])}
        error = _said(25702, f"{sku} could not be found or is not available in the system.")
        return {"sku": sku, "statusCode": 404, "errors": [error]}

    async def _list_items(self, request: Request) -> Response:
        """Here the offset is the number of a page."""
        limit, page = int(request.query_params.get("limit", 25)), int(request.query_params.get("offset", 0))
        items = list(self.items.values())
        rows = [item_json(item) for item in items[page * limit : (page + 1) * limit]]
        said = {"inventoryItems": rows, "limit": limit, "total": len(items), "size": len(rows)}
        if (page + 1) * limit < len(items):
            said["next"] = f"{STOCK}/inventory_item?limit={limit}&offset={page + 1}"
        return _json(said)

    async def _list_offers(self, request: Request) -> Response:
        offers = self.offers_of(request.query_params["sku"])
        if not offers:
            return _error(25713, "This Offer is not available.", 404)
        return _json({"offers": [offer_json(one) for one in offers], "total": len(offers), "size": len(offers)})

    async def _programs(self, request: Request) -> Response:
        names = ["SELLING_POLICY_MANAGEMENT", *(["OUT_OF_STOCK_CONTROL"] if self.keeps_zero else [])]
        return _json({"programs": [{"programType": name} for name in names]})

    # --- orders -------------------------------------------------------------------------------------------------

    async def _list_orders(self, request: Request) -> Response:
        asked = request.query_params
        limit, offset = int(asked.get("limit", 50)), int(asked.get("offset", 0))
        window = _WINDOW.match(asked.get("filter", ""))
        if window is None:
            return _error(30800, "Invalid filter value", 400, domain="API_FULFILLMENT")
        if not 0 < limit <= 200:
            return _error(31100, f"Invalid limit: {limit}", 400, domain="API_FULFILLMENT")
        since, until = window["since"], window["until"]
        if max(_ms(since), _ms(until or since)) > self.now_ms():
            return _error(30850, "Start and end dates can't be in the future", 400, domain="API_FULFILLMENT")
        found = [one for one in self.orders.values() if since <= to_iso(one.changed_ms) <= (until or "9")]
        rows = [order_json(one, whole=False) for one in found[offset : offset + limit]]
        said: dict[str, Any] = {"orders": rows, "limit": limit, "offset": offset, "total": len(found)}
        if offset + limit < len(found):
            said["next"] = f"{ORDER}?limit={limit}&offset={offset + limit}"
        return _json(said)

    async def _order(self, request: Request) -> Response:
        order = self.orders.get(request.path_params["id"])
        if order is None:
            return _no_order(request)
        return _json(order_json(order, whole=True))

    async def _shipments(self, request: Request) -> Response:
        order = self.orders.get(request.path_params["id"])
        if order is None:
            return _no_order(request)
        if request.method == "GET":
            return _json({"fulfillments": order.parcels, "total": len(order.parcels)})
        asked = await request.json()
        if any(row["lineItemId"] != order.line for row in asked["lineItems"]):
            return _error(32200, "Invalid line item id", 400, domain="API_FULFILLMENT")
        if sum(row["quantity"] for row in asked["lineItems"]) > order.units - order.shipped:
            return _error(32600, "Invalid input data", 400, domain="API_FULFILLMENT")
        if not asked.get("trackingNumber", "A").isalnum() or ("trackingNumber" in asked) != (
            "shippingCarrierCode" in asked
        ):
            return _error(32300, "Invalid shipment tracking number or carrier", 400, domain="API_FULFILLMENT")
        id = self.ships(order.id, asked)
        return _json({}, 201, {"Location": f"{ORDER}/{order.id}/shipping_fulfillment/{id}"})

    async def _cancel(self, request: Request) -> Response:
        asked = await request.json()
        order = self.orders.get(asked["legacyOrderId"])
        if order is None:
            return _error(1612, "Order not found", 404, domain="API_CANCELLATION")
        if order.shipped or order.cancel == "CANCELED":
            result = {"eligible": False, "failureReason": ["ALREADY_SHIPPED"], "legacyOrderId": order.id}
            return _json({"orderEligibilityResult": result})
        self.gives_up(order.id)
        return _json({"cancelId": f"5{order.line}"}, 201)

    async def _approve(self, request: Request) -> Response:
        wanted = request.path_params["id"]
        for order in self.orders.values():
            if any(one["cancelRequestId"] == wanted for one in order.requests):
                self.gives_up(order.id)
                return _json({})
        return _error(1612, "Cancellation not found", 404, domain="API_CANCELLATION")

    # --- notifications ------------------------------------------------------------------------------------------

    async def _public_key(self, request: Request) -> Response:
        return _board_answer(self.board.public_key(request.path_params["id"]))

    async def _config(self, request: Request) -> Response:
        self.board.alert_email = (await request.json())["alertEmail"]
        return Response(status_code=204)

    async def _list_board(self, request: Request) -> Response:
        """Page by page, with a token for the next one."""
        kind = request.url.path.rpartition("/")[2] + "s"
        limit, start = int(request.query_params["limit"]), int(request.query_params.get("continuation_token", 0))
        rows = self.board.rows(kind)
        said: dict[str, Any] = {kind: rows[start : start + limit], "limit": limit, "total": len(rows)}
        if start + limit < len(rows):
            said["next"] = f"{request.url.path}?limit={limit}&continuation_token={start + limit}"
        return _json(said)

    async def _put_board(self, request: Request) -> Response:
        id, asked = request.path_params.get("id", ""), await request.json()
        if "/destination" in request.url.path:
            return _board_answer(await self.board.put_destination(id, asked))
        return _board_answer(self.board.put_subscription(id, asked))

    async def _enable(self, request: Request) -> Response:
        one = self.board.subscriptions[request.path_params["id"]]
        if self.board.destinations[one.destination].status != "ENABLED":
            return _board_answer(195015)
        one.status = "ENABLED"
        return Response(status_code=204)


# --- answers ----------------------------------------------------------------------------------------------------


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


def _said(number: int, message: str, *, domain: str = "API_INVENTORY", category: str = "REQUEST") -> dict[str, Any]:
    return {"errorId": number, "domain": domain, "category": category, "message": message, "longMessage": message}


def _error(number: int, message: str, status: int, *, domain: str = "API_INVENTORY") -> Response:
    return _json({"errors": [_said(number, message, domain=domain)]}, status)


def _no_order(request: Request) -> Response:
    return _error(32100, f"Invalid order ID: {request.path_params['id']}", 404, domain="API_FULFILLMENT")


def _board_answer(done: tuple[Any, int] | int) -> Response:
    """What the board says: a body, the id of what was made as its address, or an error."""
    if isinstance(done, int):
        status = 409 if done in CONFLICTS else STATUSES.get(done, 400)
        return _error(done, f"error {done}", status, domain="API_NOTIFICATION")
    said, status = done
    if status == 201:
        return _json({}, 201, {"Location": f"https://api.ebay.com{NOTIFICATION}/{said}"})
    return Response(status_code=204) if status == 204 else _json(said)


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)
