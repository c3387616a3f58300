"""What is promised and missing leaves the orders that lose, and goes elsewhere or is in conflict."""

import pytest

from allocator import AdjustLine
from allocator.errors import Invalid, UnknownSku

from . import raw
from .fixtures import (
    CONFIG,
    CUP,
    TEE,
    atp,
    buckets,
    hold,
    ledger_length,
    order,
    place,
    sold_at_the_till,
    state,
    stock,
    units_at,
)


async def count(allocator, location: str, units: int) -> None:
    """That many cups less than were thought."""
    await allocator.adjust([AdjustLine(CUP, location, -units)], op=f"count-{location}", why="count")


def losing(*ids: str) -> list[tuple[str, str]]:
    return [("shop", id) for id in ids]


async def test_who_loses_moves_to_where_there_is_some(allocator, redis):
    await stock(allocator, oslo=5, rome=4)
    await allocator.order(order("1", 3))
    await allocator.order(order("2", 2))
    await count(allocator, "oslo", 2)

    rescued = await allocator.rescue(CUP, "oslo", losing("2", "1"))

    assert ([(row.order, row.line, row.moved, row.conflict) for row in rescued.lines], rescued.deficit) == (
        [("shop:2", "1", 2, 0)],
        0,
    )
    assert units_at(await allocator.find_order("shop", "2")) == {"rome": 2}
    assert (await buckets(redis, "oslo"), (await place(redis, "oslo")).deficit) == ((3, 0, 3), 0)


async def test_what_finds_no_place_is_in_conflict_and_owed_as_before(allocator, redis):
    await stock(allocator, oslo=5, rome=1)
    await allocator.order(order("1", 5))
    await count(allocator, "oslo", 3)
    before = await atp(allocator)

    rescued = await allocator.rescue(CUP, "oslo", losing("1"))

    assert [(row.moved, row.conflict) for row in rescued.lines] == [(1, 2)]
    assert ((await state(redis)).conflict, before, await atp(allocator)) == (2, 0, 0)
    assert (await allocator.find_order("shop", "1")).state == "conflict"


async def test_no_more_is_taken_from_an_order_than_is_missing(allocator):
    await stock(allocator, oslo=5, rome=9)
    await allocator.order(order("1", 5))
    await count(allocator, "oslo", 1)

    await allocator.rescue(CUP, "oslo", losing("1"))

    assert units_at(await allocator.find_order("shop", "1")) == {"oslo": 4, "rome": 1}


async def test_several_orders_lose_one_after_the_other(allocator):
    await stock(allocator, oslo=6, rome=3)
    for id in ("1", "2", "3"):
        await allocator.order(order(id, 1, 1))
    await sold_elsewhere(allocator)

    rescued = await allocator.rescue(CUP, "oslo", losing("3", "none", "2", "1"))

    assert [(row.order, row.line, row.moved, row.conflict) for row in rescued.lines] == [
        ("shop:2", "1", 1, 0),
        ("shop:2", "2", 1, 0),
        ("shop:3", "1", 1, 0),
        ("shop:3", "2", 0, 1),
    ]
    assert rescued.deficit == 0


async def sold_elsewhere(allocator) -> None:
    """Four cups that have left Oslo over the counter."""
    await allocator.order(order("sold", 4, channel="till", kind="gone", at="oslo"))


async def test_units_others_wait_for_are_not_taken(allocator, redis):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3))
    await allocator.order(order("waits", 2, kind="firm"))
    await stock(allocator, rome=3)
    await count(allocator, "oslo", 2)

    rescued = await allocator.rescue(CUP, "oslo", losing("1"))

    assert [(row.moved, row.conflict) for row in rescued.lines] == [(1, 1)]
    assert await buckets(redis, "rome") == (3, 0, 1)


async def test_what_is_being_picked_and_what_is_held_stays(allocator):
    await stock(allocator, oslo=5, rome=9)
    await allocator.order(order("1", 3))
    await allocator.pick("shop", "1", op="p1")
    await allocator.hold(hold("h1", 2))
    await count(allocator, "oslo", 4)

    rescued = await allocator.rescue(CUP, "oslo", losing("1"))

    assert (rescued.lines, rescued.deficit) == ([], 4)


async def test_where_nothing_is_missing_nothing_is_done(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))
    before = await ledger_length(redis)

    rescued = await allocator.rescue(CUP, "oslo", losing("1"))
    elsewhere = await allocator.rescue(TEE, "paris", losing("1"))

    assert (rescued.lines, elsewhere.lines, await ledger_length(redis)) == ([], [], before)
    with pytest.raises(UnknownSku):
        await allocator.rescue("none", "oslo", losing("1"))


async def test_a_till_that_sells_what_was_promised_is_made_good(allocator, redis):
    await stock(allocator, bergen=2, oslo=2)
    await allocator.order(order("1", 2, prefer=["bergen"]))
    await sold_at_the_till(allocator, "t1", 1)

    await allocator.rescue(CUP, "bergen", losing("1"))

    assert units_at(await allocator.find_order("shop", "1")) == {"bergen": 1, "oslo": 1}
    assert (await place(redis, "bergen")).deficit == 0


async def test_nobody_loses_twice_in_one_step(allocator):
    with pytest.raises(Invalid, match=r"^orders must be named once each$"):
        await allocator.rescue(CUP, "oslo", losing("1", "1"))


async def test_an_order_of_a_channel_that_is_gone_is_in_conflict(allocator):
    await stock(allocator, oslo=3, rome=3)
    await allocator.order(order("1", 3))
    await allocator.configure_all(
        CONFIG.__class__(locations=CONFIG.locations, channels=CONFIG.channels[1:], skus=CONFIG.skus)
    )
    await count(allocator, "oslo", 3)

    await allocator.rescue(CUP, "oslo", losing("1"))

    [line] = (await allocator.find_order("shop", "1")).lines
    assert (line.conflict, line.takes) == (3, [])


# --- what is fetched at a store ------------------------------------------------------------------------------------


async def fetched(redis, ranking: str) -> None:
    """An order of two cups, to be fetched in Bergen, that came with this ranking."""
    terms = raw.terms(p3="bergen", p5={})
    await raw.call(redis, "order", raw.changed("order", external_id="1", candidates=ranking, terms=terms))


async def test_what_is_fetched_at_a_store_goes_nowhere_else(allocator, redis):
    await stock(allocator, bergen=2)
    await fetched(redis, '["oslo",0,"bergen",0]')
    await stock(allocator, oslo=5, rome=5)
    await count(allocator, "bergen", 2)

    await allocator.rescue(CUP, "bergen", losing("1"))

    assert [line.conflict for line in (await allocator.find_order("shop", "1")).lines] == [1, 1]


@pytest.mark.parametrize("ranking", ['["bergen",0]', '["oslo",0]'])
async def test_what_is_fetched_at_a_store_is_served_there(allocator, redis, ranking):
    await stock(allocator, oslo=2, rome=2, bergen=2)
    await fetched(redis, ranking)
    at = "bergen" if "bergen" in ranking else "oslo"
    await count(allocator, at, 2)

    await allocator.rescue(CUP, at, losing("1"))
    await stock(allocator, bergen=2)
    await allocator.serve()

    assert units_at(await allocator.find_order("shop", "1")) == {"bergen": 2}
