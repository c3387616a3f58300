"""Goods come back and others go out for them in one step, or nothing happens at all."""

import pytest

from allocator import OrderRequest, ReturnLine
from allocator.answers import unpack
from allocator.errors import (
    Invalid,
    NotShipped,
    OpConflict,
    OverLimit,
    Short,
    UnknownChannel,
    UnknownLine,
    UnknownLocation,
    UnknownOrder,
    UnknownSku,
    Unroutable,
)
from allocator.records import decode_entry
from allocator.shipments import is_gone, left_by, placed_order

from .attic import Attic
from .fixtures import CONFIG, CUP, TEE, atp, buckets, dump, new_allocator, order, place, stock, units_at, with_channel

OLD = ("shop", "1")


def back(units: int = 1, line: str = "1", disposition: str = "restock", at: str = "oslo") -> list[ReturnLine]:
    return [ReturnLine(line=line, location=at, units=units, disposition=disposition)]


def new(*wanted: int | tuple[str, int], id: str = "1-B", **told: object) -> OrderRequest:
    """The order that goods are exchanged for."""
    return order(id, *wanted, **told)


@pytest.fixture
async def shipped(allocator):
    """Order 1 of the shop: three cups, shipped from oslo, of which none are left; two tees are in oslo."""
    await stock(allocator, oslo=3)
    await stock(allocator, TEE, oslo=2)
    await allocator.order(order("1", 3))
    await allocator.ship(*OLD, op="s1")
    return allocator


async def last_entry(redis):
    return decode_entry((await redis.xrevrange("{main}:ledger", count=1))[0][1])


async def test_what_comes_back_is_on_the_shelf_and_the_other_goods_are_taken(shipped, redis):
    exchanged = await shipped.exchange(*OLD, back(3), new((TEE, 2)), op="x1")

    assert (exchanged.returned.state, exchanged.returned.lines[0].returned) == ("returned", 3)
    assert (exchanged.placed.external_id, exchanged.placed.state, exchanged.placed.plan) == (
        "1-B",
        "committed",
        "single",
    )
    assert units_at(exchanged.placed) == {"oslo": 2}
    assert (await buckets(redis, "oslo"), await buckets(redis, "oslo", TEE)) == ((3, 0, 0), (2, 0, 2))


async def test_restocked_units_may_go_out_again_with_the_new_order(shipped):
    exchanged = await shipped.exchange(*OLD, back(2), new(2), op="x1")

    assert units_at(exchanged.placed) == {"oslo": 2}
    assert await atp(shipped) == 0


@pytest.mark.parametrize("disposition", ["quarantine", "scrap"])
async def test_units_that_nobody_may_sell_do_not(shipped, redis, disposition):
    before = await redis.hgetall("{main}:stock"), await redis.hgetall("{main}:orders")

    with pytest.raises(Short):
        await shipped.exchange(*OLD, back(2, disposition=disposition), new(2), op="x1")

    assert (await redis.hgetall("{main}:stock"), await redis.hgetall("{main}:orders")) == before


async def test_a_firm_order_is_placed_whatever_there_is_and_waits_for_the_rest(shipped):
    exchanged = await shipped.exchange(*OLD, back(1), new((TEE, 5), channel="amazon"), op="x1")

    [line] = exchanged.placed.lines
    assert (exchanged.placed.kind, line.committed, line.backordered) == ("firm", 2, 3)


async def test_over_the_counter_what_goes_has_left_when_it_is_booked(shipped, redis):
    await stock(shipped, TEE, bergen=1)

    exchanged = await shipped.exchange(*OLD, back(1, at="bergen"), new((TEE, 2), channel="till"), op="x1")

    found = await place(redis, "bergen", TEE)
    assert (exchanged.placed.state, exchanged.placed.lines[0].shipped, units_at(exchanged.placed)) == (
        "shipped",
        2,
        {"bergen": 2},
    )
    assert (found.on_hand, found.deficit, (await place(redis, "bergen")).on_hand) == (-1, 1, 1)


async def test_the_ledger_tells_what_was_placed_and_what_left(shipped, redis):
    await shipped.exchange(*OLD, back(1), new((TEE, 1)), op="x1", why="too small", actor="ann")
    kept = await last_entry(redis)
    await shipped.exchange(*OLD, back(1), new((TEE, 1), id="2", channel="till"), op="x2")
    gone = await last_entry(redis)

    assert (kept.verb, kept.op, kept.actor, kept.why) == ("exchange", "exchange:shop:1:x1", "ann", "too small")
    assert list(kept.records) == ["order:shop:1", "order:shop:1-B"]
    assert (placed_order(kept), is_gone(kept), left_by(kept, None)) == ("shop:1-B", False, [])
    [left] = left_by(gone, None)
    assert (is_gone(gone), left.order.external_id, left.sku, left.location, left.units) == (True, "2", TEE, "bergen", 1)


