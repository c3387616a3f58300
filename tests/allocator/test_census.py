"""The sums that metrics show are those of the records."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from allocator import ShipLine, census
from allocator.records import decode_state

from .fixtures import CUP, MUG, NOW, TEE, hold, order, stock

DAY_MS = 86_400_000

units = st.integers(0, 50)
extra = st.one_of(
    st.just(0),
    st.tuples(
        units,
        st.lists(st.tuples(st.sampled_from(["damaged", "stolen"]), units), max_size=2).map(
            lambda rows: [part for row in dict(rows).items() for part in row]
        ),
        st.just(["shop", 5, 1, 0, 2]),
    ),
)
places = st.dictionaries(
    st.sampled_from(["oslo", "rome", "bergen"]), st.tuples(st.integers(-9, 60), units, units, extra)
)
debts = st.one_of(st.just(0), st.tuples(units, units))


def packed_state(debts, places) -> bytes:
    rows = [part for code, place in places.items() for part in (code, *place)]
    return msgspec.msgpack.encode([7, debts, *rows])


async def walk(client, totals, count, **bounds) -> int:
    """Count all there is, as the survey does; how many steps it took."""
    cursor, steps = 0, 0
    while steps == 0 or cursor:
        cursor = await count(client, "main", totals, cursor=cursor, count=10, **bounds)
        steps += 1
    return steps


@given(st.lists(st.tuples(debts, places), max_size=5), st.integers(0, 20))
def test_the_sums_of_stock_are_those_of_its_records(skus, low):
    totals = census.StockTotals()
    packed = [packed_state(*sku) for sku in skus]

    for one in packed:
        totals.add(one, low)

    states = [decode_state(one) for one in packed]
    shelves = [place for state in states for place in state.places.values()]
    free = [
        sum(max(0, place.on_hand - place.held - place.committed - place.unavailable) for place in state.places.values())
        - sum(place.missing for place in state.places.values())
        - state.backordered
        - state.conflict
        for state in states
    ]
    assert totals == census.StockTotals(
        skus=len(skus),
        low=sum(units <= low for units in free),
        sold_out=sum(units <= 0 for units in free),
        on_hand=sum(place.on_hand for place in shelves),
        unavailable=sum(place.unavailable for place in shelves),
        held=sum(place.held for place in shelves),
        committed=sum(place.committed for place in shelves),
        deficit=sum(place.deficit for place in shelves),
        backordered=sum(state.backordered for state in states),
        conflict=sum(state.conflict for state in states),
        oversold=sum(max(0, place.missing - place.deficit) for place in shelves),
    )


async def test_a_shop_is_counted_as_it_stands(allocator, redis):
    await stock(allocator, oslo=5, rome=3)
    await stock(allocator, sku=TEE, bergen=2)
    await allocator.hold(hold("cart", (CUP, 2)))
    await allocator.order(order("1", (CUP, 3)))
    await allocator.order(order("2", (TEE, 4), channel="till", at="bergen"))
    totals = census.StockTotals()

    await walk(redis, totals, census.count_stock, low_units=3)

    assert totals == census.StockTotals(
        skus=3, low=3, sold_out=2, on_hand=8 - 2, held=2, committed=3, deficit=2, unavailable=0
    )


async def test_many_skus_are_counted_in_several_steps_each_once(allocator, redis):
    await redis.hset(
        "{main}:stock", mapping={f"SKU-{n}": packed_state(0, {"oslo": (1, 0, 0, 0)}) for n in range(2_000)}
    )
    totals = census.StockTotals()

    steps = await walk(redis, totals, census.count_stock, low_units=0)

    assert steps > 20
    # The three skus of the shop are among them.
    assert (totals.skus, totals.on_hand) == (2_003, 2_000)
    await redis.hdel("{main}:stock", *(f"SKU-{n}" for n in range(2_000)))


async def test_orders_are_open_until_they_are_shipped_and_late_after_a_day(allocator, redis):
    await stock(allocator, oslo=9)
    await allocator.order(order("old", (CUP, 1)))
    await allocator.order(order("old-and-shipped", (CUP, 1)))
    await allocator.ship("shop", "old-and-shipped", op="s1")
    allocator.now_ms = NOW + DAY_MS
    await allocator.order(order("new", (CUP, 2)))
    await allocator.order(order("waits", (MUG, 2), channel="amazon", kind="firm"))
    totals = census.OrderTotals()

    await walk(redis, totals, census.count_orders, late_ms=NOW + 1)

    assert totals == census.OrderTotals(orders=4, open=3, late=1, units={"shared": 3})


async def test_a_record_that_cannot_be_read_is_counted_as_that(allocator, redis):
    await redis.hset("{main}:stock", "BROKEN", b"\xc1")
    stock_totals, order_totals = census.StockTotals(), census.OrderTotals()
    await redis.hset("{main}:orders", "shop:broken", b"nonsense")

    await walk(redis, stock_totals, census.count_stock, low_units=0)
    await walk(redis, order_totals, census.count_orders, late_ms=NOW)

    assert (stock_totals.skus, stock_totals.unreadable, order_totals.unreadable) == (3, 1, 1)
    await redis.hdel("{main}:stock", "BROKEN")
    await redis.hdel("{main}:orders", "shop:broken")


async def test_what_the_store_counts_itself_is_read_in_one_go(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("cart", (CUP, 2)))
    await allocator.order(order("1", (MUG, 3), channel="amazon", kind="firm"))

    found = await census.standing(redis, "main")
    nothing = await census.standing(redis, "nobody")

    assert found == census.Standing("epoch-1", allocator.version, 3, 1, 1, 1, await redis.xlen("{main}:ledger"))
    assert nothing == census.Standing("", 0, 0, 0, 0, 0, 0)


async def test_shipped_units_are_those_that_left_for_customers(allocator, redis):
    await stock(allocator, oslo=9, bergen=4)
    begin = await census.last_entry(redis, "main")
    await allocator.order(order("1", (CUP, 5)))
    await allocator.ship("shop", "1", [ShipLine("1", "oslo", 2)], op="s1")
    await allocator.ship("shop", "1", [ShipLine("1", "oslo", 2)], op="s1")
    await allocator.ship("shop", "1", op="s2")
    await allocator.order(order("2", (CUP, 6), channel="till", at="bergen"))

    found = await census.shipped_after(redis, "main", begin, 100)
    rest = await census.shipped_after(redis, "main", found.last, 100)

    assert (found.units, found.read) == (5 + 6, 4)
    assert rest == census.Shipped(found.last, 0, 0)


async def test_before_anything_happened_the_ledger_begins_at_its_start(redis):
    assert await census.last_entry(redis, "main") == "0-0"
    assert await census.shipped_after(redis, "main", "0-0", 10) == census.Shipped("0-0", 0, 0)
