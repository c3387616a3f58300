"""Goods come back, and the disposition says where each unit goes."""

import pytest

from allocator import ReturnLine
from allocator.errors import Invalid, NotShipped, OverLimit, UnknownLine, UnknownLocation, UnknownOrder, UnknownSku

from .fixtures import CUP, TEE, atp, order, place, quota, sold_at_the_till, stock


def back(line: str, units: int, disposition: str = "restock", at: str = "oslo") -> list[ReturnLine]:
    return [ReturnLine(line=line, location=at, units=units, disposition=disposition)]


@pytest.fixture
async def shipped(allocator):
    """Order 1 of the shop: three cups and two tees, shipped from oslo."""
    await stock(allocator, oslo=5)
    await stock(allocator, TEE, oslo=5)
    await allocator.order(order("1", 3, (TEE, 2)))
    await allocator.ship("shop", "1", op="s1")
    return allocator


ORDER = ("shop", "1")


async def test_restocked_units_are_for_sale_again(shipped, redis):
    changed = await shipped.return_units(back("1", 2), op="r1", order=ORDER)

    assert changed.lines[0].returned == 2
    assert (await place(redis, "oslo")).on_hand == 4
    assert await atp(shipped) == 4


async def test_units_in_quarantine_are_on_the_shelf_and_not_for_sale(shipped, redis):
    await shipped.return_units(back("1", 2, "quarantine"), op="r1", order=ORDER)

    found = await place(redis, "oslo")
    assert (found.on_hand, found.reasons, await atp(shipped)) == (4, {"quarantine": 2}, 2)


async def test_scrapped_units_are_counted_and_on_no_shelf(shipped, redis):
    changed = await shipped.return_units(back("1", 2, "scrap"), op="r1", order=ORDER)

    assert changed.lines[0].returned == 2
    assert (await place(redis, "oslo")).on_hand == 2


async def test_they_may_come_back_to_another_place(shipped, redis):
    await shipped.return_units(back("1", 1, at="bergen"), op="r1", order=ORDER)

    assert (await place(redis, "bergen")).on_hand == 1


async def test_an_order_is_returned_when_all_of_it_is_back(shipped):
    part = await shipped.return_units(back("1", 3), op="r1", order=ORDER)
    whole = await shipped.return_units(back("2", 2, "scrap"), op="r2", order=ORDER)

    assert (part.state, whole.state) == ("shipped", "returned")


async def test_no_more_comes_back_than_was_shipped(shipped, redis):
    await shipped.return_units(back("1", 2), op="r1", order=ORDER)

    with pytest.raises(NotShipped) as refused:
        await shipped.return_units([*back("1", 1), *back("1", 1)], op="r2", order=ORDER)

    assert refused.value.facts == {"line": "1", "units": 0}
    assert (await place(redis, "oslo")).on_hand == 4


async def test_what_was_not_shipped_yet_cannot_come_back(allocator):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))

    with pytest.raises(NotShipped):
        await allocator.return_units(back("1", 1), op="r1", order=ORDER)


async def test_what_was_sold_at_the_till_can_come_back(allocator, redis):
    await stock(allocator, bergen=5)
    await sold_at_the_till(allocator, "T1", 2)

    changed = await allocator.return_units(back("1", 2, at="bergen"), op="r1", order=("till", "T1"))

    assert changed.state == "returned"
    assert (await place(redis, "bergen")).on_hand == 5


async def test_a_return_without_an_order_is_a_movement(allocator, redis):
    lines = [ReturnLine(sku=CUP, location="oslo", units=2, disposition="restock")]

    moved = await allocator.return_units(lines, op="r1")

    assert [(version.sku, version.version) for version in moved.versions] == [(CUP, 1)]
    assert (await place(redis, "oslo")).on_hand == 2


async def test_scrap_without_an_order_changes_nothing(allocator, redis):
    lines = [ReturnLine(sku=CUP, location="oslo", units=2, disposition="scrap")]

    moved = await allocator.return_units(lines, op="r1")

    assert moved.versions == []
    assert (await place(redis, "oslo")).on_hand == 0


async def test_returned_units_do_not_fill_a_quota_again(allocator, redis):
    await stock(allocator, oslo=5)
    await quota(allocator, "oslo", "shop", 2)
    await allocator.order(order("1", 2))
    await allocator.ship("shop", "1", op="s1")

    await allocator.return_units(back("1", 2), op="r1", order=ORDER)

    assert (await place(redis, "oslo")).quotas["shop"].consumed == 2


async def test_returning_twice_under_one_op_returns_once(shipped, redis):
    await shipped.return_units(back("1", 1), op="r1", order=ORDER)

    again = await shipped.return_units(back("1", 1), op="r1", order=ORDER)

    assert again.replayed
    assert (await place(redis, "oslo")).on_hand == 3


async def test_unknown_things_cannot_come_back(shipped):
    with pytest.raises(UnknownOrder):
        await shipped.return_units(back("1", 1), op="r1", order=("shop", "9"))
    with pytest.raises(UnknownLine):
        await shipped.return_units(back("7", 1), op="r2", order=ORDER)
    with pytest.raises(UnknownLocation):
        await shipped.return_units(back("1", 1, at="narvik"), op="r3", order=ORDER)
    with pytest.raises(UnknownSku):
        await shipped.return_units([ReturnLine(sku="POT", location="oslo", units=1, disposition="restock")], op="r4")
    with pytest.raises(Invalid, match="disposition"):
        await shipped.return_units(back("1", 1, "gift"), op="r5", order=ORDER)


async def test_a_full_place_takes_nothing_back_but_scrap(shipped, redis):
    await stock(shipped, oslo=1_000_000_000)
    for _ in range(8):
        await stock(shipped, oslo=1_000_000_000)
    await stock(shipped, oslo=999_999_997)
    await shipped.return_units(back("1", 1), op="r1", order=ORDER)

    with pytest.raises(OverLimit):
        await shipped.return_units(back("1", 1), op="r2", order=ORDER)
    scrapped = await shipped.return_units(back("1", 1, "scrap"), op="r3", order=ORDER)

    assert (scrapped.lines[0].returned, (await place(redis, "oslo")).on_hand) == (2, 10_000_000_000)
