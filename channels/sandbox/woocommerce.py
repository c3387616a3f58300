"""
A WooCommerce shop: products, variations, orders, refunds, fulfilments and webhooks of the REST API v3.

Paths, bodies, headers and errors are those of https://woocommerce.github.io/woocommerce-rest-api-docs/. Like Woo it
takes an order's units from its stock when the order is paid or put on hold, and gives them back when it is cancelled.
"""

import base64
import hashlib
import hmac
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from channels.woocommerce import WooSecrets

from .faults import Faults
from .webhooks import Courier, Message

BATCH_MAX: Final = 100
FAILURES_MAX: Final = 5
"""More failed deliveries in a row than this, and a webhook is switched off."""

LOWERED: Final = frozenset({"on-hold", "processing", "completed"})
"""States in which an order's units are off the stock."""

ROOT: Final = "/wp-json/wc/v3"


@dataclass
class Product:
    """A product, or a variation when it has a parent."""

    id: int
    sku: str
    parent: int = 0
    manage_stock: bool | str = True
    stock: int = 0
    variations: list[int] = field(default_factory=list)


@dataclass
class Hook:
    """A webhook, and how many deliveries in a row have failed."""

    id: int
    topic: str
    url: str
    secret: str
    status: str = "active"
    failures: int = 0


