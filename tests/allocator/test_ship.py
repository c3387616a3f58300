"""What leaves its shelf uses up its own commitment, so that nobody's availability changes."""

import pytest

from allocator import AdjustLine, ShipLine
from allocator.errors import NotCommitted, UnknownLine, UnknownOrder

from .fixtures import CUP, TEE, atp, buckets, order, place, quota, stock, units_at


async def test_a_shipped_order_has_left_its_shelf(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))

    changed = await allocator.ship("shop", "1", op="s1")

    assert (changed.state, changed.lines[0].shipped, changed.lines[0].takes) == ("shipped", 3, [])
    assert await buckets(redis, "oslo") == (2, 0, 0)


async def test_nobodys_availability_changes(allocator):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))
    before = await atp(allocator)

    await allocator.ship("shop", "1", op="s1")

    assert await atp(allocator) == before == 2


async def test_some_units_leave_before_the_others(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))

    first = await allocator.ship("shop", "1", [ShipLine("1", "oslo", 1)], op="s1")
    second = await allocator.ship("shop", "1", op="s2")

    assert (first.state, first.lines[0].shipped, first.lines[0].committed) == ("partly_shipped", 1, 2)
    assert (second.state, second.lines[0].shipped) == ("shipped", 3)
    assert await buckets(redis, "oslo") == (2, 0, 0)


async def test_each_place_ships_its_own_part(allocator, redis):
    await stock(allocator, oslo=2, rome=2)
    await allocator.order(order("1", 4))

    changed = await allocator.ship("shop", "1", [ShipLine("1", "rome", 2)], op="s1")

    assert units_at(changed) == {"oslo": 2}
    assert await buckets(redis, "rome") == (0, 0, 0)
    assert await buckets(redis, "oslo") == (2, 0, 2)


async def test_a_place_cannot_ship_more_than_it_has_committed(allocator, redis):
    await stock(allocator, oslo=9)
    await allocator.order(order("1", 3))

    with pytest.raises(NotCommitted) as refused:
        await allocator.ship("shop", "1", [ShipLine("1", "oslo", 2), ShipLine("1", "oslo", 2)], op="s1")

    assert refused.value.facts == {"line": "1", "location": "oslo", "units": 1}
    assert await buckets(redis, "oslo") == (9, 0, 3)


async def test_picked_units_are_shipped(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))
    await allocator.pick("shop", "1", op="p1")

    changed = await allocator.ship("shop", "1", op="s1")

    assert changed.state == "shipped"
    assert await buckets(redis, "oslo") == (2, 0, 0)


async def test_a_backorder_is_not_shipped_with_the_rest(allocator, redis):
    await stock(allocator, oslo=2)
    await allocator.order(order("1", 5, channel="amazon"))

    changed = await allocator.ship("amazon", "1", op="s1")

    assert (changed.state, changed.lines[0].shipped, changed.lines[0].backordered) == ("backordered", 2, 3)


async def test_all_that_was_not_cancelled_has_left(allocator):
    await stock(allocator, oslo=5)
    await stock(allocator, TEE, oslo=5)
    await allocator.order(order("1", 2, (TEE, 9), partial=True))

    changed = await allocator.ship("shop", "1", op="s1")

    assert (changed.state, [line.shipped for line in changed.lines]) == ("shipped", [2, 5])


async def test_an_order_without_committed_units_has_nothing_to_ship(allocator):
    await allocator.order(order("1", 2, channel="amazon"))

    with pytest.raises(NotCommitted):
        await allocator.ship("amazon", "1", op="s1")


async def test_shipping_twice_under_one_op_ships_once(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))
    await allocator.ship("shop", "1", [ShipLine("1", "oslo", 1)], op="s1")

    again = await allocator.ship("shop", "1", [ShipLine("1", "oslo", 1)], op="s1")

    assert again.replayed
    assert await buckets(redis, "oslo") == (4, 0, 2)


async def test_what_left_although_the_books_said_it_was_gone_keeps_the_deficit(allocator, redis):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3))
    await allocator.adjust([AdjustLine(CUP, "oslo", -2)], op="a1", why="counted")

    await allocator.ship("shop", "1", op="s1")

    found = await place(redis, "oslo")
    assert (found.on_hand, found.committed, found.deficit) == (-2, 0, 2)


async def test_units_of_a_quota_are_spent(allocator, redis):
    await stock(allocator, oslo=5)
    await quota(allocator, "oslo", "shop", 2)
    await allocator.order(order("1", 3))

    await allocator.ship("shop", "1", [ShipLine("1", "oslo", 1)], op="s1")

    used = (await place(redis, "oslo")).quotas["shop"]
    assert (used.consumed, used.spent) == (2, 1)


async def test_unknown_things_cannot_be_shipped(allocator):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))

    with pytest.raises(UnknownOrder):
        await allocator.ship("shop", "9", op="s1")
    with pytest.raises(UnknownLine) as refused:
        await allocator.ship("shop", "1", [ShipLine("7", "oslo", 1)], op="s2")

    assert refused.value.facts == {"line": "7"}
