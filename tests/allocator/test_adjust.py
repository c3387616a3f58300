"""A count is corrected by a difference, with a reason; what is promised and not there is a deficit."""

import pytest

from allocator import AdjustLine
from allocator.errors import Invalid, NotEnough, OverLimit, UnknownLocation, UnknownSku

from .fixtures import CUP, atp, buckets, hold, order, place, sold_at_the_till, stock

BILLION = 1_000_000_000


def adjusted(location: str, units: int, sku: str = CUP) -> list[AdjustLine]:
    return [AdjustLine(sku, location, units)]


async def test_on_hand_changes_by_the_difference(allocator, redis):
    await stock(allocator, oslo=5)

    await allocator.adjust(adjusted("oslo", 3), op="a1", why="found")
    await allocator.adjust(adjusted("oslo", -7), op="a2", why="lost")

    assert (await place(redis, "oslo")).on_hand == 1
    assert await atp(allocator) == 1


async def test_nobody_can_take_away_what_is_not_there(allocator, redis):
    await stock(allocator, oslo=5)

    with pytest.raises(NotEnough) as refused:
        await allocator.adjust(adjusted("oslo", -6), op="a1", why="lost")

    assert refused.value.facts == {"sku": CUP, "location": "oslo", "units": 5}
    assert (await place(redis, "oslo")).on_hand == 5


async def test_all_lines_or_none(allocator, redis):
    await stock(allocator, oslo=5)

    with pytest.raises(NotEnough):
        await allocator.adjust([*adjusted("oslo", 2), *adjusted("rome", -1)], op="a1", why="count")

    assert (await place(redis, "oslo")).on_hand == 5


async def test_a_correction_below_what_is_promised_is_a_deficit(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 2))
    await allocator.hold(hold("h1", 2))

    await allocator.adjust(adjusted("oslo", -3), op="a1", why="stolen")

    found = await place(redis, "oslo")
    assert (found.on_hand, found.held, found.committed, found.deficit) == (2, 2, 2, 2)


async def test_units_found_again_end_the_deficit(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 5))
    await allocator.adjust(adjusted("oslo", -3), op="a1", why="stolen")

    await allocator.adjust(adjusted("oslo", 4), op="a2", why="found")

    found = await place(redis, "oslo")
    assert (found.on_hand, found.deficit, await atp(allocator)) == (6, 0, 1)


async def test_units_found_on_a_shelf_below_zero_are_booked_though_it_stays_below(allocator, redis):
    await sold_at_the_till(allocator, "1", 3)

    await allocator.adjust(adjusted("bergen", 1), op="a1", why="found")

    assert await buckets(redis, "bergen") == (-2, 0, 0)


async def test_a_correction_of_nothing_is_nonsense(allocator):
    with pytest.raises(Invalid, match="units must not be 0"):
        await allocator.adjust(adjusted("oslo", 0), op="a1", why="count")


async def test_a_correction_needs_a_reason(allocator):
    with pytest.raises(Invalid, match="why is missing"):
        await allocator.adjust(adjusted("oslo", 1), op="a1", why="")


async def test_unknown_things_cannot_be_corrected(allocator):
    with pytest.raises(UnknownSku):
        await allocator.adjust(adjusted("oslo", 1, "POT"), op="a1", why="count")
    with pytest.raises(UnknownLocation):
        await allocator.adjust(adjusted("narvik", 1), op="a2", why="count")


async def test_a_place_counts_to_ten_billion_and_no_further(allocator):
    await allocator.adjust(adjusted("oslo", BILLION) * 10, op="a1", why="count")

    with pytest.raises(OverLimit):
        await allocator.adjust(adjusted("oslo", 1), op="a2", why="count")


async def test_what_the_till_oversold_cannot_be_taken_away_once_more(allocator, redis):
    await allocator.order(order("T1", 3, channel="till"))

    with pytest.raises(NotEnough) as refused:
        await allocator.adjust(adjusted("bergen", -1), op="a1", why="count")

    assert refused.value.facts["units"] == -3
    await allocator.adjust(adjusted("bergen", 3), op="a2", why="count")
    assert (await place(redis, "bergen")).deficit == 0
