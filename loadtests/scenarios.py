"""What is measured, as data: a name, how request number n is made, and how many are sent."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from allocator import Allocator, Line, OrderRequest, ShipTo

from .http import build
from .shop import SHIP_TOS, sku_name

STRIDE: Final = 7_919
"""Neighbouring requests ask for distant skus; a prime, so that all skus have their turn."""

BULK_ORDERS: Final = 100
HELLO: Final = "hello"
ORDER: Final = "order, 1 line"
AVAILABILITY: Final = "availability, 1 sku"
AVAILABILITY_50: Final = "availability, 50 skus"
TEN_LINES: Final = "order, 10 lines"
BULK: Final = "bulk, 100 orders of 1 line"
BULK_TEN: Final = "bulk, 100 orders of 10 lines"


class Shop(NamedTuple):
    """What a request needs to know of the shop it is sent to."""

    skus: int
    key: str = ""

    def sku(self, number: int) -> str:
        """A sku, spread over all of them."""
        return sku_name(number * STRIDE % self.skus)

    def hot(self) -> str:
        """The one sku everybody wants."""
        return sku_name(self.skus // 2)


class Scenario(NamedTuple):
    """
    Requests of one kind over HTTP.

    make: the bytes of request n. share: of the requests a round that were asked for. lines: order lines of a request.
    in_flight: None is what was asked for. needs: a path that the service must have. is_right: judges every body.
    """

    name: str
    make: Callable[[Shop, int], bytes]
    status: int = 201
    share: float = 1.0
    lines: int = 0
    in_flight: int | None = None
    needs: str = ""
    is_right: Callable[[bytes], bool] | None = None


class RawScenario(NamedTuple):
    """Calls of one kind to the same scripts, without HTTP; call: makes call n."""

    name: str
    call: Callable[[Allocator, Shop, int], Awaitable[object]]
    share: float = 1.0
    lines: int = 0


def ship_to(number: int) -> dict[str, Any]:
    """Where an order goes."""
    return SHIP_TOS[number % len(SHIP_TOS)]


def hello(_: Shop, __: int) -> bytes:
    """The yardstick."""
    return build("GET", "/hello")


def availability(shop: Shop, number: int) -> bytes:
    """What the shop may promise of one sku."""
    return build("GET", f"/v1/availability/{shop.sku(number)}?channel=shop", key=shop.key)


def availability_of(skus: int) -> Callable[[Shop, int], bytes]:
    """What the shop may promise of many skus."""

    def make(shop: Shop, number: int) -> bytes:
        asked = [shop.sku(number * skus + position) for position in range(skus)]
        return build("POST", "/v1/availability", {"skus": asked, "channels": ["shop"]}, key=shop.key)

    return make


def spread_hold(shop: Shop, number: int) -> bytes:
    """A hold of one unit, any sku."""
    return _hold(shop, f"spread-{number}", shop.sku(number), number)


def hot_hold(shop: Shop, number: int) -> bytes:
    """A hold of one unit, always the same sku."""
    return _hold(shop, f"hot-{number}", shop.hot(), number)


def _hold(shop: Shop, id: str, sku: str, number: int) -> bytes:
    body = {"channel": "shop", "lines": [{"sku": sku, "units": 1}], "ship_to": ship_to(number)}
    return build("PUT", f"/v1/holds/{id}", body, key=shop.key)


def hot_order(shop: Shop, number: int) -> bytes:
    """An order of one unit, always the same sku."""
    return place(shop.key, f"hot-{number}", [shop.hot()], number)


def order_of(lines: int) -> Callable[[Shop, int], bytes]:
    """An order with so many lines of one unit each, any skus."""

    def make(shop: Shop, number: int) -> bytes:
        skus = [shop.sku(number * lines + position) for position in range(lines)]
        return place(shop.key, f"lines-{lines}-{number}", skus, number)

    return make


def place(key: str, external_id: str, skus: list[str], number: int) -> bytes:
    """An order of the web shop: one unit of each sku."""
    return build("PUT", f"/v1/orders/shop/{external_id}", demand(skus, number), key=key)


def demand(skus: list[str], number: int) -> dict[str, Any]:
    """The body of an order."""
    return {"lines": [{"sku": sku, "units": 1} for sku in skus], "ship_to": ship_to(number)}


def bulk_of(lines: int) -> Callable[[Shop, int], bytes]:
    """A hundred orders with so many lines each in one request."""

    def make(shop: Shop, number: int) -> bytes:
        first = number * BULK_ORDERS
        orders = [
            {
                "channel": "shop",
                "external_id": f"bulk-{lines}-{one}",
                **demand([shop.sku(one * lines + position) for position in range(lines)], one),
            }
            for one in range(first, first + BULK_ORDERS)
        ]
        return build("POST", "/v1/orders/bulk", {"orders": orders}, key=shop.key)

    return make


def all_were_placed(body: bytes) -> bool:
    """Whether a bulk answer says of each order that it was placed now."""
    return body.count(b'"status":201') == BULK_ORDERS


async def raw_order(allocator: Allocator, shop: Shop, number: int) -> object:
    """The order of `order_of(1)`."""
    where = ShipTo(**ship_to(number))
    lines = [Line("1", shop.sku(number), 1)]
    return await allocator.order(
        OrderRequest(channel="shop", external_id=f"raw-{number}", lines=lines, ship_to=where), "bench"
    )


async def raw_availability(allocator: Allocator, shop: Shop, number: int) -> object:
    """The question of `availability`."""
    return await allocator.availability([shop.sku(number)], ["shop"])


async def raw_availability_50(allocator: Allocator, shop: Shop, number: int) -> object:
    """The question of `availability_of(50)`."""
    skus = [shop.sku(number * 50 + position) for position in range(50)]
    return await allocator.availability(skus, ["shop"])


def _bulk(name: str, lines: int, share: float) -> Scenario:
    return Scenario(
        name,
        bulk_of(lines),
        200,
        share=share,
        lines=BULK_ORDERS * lines,
        in_flight=4,
        needs="/v1/orders/bulk",
        is_right=all_were_placed,
    )


YARDSTICK: Final = Scenario(HELLO, hello, 200)

SCENARIOS: Final = (
    Scenario(AVAILABILITY, availability, 200),
    Scenario(AVAILABILITY_50, availability_of(50), 200, share=0.3),
    Scenario("hold, spread", spread_hold, lines=1),
    Scenario("hold, one hot sku", hot_hold, lines=1),
    Scenario(ORDER, order_of(1), lines=1),
    Scenario("order, one hot sku", hot_order, lines=1),
    Scenario("order, 3 lines", order_of(3), share=0.5, lines=3),
    Scenario(TEN_LINES, order_of(10), share=0.25, lines=10),
    _bulk(BULK, 1, 0.01),
    _bulk(BULK_TEN, 10, 0.004),
)

RAW: Final = (
    RawScenario("raw availability, 1 sku", raw_availability),
    RawScenario("raw availability, 50 skus", raw_availability_50, share=0.3),
    RawScenario("raw order, 1 line", raw_order, lines=1),
)
