"""What is cancelled after its pick has started is in a tote: nobody may sell it before it has been put away."""

import pytest

from allocator import CancelLine, StockLine
from allocator.errors import NotCommitted, PickStarted

from .fixtures import CUP, TEE, assert_sound, atp, buckets, order, place, quota, state, stock, units_at


async def reasons(redis, location: str, sku: str = CUP) -> dict[str, int]:
    """Units nobody may sell there, by reason."""
    return (await place(redis, location, sku)).reasons


async def put_away(allocator, units: int, location: str = "oslo", op: str = "away"):
    lines = [StockLine(CUP, location, units)]
    return await allocator.unavailable(lines, op=op, reason="put_away", direction="out")


async def test_units_in_a_tote_are_nobodys_until_they_are_put_away(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))
    await allocator.pick("shop", "1", op="p1")

    changed = await allocator.cancel("shop", "1", op="c1", picked=True)

    assert (changed.state, changed.lines[0].cancelled, changed.lines[0].takes) == ("cancelled", 3, [])
    assert (await buckets(redis, "oslo"), await reasons(redis, "oslo")) == ((5, 0, 0), {"put_away": 3})
    assert await atp(allocator) == 2
    await put_away(allocator, 3)
    assert (await reasons(redis, "oslo"), await atp(allocator)) == ({}, 5)


async def test_units_that_no_pick_has_started_for_go_before_those_in_totes(allocator, redis):
    await stock(allocator, oslo=2, rome=2)
    await allocator.order(order("1", 4))
    await allocator.pick("shop", "1", location="rome", op="p1")

    changed = await allocator.cancel("shop", "1", [CancelLine("1", 3)], op="c1", picked=True)

    assert (changed.state, units_at(changed)) == ("picking", {"rome": 1})
    assert (await reasons(redis, "oslo"), await reasons(redis, "rome")) == ({}, {"put_away": 1})


async def test_of_several_totes_the_one_taken_last_goes_first(allocator, redis):
    await stock(allocator, oslo=2, rome=2)
    await allocator.order(order("1", 4))
    await allocator.pick("shop", "1", op="p1")

    changed = await allocator.cancel("shop", "1", [CancelLine("1", 3)], op="c1", picked=True)

    assert units_at(changed) == {"oslo": 1}
    assert (await reasons(redis, "oslo"), await reasons(redis, "rome")) == ({"put_away": 1}, {"put_away": 2})


async def test_a_quota_has_its_units_back_although_they_are_in_a_tote(allocator, redis):
    await stock(allocator, oslo=5)
    await quota(allocator, "oslo", "shop", 2)
    await allocator.order(order("1", 2))
    await allocator.pick("shop", "1", op="p1")

    await allocator.cancel("shop", "1", op="c1", picked=True)

    assert (await place(redis, "oslo")).quotas["shop"].consumed == 0
    await assert_sound(redis)


async def test_units_that_wait_for_a_shelf_go_before_all_others(allocator, redis):
    await stock(allocator, oslo=2)
    await allocator.order(order("1", 5, channel="amazon"))
    await allocator.pick("amazon", "1", op="p1")

    changed = await allocator.cancel("amazon", "1", [CancelLine("1", 4)], op="c1", picked=True)

    assert (changed.lines[0].backordered, changed.lines[0].committed) == (0, 1)
    assert ((await state(redis)).backordered, await reasons(redis, "oslo")) == (0, {"put_away": 1})


async def test_a_unit_in_a_tote_serves_no_backorder_before_it_is_put_away(allocator):
    await stock(allocator, oslo=2)
    await allocator.order(order("1", 2))
    await allocator.pick("shop", "1", op="p1")
    await allocator.order(order("2", 2, channel="amazon"))

    await allocator.cancel("shop", "1", op="c1", picked=True)
    before = await allocator.serve(sweep=True)
    await put_away(allocator, 2)
    after = await allocator.serve()

    assert (before.lines, [line.units for line in after.lines]) == ([], [2])


async def test_what_has_been_shipped_stays_shipped(allocator, redis):
    await stock(allocator, oslo=3)
    await stock(allocator, TEE, oslo=2)
    await allocator.order(order("1", 3, (TEE, 2)))
    await allocator.pick("shop", "1", op="p1")
    await allocator.ship("shop", "1", op="s1")

    with pytest.raises(NotCommitted) as refused:
        await allocator.cancel("shop", "1", [CancelLine("2", 1)], op="c1", picked=True)

    assert refused.value.facts == {"line": "2", "location": "", "units": 0}


async def test_whoever_does_not_say_so_is_refused_and_may_say_so_under_another_op(allocator):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3))
    await allocator.pick("shop", "1", op="p1")

    with pytest.raises(PickStarted):
        await allocator.cancel("shop", "1", op="c1")
    changed = await allocator.cancel("shop", "1", op="c2", picked=True)

    assert changed.state == "cancelled"


async def test_what_is_missing_stays_a_deficit_when_it_is_cancelled_in_a_tote(allocator, redis):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3))
    await allocator.pick("shop", "1", op="p1")
    await allocator.unavailable([StockLine(CUP, "oslo", 2)], op="wet", reason="damaged", direction="in")

    await allocator.cancel("shop", "1", op="c1", picked=True)

    assert (await place(redis, "oslo")).deficit == 2
    await assert_sound(redis)