class WooSandbox:
    """
    One shop. `now_ms` is its clock; `courier` delivers its webhooks; `faults` go wrong on demand; `keys` let in.

    batch_max: a shop may take fewer rows at once than Woo does by itself. knows_changes: since Woo 5.8 orders can be
    asked for by their last change. Ids are numbered from behind `after`.
    """

    def __init__(self, courier: Courier, now_ms: Callable[[], int], keys: WooSecrets, *, after: int = 0) -> None:
        self.courier, self.faults, self.batch_max = courier, Faults(), BATCH_MAX
        self.knows_changes = True
        self.products: dict[int, Product] = {}
        self.orders: dict[int, dict[str, Any]] = {}
        self.refunds: dict[int, list[dict[str, Any]]] = {}
        self.fulfillments: dict[int, list[dict[str, Any]]] = {}
        self.notes: dict[int, list[dict[str, Any]]] = {}
        self.hooks: dict[int, Hook] = {}
        self.calls: list[str] = []
        self._now_ms, self._keys = now_ms, (keys.consumer_key, keys.consumer_secret)
        self._basic = base64.b64encode(":".join(self._keys).encode()).decode()
        self._ids = itertools.count(after + 1)
        self.app = Starlette(routes=list(self._routes()))

    # --- what happens in the shop -------------------------------------------------------------------------------

    def sells(self, product: Product) -> None:
        """Put a product or a variation on sale."""
        self.products[product.id] = product
        if product.parent:
            self.products[product.parent].variations.append(product.id)

    def shows(self, listing: str) -> int:
        """What buyers see."""
        return self.products[int(listing.rpartition("/")[2])].stock

    def buys(self, listing: str, units: int, *, status: str = "processing", country: str = "NO") -> int:
        """A buyer orders; the shop sells what it shows and no more. Returns the order's id. Raises ValueError."""
        product = self.products[int(listing.rpartition("/")[2])]
        if units > product.stock:
            raise ValueError(f"{product.stock} left of {product.sku}")
        id, line = next(self._ids) + 1_000, next(self._ids)
        address = {"first_name": "Ann", "city": "Oslo", "country": country, "state": "03", "email": "ann@example.org"}
        parent = product.parent or product.id
        self.orders[id] = {
            "id": id,
            "number": str(id),
            "status": "checkout-draft",
            "currency": "NOK",
            "date_created_gmt": _iso(self._now_ms()),
            "date_modified_gmt": _iso(self._now_ms()),
            "date_paid_gmt": None,
            "billing": address,
            "shipping": address,
            "line_items": [
                {
                    "id": line,
                    "product_id": parent,
                    "variation_id": product.id if product.parent else 0,
                    "sku": product.sku,
                    "quantity": units,
                    "meta_data": [],
                }
            ],
            "refunds": [],
            "meta_data": [],
        }
        self._becomes(id, status, "order.created")
        return id

    def pays(self, id: int) -> None:
        """A buyer pays for an order that waited for it."""
        self._becomes(id, "processing")

    def gives_up(self, id: int, status: str = "cancelled") -> None:
        """An order is cancelled, or its payment failed."""
        self._becomes(id, status)

    def refunds_units(self, id: int, units: int) -> None:
        """The shop's people give money back for units of the first line."""
        order = self.orders[id]
        line = order["line_items"][0]
        refund = next(self._ids)
        row = {**line, "id": next(self._ids), "quantity": -units}
        row["meta_data"] = [{"key": "_refunded_item_id", "value": str(line["id"])}]
        self.refunds.setdefault(id, []).append({"id": refund, "reason": "", "amount": "1.00", "line_items": [row]})
        order["refunds"].append({"id": refund, "reason": "", "total": "-1.00"})
        self._becomes(id, order["status"])

    def _becomes(self, id: int, status: str, topic: str = "order.updated") -> None:
        order = self.orders[id]
        before, order["status"] = order["status"], status
        if (before in LOWERED) != (status in LOWERED):
            self._takes(order, -1 if status in LOWERED else 1)
        order["date_modified_gmt"] = _iso(self._now_ms())
        if status in {"processing", "completed"} and not order["date_paid_gmt"]:
            order["date_paid_gmt"] = order["date_modified_gmt"]
        self._tell(topic, order)

    def _takes(self, order: dict[str, Any], sign: int) -> None:
        for line in order["line_items"]:
            product = self.products[line["variation_id"] or line["product_id"]]
            product.stock += sign * line["quantity"]
            self._tell("product.updated", _product_json(product))

    # --- webhooks -----------------------------------------------------------------------------------------------

    def _tell(self, topic: str, resource: dict[str, Any]) -> None:
        body = msgspec.json.encode(resource)
        for hook in self.hooks.values():
            if hook.status == "active" and hook.topic == topic:
                self.courier.post(self._message(hook, topic, body))

    def _message(self, hook: Hook, topic: str, body: bytes) -> Message:
        signature = base64.b64encode(hmac.new(hook.secret.encode(), body, hashlib.sha256).digest()).decode()
        headers = {
            "Content-Type": "application/json",
            "X-WC-Webhook-Source": "https://shop.example/",
            "X-WC-Webhook-Topic": topic,
            "X-WC-Webhook-Resource": topic.partition(".")[0],
            "X-WC-Webhook-Event": topic.partition(".")[2],
            "X-WC-Webhook-Signature": signature,
            "X-WC-Webhook-ID": str(hook.id),
            "X-WC-Webhook-Delivery-ID": hashlib.md5(body + topic.encode(), usedforsecurity=False).hexdigest(),
        }
        return Message(hook.url, headers, body)

    async def deliver(self) -> None:
        """Deliver what happened. Woo tries each once, and switches off who fails more than five times in a row."""
        for message, status in await self.courier.deliver():
            hook = self.hooks[int(message.headers["X-WC-Webhook-ID"])]
            hook.failures = 0 if 200 <= status < 300 or status in (301, 302) else hook.failures + 1
            if hook.failures > FAILURES_MAX:
                hook.status = "disabled"

    # --- the interface ------------------------------------------------------------------------------------------

    def _slowed(self, operation: str) -> Response | None:
        """Woo has no limit of its own; a host in front of it may, and answers in its own way."""
        if not self.faults.strikes(self.faults.throttle, operation):
            return None
        return Response("<html><title>Too many requests</title></html>", 429, {"Retry-After": "2"})

    def _routes(self) -> Iterable[Route]:
        def route(path: str, operation: str, endpoint: Callable[[Request], Any], *methods: str) -> Route:
            async def guarded(request: Request) -> Response:
                self.calls.append(operation)
                refused = await self.faults.before(operation) or self._slowed(operation) or self._let_in(request)
                if refused is not None:
                    return refused
                answer: Response = await endpoint(request)
                self.faults.after(operation)
                return answer

            return Route(ROOT + path, guarded, methods=list(methods))

        yield route("/products/batch", "push", self._batch, "POST")
        yield route("/products/{parent:int}/variations/batch", "push", self._batch, "POST")
        yield route("/products", "read", self._list_products, "GET")
        yield route("/products/{parent:int}/variations", "read", self._list_products, "GET")
        yield route("/orders", "orders", self._list_orders, "GET")
        yield route("/orders/{id:int}", "order", self._order, "GET", "PUT")
        yield route("/orders/{id:int}/refunds", "refunds", self._list_refunds, "GET")
        yield route("/orders/{id:int}/notes", "ship", self._order_notes, "GET", "POST")
        yield route("/orders/{id:int}/fulfillments", "ship", self._order_fulfillments, "GET", "POST")
        yield route("/webhooks", "webhooks", self._webhooks, "GET", "POST")
        yield route("/webhooks/{id:int}", "webhooks", self._webhook, "PUT")

    def _let_in(self, request: Request) -> Response | None:
        query = (request.query_params.get("consumer_key"), request.query_params.get("consumer_secret"))
        if request.headers.get("authorization") == f"Basic {self._basic}" or query == self._keys:
            return None
        return _error("woocommerce_rest_cannot_view", "Sorry, you cannot list resources.", 401)

    async def _batch(self, request: Request) -> Response:
        rows = (await request.json()).get("update", [])
        if len(rows) > self.batch_max:
            says = f"Unable to accept more than {self.batch_max} items for this request."
            return _error("woocommerce_rest_request_entity_too_large", says, 413)
        parent = request.path_params.get("parent", 0)
        return _json({"update": [self._put_product(row, parent) for row in rows]})

    def _put_product(self, row: dict[str, Any], parent: int) -> dict[str, Any]:
        product = self.products.get(row["id"])
        if product is None or product.parent != parent or product.sku in self.faults.refuse:
            error = {"code": "woocommerce_rest_product_invalid_id", "message": "Invalid ID.", "data": {"status": 400}}
            return {"id": row["id"], "error": error}
        product.manage_stock = row.get("manage_stock", product.manage_stock)
        product.stock = row.get("stock_quantity", product.stock)
        self._tell("product.updated", _product_json(product))
        return _product_json(product)

    async def _list_products(self, request: Request) -> Response:
        parent = request.path_params.get("parent", 0)
        found = [product for product in self.products.values() if product.parent == parent]
        if include := request.query_params.get("include"):
            ids = {int(id) for id in include.split(",")}
            found = [product for product in found if product.id in ids]
        return _page(request, [_product_json(product) for product in sorted(found, key=lambda one: one.id)])

    async def _list_orders(self, request: Request) -> Response:
        asked = request.query_params
        states = asked.get("status", "any").split(",")
        since, until = asked.get("modified_after", ""), asked.get("modified_before", "9")
        if not self.knows_changes:
            since, until = "", "9"
        found = [
            order
            for order in self.orders.values()
            # With `any` among them it looks no further: all that are not in the bin.
            if (order["status"] != "trash" if "any" in states else order["status"] in states)
            and since < order["date_modified_gmt"] < until
        ]
        return _page(request, sorted(found, key=lambda order: int(order["id"])))

    async def _order(self, request: Request) -> Response:
        id = request.path_params["id"]
        if id not in self.orders:
            return _error("woocommerce_rest_shop_order_invalid_id", "Invalid ID.", 404)
        if request.method == "PUT":
            self._becomes(id, (await request.json()).get("status", self.orders[id]["status"]))
        return _json(self.orders[id])

    async def _list_refunds(self, request: Request) -> Response:
        return _page(request, self.refunds.get(request.path_params["id"], []))

    async def _order_notes(self, request: Request) -> Response:
        return await self._kept(request, self.notes)

    async def _order_fulfillments(self, request: Request) -> Response:
        return await self._kept(request, self.fulfillments)

    async def _kept(self, request: Request, where: dict[int, list[dict[str, Any]]]) -> Response:
        rows = where.setdefault(request.path_params["id"], [])
        if request.method == "GET":
            return _json(rows)
        rows.append({"id": next(self._ids), **(await request.json())})
        return _json(rows[-1], 201)

    async def _webhooks(self, request: Request) -> Response:
        if request.method == "GET":
            return _page(request, [_hook_json(hook) for hook in self.hooks.values()])
        asked = await request.json()
        hook = Hook(next(self._ids), asked["topic"], asked["delivery_url"], asked["secret"])
        self.hooks[hook.id] = hook
        form = {"Content-Type": "application/x-www-form-urlencoded", "X-WC-Webhook-ID": str(hook.id)}
        self.courier.post(Message(hook.url, form, f"webhook_id={hook.id}".encode()))
        return _json(_hook_json(hook), 201)

    async def _webhook(self, request: Request) -> Response:
        hook = self.hooks.get(request.path_params["id"])
        if hook is None:
            return _error("woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.", 404)
        hook.status, hook.failures = (await request.json())["status"], 0
        return _json(_hook_json(hook))


