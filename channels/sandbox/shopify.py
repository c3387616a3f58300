"""
A Shopify shop: inventory, orders, fulfilments and webhooks of the GraphQL Admin API.

Variables, answers, errors and limits are those of https://shopify.dev/docs/api/admin-graphql. It knows our operations
by their names; that their text is right the tests check against the published schema. Like Shopify it moves an
order's units from available to committed, compares before it sets, does nothing of a call with one bad row, and
answers a call that comes twice with its first answer.
"""

import base64
import hashlib
import hmac
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from channels.pacing import Level, Rate, filled
from channels.shopify import ShopifySecrets

from .faults import Faults
from .webhooks import Courier, Message

ROWS_MAX: Final = 250
POINTS: Final = Rate(100.0, 2_000.0)
COSTS: Final = {"SetQuantities": 10.0, "Levels": 60.0, "Items": 100.0, "Orders": 300.0}
"""What operations cost; the rest cost ten points."""

OPERATIONS: Final = {"SetQuantities": "push", "Levels": "read", "Items": "list", "Orders": "orders", "Order": "order"}
"""What faults call them; the rest are `other`."""

_BOUND: Final = re.compile(r"updated_at:(>=|<)'([^']+)'")


@dataclass
class Item:
    """An inventory item, tracked, with what is available by location."""

    id: int
    sku: str
    available: dict[str, int]
    tracked: bool = True

    @property
    def gid(self) -> str:
        """Its global id."""
        return f"gid://shopify/InventoryItem/{self.id}"


@dataclass
class Order:
    """An order of one line."""

    id: int
    line: int
    item: Item
    quantity: int
    location: str
    country: str
    created_ms: int
    updated_ms: int
    financial: str = "PAID"
    cancelled: bool = False
    removed: int = 0
    returned: int = 0
    fulfilled: int = 0
    parcels: list[dict[str, Any]] = field(default_factory=list)