async def test_an_exchange_that_comes_twice_is_one(shipped, redis):
    first = await shipped.exchange(*OLD, back(1), new((TEE, 1)), op="x1")

    again = await shipped.exchange(*OLD, back(1), new((TEE, 1)), op="x1")

    assert (again.replayed, again.placed.lines, again.returned.lines) == (
        True,
        first.placed.lines,
        first.returned.lines,
    )
    assert (await buckets(redis, "oslo"), await buckets(redis, "oslo", TEE)) == ((1, 0, 0), (2, 0, 1))


async def test_an_order_that_is_there_is_not_placed_again(shipped, redis):
    await shipped.order(order("2", (TEE, 1)))
    before = await dump(redis)
    before.pop(b"{main}:seller")

    with pytest.raises(OpConflict) as refused:
        await shipped.exchange(*OLD, back(1), new((TEE, 1), id="2"), op="x1")
    with pytest.raises(OpConflict):
        await shipped.exchange(*OLD, back(1), new((TEE, 1), id="1"), op="x2")

    assert (refused.value.facts, refused.value.replayed) == ({"op": "order:shop:2:1"}, True)
    # Each tells of an earlier effect, so it writes something one can wait for.
    assert await redis.hget("{main}:seller", "replays") == b"2"
    after = await dump(redis)
    after.pop(b"{main}:seller")
    assert after == before


async def test_orders_that_left_for_sql_are_there_all_the_same(shipped, redis):
    attic = Attic(redis)
    shop = await new_allocator(redis, history=attic)
    await shop.order(order("2", (TEE, 1)))
    await shop.cancel("shop", "2", op="c")
    await attic.clear_out(shop)

    with pytest.raises(OpConflict):
        await shop.exchange(*OLD, back(1), new((TEE, 1), id="2"), op="x1")
    exchanged = await shop.exchange(*OLD, back(1), new((TEE, 1)), op="x2")

    assert (exchanged.returned.lines[0].returned, exchanged.placed.state) == (1, "committed")


async def test_whoever_places_the_new_order_as_an_order_of_its_own_is_told_that_it_is_another(shipped):
    await shipped.exchange(*OLD, back(1), new((TEE, 1)), op="x1")

    with pytest.raises(OpConflict) as refused:
        await shipped.order(order("1-B", (TEE, 1)))

    assert refused.value.facts == {"op": "exchange:shop:1:x1"}


async def test_the_new_order_lives_on_as_any_order(shipped):
    await shipped.exchange(*OLD, back(1), new((TEE, 2)), op="x1")

    await shipped.pick("shop", "1-B", op="p")
    changed = await shipped.ship("shop", "1-B", op="s")

    assert changed.state == "shipped"


async def test_what_was_not_shipped_is_not_exchanged(shipped):
    with pytest.raises(NotShipped) as refused:
        await shipped.exchange(*OLD, [*back(2), *back(2)], new((TEE, 1)), op="x1")

    assert refused.value.facts == {"line": "1", "units": 1}
    with pytest.raises(UnknownOrder):
        await shipped.find_order("shop", "1-B")


async def test_enough_units_that_may_not_be_combined_are_not_exchanged_for(shipped):
    await shipped.configure_all(with_channel(CONFIG, "shop", split_limit=1))
    await stock(shipped, TEE, rome=2)

    with pytest.raises(Unroutable):
        await shipped.exchange(*OLD, back(1), new((TEE, 3)), op="x1")


async def test_a_full_place_takes_nothing_back(shipped):
    for _ in range(10):
        await stock(shipped, oslo=1_000_000_000)

    with pytest.raises(OverLimit):
        await shipped.exchange(*OLD, back(1), new((TEE, 1)), op="x1")


async def test_unknown_things_are_not_exchanged(shipped):
    with pytest.raises(UnknownOrder):
        await shipped.exchange("shop", "9", back(1), new((TEE, 1)), op="x1")
    with pytest.raises(UnknownLine):
        await shipped.exchange(*OLD, back(1, line="7"), new((TEE, 1)), op="x2")
    with pytest.raises(UnknownLocation):
        await shipped.exchange(*OLD, back(1, at="narvik"), new((TEE, 1)), op="x3")
    with pytest.raises(UnknownChannel):
        await shipped.exchange(*OLD, back(1), new((TEE, 1), channel="fair"), op="x4")
    with pytest.raises(UnknownSku):
        await shipped.exchange(*OLD, back(1), new(("POT", 1)), op="x5")
    with pytest.raises(UnknownLocation):
        await shipped.exchange(*OLD, back(1), new((TEE, 1), channel="till", at="narvik"), op="x6")


@pytest.mark.parametrize("told", [{"hold": "h1"}, {"partial": True}])
async def test_an_exchange_is_whole_and_knows_no_holds(shipped, told):
    with pytest.raises(Invalid, match="no hold"):
        await shipped.exchange(*OLD, back(1), new((TEE, 1), **told), op="x1")


async def test_a_sku_on_both_sides_has_one_version_more(shipped, redis):
    exchanged = await shipped.exchange(*OLD, back(1), new(1), op="x1")

    entry = await last_entry(redis)
    assert [(change.sku, change.version) for change in entry.changes] == [(CUP, 4)]
    assert exchanged.placed.versions == exchanged.returned.versions
    assert unpack(entry.answer)[-1] == [CUP, 4]