# --- bodies -----------------------------------------------------------------------------------------------------


def _product_json(product: Product) -> dict[str, Any]:
    managed = product.manage_stock is True
    kind = "variation" if product.parent else "variable" if product.variations else "simple"
    return {
        "id": product.id,
        "sku": product.sku,
        "type": kind,
        "parent_id": product.parent,
        "manage_stock": product.manage_stock,
        "stock_quantity": product.stock if managed else None,
        "stock_status": "instock" if product.stock > 0 or not managed else "outofstock",
        "variations": product.variations,
    }


def _hook_json(hook: Hook) -> dict[str, Any]:
    return {"id": hook.id, "topic": hook.topic, "status": hook.status, "delivery_url": hook.url, "name": "Allot"}


def _page(request: Request, rows: list[dict[str, Any]]) -> Response:
    size, page = int(request.query_params.get("per_page", 10)), int(request.query_params.get("page", 1))
    answer = _json(rows[(page - 1) * size : page * size])
    answer.headers["X-WP-Total"] = str(len(rows))
    answer.headers["X-WP-TotalPages"] = str(-(-len(rows) // size))
    return answer


def _json(body: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def _error(code: str, message: str, status: int) -> Response:
    return _json({"code": code, "message": message, "data": {"status": status}}, status)


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
