"""Routing chooses what trying every set of locations finds: the fewest, the best ranked of those, the fullest."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allocator import Channel, ChannelLocation, Config, Location, Rule, SellerKeys, SkuConfig
from allocator.arguments import fingerprint
from allocator.arguments import ranking as ranking_of
from allocator.core import FOR_NO_ORDER
from tests.allocator.oracle_state import Shelf
from tests.allocator.town import CUP, EPOCH, NOON, PEN, SELLER, TEE
from tests.allocator.twins import Twins
from tests.allocator.wishes import flat

CITIES = ("oslo", "rome", "kyiv", "lima", "bern", "riga", "baku", "doha", "hanoi", "cairo", "quito", "tunis", "seoul",
          "delhi", "paris")  # fmt: skip
SKUS = (CUP, TEE, PEN)
LIMITS = (1, 2, 3, 4, 15)

units = st.sampled_from([0, 0, 1, 2, 3, 5])
stocks = st.lists(st.tuples(units, units, units), min_size=len(CITIES), max_size=len(CITIES))
ties = st.integers(0, 2) | st.just(0)
rankings = st.tuples(st.permutations(CITIES), st.lists(ties, min_size=15, max_size=15), st.integers(0, 15))
demands = st.lists(st.tuples(st.sampled_from(SKUS), st.integers(1, 12)), min_size=1, max_size=4)
kinds = st.sampled_from(["promise", "promise", "firm", "hold"])
ways = st.tuples(kinds, st.sampled_from(LIMITS), st.booleans())


def country() -> Config:
    channels = [
        Channel(code=f"limit-{limit}", split_limit=limit, locations=[ChannelLocation(code=city) for city in CITIES])
        for limit in LIMITS
    ]
    return Config(
        locations=[Location(code=city) for city in CITIES],
        channels=channels,
        skus=[SkuConfig(sku=sku) for sku in SKUS],
        rules=[Rule(kind="safety_stock", location="rome", units=1), Rule(kind="buffer", sku=TEE, units=2)],
    )


@pytest.fixture(scope="module")
def twins(server_url: str) -> Iterator[Twins]:
    both = Twins(server_url, country())
    yield both
    both.close()


def stock_up(twins: Twins, stock: list[tuple[int, ...]]) -> None:
    """Nothing promised yet, and these units on the shelves."""
    books = twins.oracle.books
    books.holds, books.orders, books.servable = {}, {}, set()
    books.shelves = {
        (sku, city): Shelf(on_hand=row[n])
        for city, row in zip(CITIES, stock, strict=True)
        for n, sku in enumerate(SKUS)
    }
    packed = {
        sku: msgspec.msgpack.encode([books.versions[sku], 0, *places_of(sku_stock)])
        for sku, sku_stock in zip(SKUS, zip(*stock, strict=True), strict=True)
    }
    keys = SellerKeys(SELLER)
    twins.run(twins.client.delete(*keys.named("holds", "orders", "owners", "deadlines", "waiting", "servable")))
    twins.run(twins.client.hset(*keys.named("stock"), mapping=packed))


def places_of(on_hand: tuple[int, ...]) -> list[Any]:
    return [value for city, count in zip(CITIES, on_hand, strict=True) for value in (city, count, 0, 0, 0)]


@given(stocks, rankings, demands, ways)
@settings(max_examples=10 * settings.default.max_examples, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_routing_finds_the_best_set_of_locations(twins, stock, ranking, demand, how):
    stock_up(twins, stock)
    kind, limit, partial = how
    cities, tie_of, count = ranking
    candidates = list(zip(cities, tie_of, strict=True))[:count]
    lines = [(str(n), sku, wanted) for n, (sku, wanted) in enumerate(demand)]
    id = f"{twins.oracle.effects}-{len(twins.oracle.ops)}"
    head = [EPOCH, "", NOON, f"{kind}:{id}", fingerprint(id), ""]
    ranked, rows = ranking_of(candidates), flat(lines)

    if kind == "hold":
        twins.ask_raw("hold", [*head, id, f"limit-{limit}", "", "", 60_000, int(partial), *FOR_NO_ORDER, ranked, *rows])
    else:
        twins.ask_raw("order", [*head, "take", f"limit-{limit}", id, kind, "", "", int(partial), ranked, "", *rows])