class ShopifySandbox:
    """
    One shop with one location. `now_ms` is its clock, `courier` delivers its webhooks, `secrets` let in.

    Ids are numbered from behind `after`.
    """

    def __init__(
        self,
        courier: Courier,
        now_ms: Callable[[], int],
        secrets: ShopifySecrets,
        location: str,
        *,
        after: int = 0,
    ) -> None:
        self.courier, self.faults, self.location = courier, Faults(), location
        self.items: dict[str, Item] = {}
        self.orders: dict[int, Order] = {}
        self.hooks: dict[str, dict[str, str]] = {}
        self.calls: list[str] = []
        self.tokens: set[str] = set()
        self.points: Level | None = None
        self._answers: dict[str, tuple[str, dict[str, Any]]] = {}
        self.spoils = 0
        """So many keys of pushes are used up by an attempt that fails."""
        self._now_ms, self._secrets = now_ms, secrets
        self._ids = itertools.count(after + 1_001)
        graphql = Route("/admin/api/{version}/graphql.json", self._graphql, methods=["POST"])
        token = Route("/admin/oauth/access_token", self._token, methods=["POST"])
        self.app = Starlette(routes=[graphql, token])

    # --- what happens in the shop -------------------------------------------------------------------------------

    def sells(self, id: int, sku: str, units: int) -> None:
        """Put something on sale."""
        item = Item(id, sku, {self.location: units})
        self.items[item.gid] = item

    def shows(self, listing: str) -> int:
        """What buyers see."""
        return self.items[f"gid://shopify/InventoryItem/{listing}"].available[self.location]

    def buys(self, listing: str, units: int, *, financial: str = "PAID", country: str = "NO") -> int:
        """A buyer orders; the shop sells what is available and no more. Returns the order's id. Raises ValueError."""
        item = self.items[f"gid://shopify/InventoryItem/{listing}"]
        if units > item.available[self.location]:
            raise ValueError(f"{item.available[self.location]} left of {item.sku}")
        id, now_ms = next(self._ids), self._now_ms()
        line = next(self._ids)
        self.orders[id] = Order(id, line, item, units, self.location, country, now_ms, now_ms, financial)
        self._moves(item, -units)
        self._tell("ORDERS_CREATE", {"id": id, "name": f"#{id}", "email": "ann@example.org"})
        return id

    def pays(self, id: int) -> None:
        """A buyer pays for an order that waited for it."""
        self.orders[id].financial = "PAID"
        self._changed(id, "ORDERS_PAID")

    def gives_up(self, id: int) -> None:
        """An order is cancelled; its units are available again."""
        order = self.orders[id]
        if not order.cancelled:
            order.cancelled, order.financial = True, "VOIDED"
            self._moves(order.item, order.quantity - order.removed - order.fulfilled)
            order.removed = order.quantity - order.fulfilled
            self._changed(id, "ORDERS_CANCELLED")

    def takes_off(self, id: int, units: int) -> None:
        """The shop's people take units off an order."""
        order = self.orders[id]
        order.removed += units
        self._moves(order.item, units)
        self._changed(id, "ORDERS_EDITED")

    def _moves(self, item: Item, units: int) -> None:
        item.available[self.location] += units
        self._tell_level(item)

    def _changed(self, id: int, topic: str) -> None:
        self.orders[id].updated_ms = self._now_ms()
        self._tell(topic, {"id": id, "name": f"#{id}", "email": "ann@example.org"})

    # --- webhooks -----------------------------------------------------------------------------------------------

    def _tell_level(self, item: Item) -> None:
        body = {
            "inventory_item_id": item.id,
            "location_id": int(self.location.rpartition("/")[2]),
            "available": item.available[self.location],
            "updated_at": _iso(self._now_ms()),
        }
        self._tell("INVENTORY_LEVELS_UPDATE", body)

    def _tell(self, topic: str, resource: dict[str, Any]) -> None:
        body = msgspec.json.encode(resource)
        digest = hmac.new(self._secrets.client_secret.encode(), body, hashlib.sha256).digest()
        for hook in self.hooks.values():
            if hook["topic"] == topic:
                headers = {
                    "Content-Type": "application/json",
                    "X-Shopify-Topic": "/".join(topic.lower().rsplit("_", 1)),
                    "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
                    "X-Shopify-Webhook-Id": f"w-{next(self._ids)}",
                    "X-Shopify-Shop-Domain": "shop.myshopify.com",
                }
                self.courier.post(Message(hook["uri"], headers, body))

    async def deliver(self) -> None:
        """Deliver what happened."""
        await self.courier.deliver()

    # --- the interface ------------------------------------------------------------------------------------------

    async def _token(self, request: Request) -> Response:
        asked = await request.json()
        if (asked.get("client_id"), asked.get("client_secret")) != (
            self._secrets.client_id,
            self._secrets.client_secret,
        ):
            return _json({"errors": "[API] Invalid API key or access token"}, 401)
        token = f"shpat_{next(self._ids)}"
        self.tokens.add(token)
        return _json({"access_token": token, "scope": "write_inventory", "expires_in": 86_399})

    async def _graphql(self, request: Request) -> Response:
        if request.headers.get("x-shopify-access-token") not in self.tokens:
            return _json({"errors": "[API] Invalid API key or access token"}, 401)
        asked = await request.json()
        name, variables = asked["operationName"], asked["variables"]
        operation = OPERATIONS.get(name, "other")
        self.calls.append(name)
        refused = await self.faults.before(operation) or self._throttled(name, operation)
        if refused is not None:
            return refused
        data = getattr(self, f"_do_{name}")(**variables)
        self.faults.after(operation)
        return _json({"data": data, "extensions": self._spent(COSTS.get(name, 10.0), COSTS.get(name, 10.0))})

    def _throttled(self, name: str, operation: str) -> Response | None:
        cost = COSTS.get(name, 10.0)
        left = filled(self.points, POINTS, self._now_ms())
        if left >= cost and not self.faults.strikes(self.faults.throttle, operation):
            self.points = Level(left - cost, self._now_ms())
            return None
        error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
        return _json({"errors": [error], "extensions": self._spent(cost, None)})

    def _spent(self, asked: float, actual: float | None) -> dict[str, Any]:
        left = filled(self.points, POINTS, self._now_ms())
        status = {"maximumAvailable": POINTS.burst, "currentlyAvailable": left, "restoreRate": POINTS.per_second}
        return {"cost": {"requestedQueryCost": asked, "actualQueryCost": actual, "throttleStatus": status}}

    # --- operations ---------------------------------------------------------------------------------------------

    def _do_SetQuantities(self, input: dict[str, Any], key: str) -> dict[str, Any]:  # noqa: N802 - the operation's name
        printed = repr(input)
        before = self._answers.get(key)
        if before is not None and before[0] != printed:
            error = _user_error("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", None, "another request had this key")
            return {"inventorySetQuantities": {"inventoryAdjustmentGroup": None, "userErrors": [error]}}
        if before is None:
            before = printed, self._spoiled() or self._set(input["quantities"])
            self._answers[key] = before
        return {"inventorySetQuantities": before[1]}

    def _spoiled(self) -> dict[str, Any] | None:
        if not self.spoils:
            return None
        self.spoils -= 1
        error = _user_error("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", None, "The previous attempt failed.")
        return {"inventoryAdjustmentGroup": None, "userErrors": [error]}

    def _set(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        errors = [error for number, row in enumerate(rows) for error in self._judge(number, row)]
        if len(rows) > ROWS_MAX:
            errors = [_user_error("INVALID_INPUT", None, f"at most {ROWS_MAX} quantities")]
        if errors:
            return {"inventoryAdjustmentGroup": None, "userErrors": errors}
        for row in rows:
            item = self.items[row["inventoryItemId"]]
            item.available[row["locationId"]] = row["quantity"]
            self._tell_level(item)
        group = {"id": f"gid://shopify/InventoryAdjustmentGroup/{next(self._ids)}"}
        return {"inventoryAdjustmentGroup": group, "userErrors": []}

    def _judge(self, number: int, row: dict[str, Any]) -> list[dict[str, Any]]:
        item = self.items.get(row["inventoryItemId"])
        if item is None or item.sku in self.faults.refuse:
            return [_user_error("INVALID_INVENTORY_ITEM", number, "The specified inventory item could not be found.")]
        if row["locationId"] not in item.available:
            return [_user_error("INVALID_LOCATION", number, "The specified location could not be found.")]
        before = row["changeFromQuantity"]
        if before is not None and before != item.available[row["locationId"]]:
            return [_user_error("CHANGE_FROM_QUANTITY_STALE", number, "The changeFromQuantity is stale.")]
        return []

    def _do_Levels(self, ids: list[str], location: str) -> dict[str, Any]:  # noqa: N802
        return {"nodes": [self._item(self.items[id], location) if id in self.items else None for id in ids]}

    def _do_Items(self, first: int, after: str | None, location: str) -> dict[str, Any]:  # noqa: N802
        page = _page(list(self.items.values()), first, after)
        return {"inventoryItems": {**page, "nodes": [self._item(item, location) for item in page["nodes"]]}}

    def _item(self, item: Item, location: str) -> dict[str, Any]:
        units = item.available.get(location)
        level = None if units is None else {"quantities": [{"name": "available", "quantity": units}]}
        return {"id": item.gid, "sku": item.sku, "tracked": item.tracked, "inventoryLevel": level}

    def _do_Orders(self, first: int, after: str | None, query: str) -> dict[str, Any]:  # noqa: N802
        bounds = dict(_BOUND.findall(query))
        found = [
            order
            for order in sorted(self.orders.values(), key=lambda one: (one.updated_ms, one.id))
            if bounds[">="] <= _iso(order.updated_ms) < bounds["<"]
        ]
        page = _page(found, first, after)
        return {"orders": {**page, "nodes": [_order_json(order) for order in page["nodes"]]}}

    def _do_Order(self, id: str) -> dict[str, Any]:  # noqa: N802
        order = self._find(id)
        return {"order": _order_json(order) if order else None}

    def _do_Parcels(self, id: str) -> dict[str, Any]:  # noqa: N802
        order = self._find(id)
        if order is None:
            return {"order": None}
        left = order.quantity - order.removed - order.fulfilled
        line = {"id": f"gid://shopify/FulfillmentOrderLineItem/{order.line}", "remainingQuantity": left}
        line["lineItem"] = {"id": f"gid://shopify/LineItem/{order.line}"}
        wanted = {
            "id": f"gid://shopify/FulfillmentOrder/{order.id}",
            "status": "OPEN" if left else "CLOSED",
            "assignedLocation": {"location": {"id": order.location}},
            "lineItems": {"nodes": [line]},
        }
        parcels = [{"trackingInfo": [{"number": parcel.get("number")}]} for parcel in order.parcels]
        return {"order": {"fulfillments": parcels, "fulfillmentOrders": {"nodes": [wanted]}}}

    def _do_Fulfil(self, fulfillment: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        for wanted in fulfillment["lineItemsByFulfillmentOrder"]:
            order = self.orders[int(wanted["fulfillmentOrderId"].rpartition("/")[2])]
            units = sum(row["quantity"] for row in wanted["fulfillmentOrderLineItems"])
            if units > order.quantity - order.removed - order.fulfilled:
                error = {"field": ["fulfillment"], "message": "Invalid fulfillment order line item quantity requested."}
                return {"fulfillmentCreate": {"fulfillment": None, "userErrors": [error]}}
            order.fulfilled += units
            order.parcels.append(fulfillment.get("trackingInfo") or {})
            self._changed(order.id, "ORDERS_UPDATED")
        done = {"id": f"gid://shopify/Fulfillment/{next(self._ids)}", "status": "SUCCESS"}
        return {"fulfillmentCreate": {"fulfillment": done, "userErrors": []}}

    def _do_Cancel(self, id: str) -> dict[str, Any]:  # noqa: N802
        order = self._find(id)
        if order is None or order.cancelled:
            error = {"code": "NOT_FOUND", "field": ["orderId"], "message": "Order does not exist"}
            return {"orderCancel": {"job": None, "orderCancelUserErrors": [error]}}
        self.gives_up(order.id)
        return {"orderCancel": {"job": {"id": f"gid://shopify/Job/{next(self._ids)}"}, "orderCancelUserErrors": []}}

    def _do_Webhooks(self) -> dict[str, Any]:  # noqa: N802
        return {"webhookSubscriptions": {"nodes": [{"id": id, **hook} for id, hook in self.hooks.items()]}}

    def _do_Subscribe(self, topic: str, hook: dict[str, str]) -> dict[str, Any]:  # noqa: N802
        id = f"gid://shopify/WebhookSubscription/{next(self._ids)}"
        self.hooks[id] = {"topic": topic, "uri": hook["uri"]}
        return {"webhookSubscriptionCreate": {"webhookSubscription": {"id": id}, "userErrors": []}}

    def _find(self, id: str) -> Order | None:
        return self.orders.get(int(id.rpartition("/")[2]))


# --- bodies -----------------------------------------------------------------------------------------------------


def _order_json(order: Order) -> dict[str, Any]:
    line = {
        "id": f"gid://shopify/LineItem/{order.line}",
        "sku": order.item.sku,
        "quantity": order.quantity,
        "currentQuantity": order.quantity - order.removed - order.returned,
        "unfulfilledQuantity": order.quantity - order.removed - order.fulfilled,
        "requiresShipping": True,
        "variant": {"inventoryItem": {"id": order.item.gid}},
    }
    returned = {"quantity": order.returned, "restockType": "RETURN", "lineItem": {"id": line["id"]}}
    refunds = [{"refundLineItems": {"nodes": [returned]}}] if order.returned else []
    all_gone = 0 < order.quantity - order.removed == order.fulfilled
    return {
        "id": f"gid://shopify/Order/{order.id}",
        "name": f"#{order.id}",
        "createdAt": _iso(order.created_ms),
        "updatedAt": _iso(order.updated_ms),
        "cancelledAt": _iso(order.updated_ms) if order.cancelled else None,
        "test": False,
        "displayFinancialStatus": order.financial,
        "displayFulfillmentStatus": "FULFILLED" if all_gone else "UNFULFILLED",
        "shippingAddress": {"countryCodeV2": order.country, "provinceCode": None},
        "refunds": refunds,
        "lineItems": {"nodes": [line], "pageInfo": {"hasNextPage": False, "endCursor": None}},
    }


def _page(rows: list[Any], first: int, after: str | None) -> dict[str, Any]:
    start = int(after or 0)
    more = start + first < len(rows)
    info = {"hasNextPage": more, "endCursor": str(start + first) if more else None}
    return {"nodes": rows[start : start + first], "pageInfo": info}


def _user_error(code: str, number: int | None, message: str) -> dict[str, Any]:
    way = ["input"] if number is None else ["input", "quantities", str(number), "quantity"]
    return {"code": code, "field": way, "message": message}


def _json(body: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
