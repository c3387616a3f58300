"""What is no longer wanted goes back to where it came from; what is being picked stays."""

import msgspec
import pytest

from allocator import CancelLine, Rule
from allocator.answers import unpack
from allocator.errors import NotCommitted, PickStarted, UnknownLine, UnknownOrder

from .fixtures import (
    CONFIG,
    CUP,
    TEE,
    atp,
    buckets,
    order,
    place,
    quota,
    sources,
    state,
    stock,
    units_at,
    with_channel,
    with_rules,
)


async def test_a_cancelled_orders_units_are_everybodys(allocator, redis):
    await stock(allocator, oslo=5)
    await stock(allocator, TEE, rome=5)
    await allocator.order(order("1", 3, (TEE, 2)))

    changed = await allocator.cancel("shop", "1", op="c1")

    assert changed.state == "cancelled"
    assert [(line.committed, line.cancelled, line.takes) for line in changed.lines] == [(0, 3, []), (0, 2, [])]
    assert await buckets(redis, "oslo") == (5, 0, 0)
    assert await buckets(redis, "rome", TEE) == (5, 0, 0)


async def test_one_line_is_cancelled_alone(allocator, redis):
    await stock(allocator, oslo=5)
    await stock(allocator, TEE, oslo=5)
    await allocator.order(order("1", 3, (TEE, 2)))

    changed = await allocator.cancel("shop", "1", [CancelLine("2")], op="c1")

    assert changed.state == "committed"
    assert [line.cancelled for line in changed.lines] == [0, 2]
    assert await buckets(redis, "oslo") == (5, 0, 3)


async def test_some_units_of_a_line_are_cancelled_alone(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))

    changed = await allocator.cancel("shop", "1", [CancelLine("1", 1)], op="c1")

    assert (changed.lines[0].committed, changed.lines[0].cancelled) == (2, 1)
    assert await buckets(redis, "oslo") == (5, 0, 2)


async def test_the_location_taken_last_is_given_back_first(allocator):
    await stock(allocator, oslo=2, rome=2)
    await allocator.order(order("1", 4))

    changed = await allocator.cancel("shop", "1", [CancelLine("1", 3)], op="c1")

    assert units_at(changed) == {"oslo": 1}


async def test_units_go_back_to_their_source_last_first(allocator, redis):
    await allocator.configure_all(with_channel(CONFIG, "shop", overflow="borrow"))
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "shop", 2)
    await quota(allocator, "oslo", "amazon", 5)
    await allocator.order(order("1", 8))

    # taken: own 2, shared 3, borrowed 3; given back: borrowed 3, shared 1
    changed = await allocator.cancel("shop", "1", [CancelLine("1", 4)], op="c1")

    assert sources(changed) == [("own", 2, "shop"), ("shared", 2, "")]
    quotas = (await place(redis, "oslo")).quotas
    assert (quotas["amazon"].consumed, quotas["shop"].consumed) == (0, 2)


async def test_units_that_wait_for_a_shelf_go_first(allocator, redis):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 5, channel="amazon"))

    changed = await allocator.cancel("amazon", "1", [CancelLine("1", 3)], op="c1")

    assert (changed.lines[0].backordered, changed.lines[0].committed) == (0, 2)
    assert (await state(redis)).backordered == 0
    assert await atp(allocator) == 1


async def test_a_cancelled_backorder_waits_no_longer(allocator, redis):
    await allocator.order(order("1", 5, channel="amazon"))

    await allocator.cancel("amazon", "1", op="c1")
    await stock(allocator, oslo=5)
    served = await allocator.serve()

    assert served.lines == []
    assert await redis.zcard("{main}:waiting") == 0
    assert await atp(allocator) == 5


async def test_safety_stock_and_buffer_are_closed_again(allocator):
    await allocator.configure_all(with_rules(Rule(kind="safety_stock", units=2), Rule(kind="buffer", units=1)))
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 5, channel="amazon"))

    await allocator.cancel("amazon", "1", op="c1")

    assert await atp(allocator, "amazon") == 2


async def test_what_is_being_picked_cannot_be_cancelled(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))
    await allocator.pick("shop", "1", op="p1")

    with pytest.raises(PickStarted) as refused:
        await allocator.cancel("shop", "1", op="c1")

    assert refused.value.facts == {"line": "1", "units": 3}
    assert await buckets(redis, "oslo") == (5, 0, 3)


async def test_what_is_picked_elsewhere_does_not_bind_the_rest(allocator, redis):
    await stock(allocator, oslo=2, rome=2)
    await allocator.order(order("1", 4))
    picking = await allocator.pick("shop", "1", location="oslo", op="p1")

    changed = await allocator.cancel("shop", "1", [CancelLine("1", 2)], op="c1")

    assert (picking.state, changed.state) == ("picking", "picking")
    assert units_at(changed) == {"oslo": 2}
    with pytest.raises(PickStarted):
        await allocator.cancel("shop", "1", [CancelLine("1", 1)], op="c2")


