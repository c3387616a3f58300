"""A count says what lies there: on_hand follows it, whatever has been promised."""

import pytest

from allocator import AdjustLine, ledger
from allocator.errors import Invalid, OpConflict, OverLimit, UnknownLocation, UnknownSku

from .fixtures import CUP, atp, buckets, hold, order, place, stock

BILLION = 1_000_000_000


def found(location: str, units: int, sku: str = CUP) -> list[AdjustLine]:
    return [AdjustLine(sku, location, units)]


async def test_on_hand_changes_by_the_difference(allocator, redis):
    await stock(allocator, oslo=5)

    await allocator.count(found("oslo", 3), op="c1", source="erp")
    await allocator.count(found("oslo", -7), op="c2", source="erp")

    assert (await place(redis, "oslo")).on_hand == 1
    assert await atp(allocator) == 1


async def test_a_count_below_what_is_promised_is_a_deficit(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 2))
    await allocator.hold(hold("h1", 2))

    await allocator.count(found("oslo", -3), op="c1", source="erp")

    there = await place(redis, "oslo")
    assert (there.on_hand, there.held, there.committed, there.deficit) == (2, 2, 2, 2)


async def test_a_count_goes_below_zero_when_the_books_say_so(allocator, redis):
    await stock(allocator, oslo=2)
    await allocator.order(order("1", 2))

    await allocator.count(found("oslo", -3), op="c1", source="erp")

    assert await buckets(redis, "oslo") == (-1, 0, 2)
    assert (await place(redis, "oslo")).deficit == 3


async def test_the_next_count_ends_the_deficit(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 5))
    await allocator.count(found("oslo", -3), op="c1", source="erp")

    await allocator.count(found("oslo", 4), op="c2", source="erp")

    there = await place(redis, "oslo")
    assert (there.on_hand, there.deficit, await atp(allocator)) == (6, 0, 1)


async def test_a_count_has_one_effect_and_one_answer(allocator, redis):
    await stock(allocator, oslo=5)
    first = await allocator.count(found("oslo", -1), op="c1", source="erp")

    again = await allocator.count(found("oslo", -1), op="c1", source="erp")

    assert (again.replayed, again.versions) == (True, first.versions)
    assert (await place(redis, "oslo")).on_hand == 4
    with pytest.raises(OpConflict):
        await allocator.count(found("oslo", -1), op="c1", source="wms")


async def test_a_place_counts_ten_billion_up_and_down_and_no_further(allocator, redis):
    await allocator.count(found("oslo", BILLION) * 10, op="c1", source="erp")
    await allocator.count(found("rome", -BILLION) * 10, op="c2", source="erp")

    for location, units in (("oslo", 1), ("rome", -1)):
        with pytest.raises(OverLimit):
            await allocator.count(found(location, units), op=f"c3 {location}", source="erp")

    assert [await buckets(redis, place) for place in ("oslo", "rome")] == [(10 * BILLION, 0, 0), (-10 * BILLION, 0, 0)]


async def test_what_nobody_knows_cannot_be_counted(allocator):
    with pytest.raises(UnknownSku):
        await allocator.count(found("oslo", 1, "POT"), op="c1", source="erp")
    with pytest.raises(UnknownLocation):
        await allocator.count(found("narvik", 1), op="c2", source="erp")


async def test_a_difference_of_nothing_is_nonsense(allocator):
    with pytest.raises(Invalid, match="units must not be 0"):
        await allocator.count(found("oslo", 0), op="c1", source="erp")


async def test_the_ledger_says_whose_count_it_was_and_why(allocator, redis):
    await stock(allocator, oslo=5)

    await allocator.count(found("oslo", 1), op="c1", source="erp", why="night run")
    await allocator.count(found("oslo", 1), op="c2", source="wms")

    entries = [entry for _, entry in await ledger.read(redis, "main", ledger.START)]
    assert [entry.why for entry in entries if entry.verb == "count"] == ["erp: night run", "wms"]