@pytest.mark.parametrize(("picked", "left"), [("oslo", {"oslo": 2}), ("rome", {"rome": 2})])
async def test_units_that_are_picked_stay_wherever_they_lie(allocator, picked, left):
    await stock(allocator, oslo=2, rome=2)
    await allocator.order(order("1", 4))
    await allocator.pick("shop", "1", location=picked, op="p1")

    changed = await allocator.cancel("shop", "1", [CancelLine("1", 2)], op="c1")

    assert units_at(changed) == left


async def test_a_single_unit_that_is_picked_is_told(allocator):
    await stock(allocator, oslo=1)
    await allocator.order(order("1", 1))
    await allocator.pick("shop", "1", op="p1")

    with pytest.raises(PickStarted) as refused:
        await allocator.cancel("shop", "1", op="c1")

    assert refused.value.facts == {"line": "1", "units": 1}


async def test_a_pick_moves_no_units(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))

    changed = await allocator.pick("shop", "1", op="p1")

    assert changed.versions == []
    assert [take.picking for take in changed.lines[0].takes] == [True]
    assert await buckets(redis, "oslo") == (5, 0, 3)


async def test_only_what_is_committed_there_can_be_picked(allocator):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))

    with pytest.raises(NotCommitted) as refused:
        await allocator.pick("shop", "1", location="rome", op="p1")

    assert refused.value.facts == {"line": "", "location": "rome", "units": 0}


async def test_shipped_units_cannot_be_cancelled(allocator):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))
    await allocator.ship("shop", "1", op="s1")

    with pytest.raises(NotCommitted):
        await allocator.cancel("shop", "1", op="c1")
    with pytest.raises(NotCommitted) as refused:
        await allocator.cancel("shop", "1", [CancelLine("1", 1)], op="c2")

    assert refused.value.facts == {"line": "1", "location": "", "units": 0}


async def test_more_than_there_is_cannot_be_cancelled(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))

    with pytest.raises(NotCommitted) as refused:
        await allocator.cancel("shop", "1", [CancelLine("1", 2), CancelLine("1", 2)], op="c1")

    assert refused.value.facts == {"line": "1", "location": "", "units": 1}
    assert await buckets(redis, "oslo") == (5, 0, 3)


async def test_the_rest_of_an_order_is_cancelled_whichever_of_its_lines_is_cancelled_already(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3, 2))
    await allocator.cancel("shop", "1", [CancelLine("2")], op="c1")

    changed = await allocator.cancel("shop", "1", op="c2")

    assert changed.state == "cancelled"
    assert await buckets(redis, "oslo") == (5, 0, 0)


async def test_cancelling_twice_under_one_op_cancels_once(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))
    first = await allocator.cancel("shop", "1", [CancelLine("1", 1)], op="c1")

    again = await allocator.cancel("shop", "1", [CancelLine("1", 1)], op="c1")

    assert (again.replayed, again.lines) == (True, first.lines)
    assert await buckets(redis, "oslo") == (5, 0, 2)


async def test_one_op_name_serves_two_orders(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 1))
    await allocator.order(order("2", 1))

    await allocator.cancel("shop", "1", op="cancel")
    await allocator.cancel("shop", "2", op="cancel")

    assert await buckets(redis, "oslo") == (5, 0, 0)


async def test_an_order_nobody_made_cannot_be_cancelled(allocator):
    with pytest.raises(UnknownOrder) as refused:
        await allocator.cancel("shop", "9", op="c1")

    assert refused.value.facts == {"order": "shop:9"}


async def test_a_line_the_order_does_not_have_refuses_all(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))

    with pytest.raises(UnknownLine) as refused:
        await allocator.cancel("shop", "1", [CancelLine("1"), CancelLine("7")], op="c1")

    assert refused.value.facts == {"line": "7"}
    assert await buckets(redis, "oslo") == (5, 0, 3)


async def test_units_in_conflict_are_cancelled_before_units_that_lie_on_a_shelf(allocator, redis):
    await stock(allocator, oslo=1)
    await allocator.order(order("1", 3, channel="amazon"))
    await turn_backorders_into_conflicts(redis, "amazon:1", units=2)

    changed = await allocator.cancel("amazon", "1", [CancelLine("1", 1)], op="c1")

    [line] = changed.lines
    assert (changed.state, line.committed, line.conflict, line.cancelled) == ("conflict", 1, 1, 1)
    assert ((await state(redis)).backordered, (await state(redis)).conflict) == (0, 1)

    changed = await allocator.cancel("amazon", "1", op="c2")

    [line] = changed.lines
    assert (changed.state, line.committed, line.conflict, line.cancelled) == ("cancelled", 0, 0, 3)
    assert (await state(redis)).conflict == 0
    assert await buckets(redis, "oslo") == (1, 0, 0)


async def turn_backorders_into_conflicts(redis, order_id: str, units: int) -> None:
    """As a store is that was rebuilt from records in which the order has lost its location."""
    row = unpack(await redis.hget("{main}:orders", order_id))
    row[8][0][5:7] = [0, units]
    version, _, *places = unpack(await redis.hget("{main}:stock", CUP))
    await redis.hset("{main}:orders", order_id, msgspec.msgpack.encode(row))
    await redis.hset("{main}:stock", CUP, msgspec.msgpack.encode([version, [0, units], *places]))
    await redis.delete("{main}:waiting")
