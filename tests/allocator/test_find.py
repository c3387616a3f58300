"""Holds and orders are read as they stand now, not as they were answered."""

import msgspec
import pytest

from allocator import ReturnLine
from allocator.errors import Short, UnknownHold, UnknownOrder
from allocator.records import Kept

from .attic import forget
from .fixtures import CONFIG, NOW, dump, hold, new_allocator, order, stock, units_at
from .raw import call, changed


async def test_an_open_hold_is_found_with_its_takes(allocator):
    await stock(allocator, oslo=2, rome=3)
    await allocator.hold(hold("h1", 4, owner="ann"))

    found = await allocator.find_hold("h1")

    assert (found.hold_id, found.channel, found.owner, found.state) == ("h1", "shop", "ann", "open")
    assert (found.deadline_ms, units_at(found)) == (NOW + 60_000, {"oslo": 2, "rome": 2})


async def test_an_order_is_found_as_it_stands(allocator):
    await stock(allocator, oslo=5)
    placed = await allocator.order(order("1", 3))
    await allocator.ship("shop", "1", op="s1")

    found = await allocator.find_order("shop", "1")

    assert (placed.state, found.state) == ("committed", "shipped")
    assert found.placed_ms == NOW


async def test_an_order_belongs_to_its_channel(allocator):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))

    with pytest.raises(UnknownOrder) as refused:
        await allocator.find_order("amazon", "1")

    assert refused.value.facts == {"order": "amazon:1"}


async def test_a_seller_finds_nothing_of_another(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 1))
    await allocator.order(order("1", 3))
    other = await new_allocator(redis, seller="other")
    await other.configure_all(CONFIG)

    with pytest.raises(UnknownHold):
        await other.find_hold("h1")
    with pytest.raises(UnknownOrder):
        await other.find_order("shop", "1")


async def test_finding_writes_and_remembers_nothing(allocator, redis):
    before = await dump(redis)

    for _ in range(2):
        with pytest.raises(UnknownOrder) as refused:
            await allocator.find_order("shop", "9")

    assert not refused.value.replayed
    assert await dump(redis) == before


async def test_an_id_with_a_colon_is_not_another_channels(allocator):
    await stock(allocator, oslo=5)
    await allocator.order(order("eu:1", 1))

    assert (await allocator.find_order("shop", "eu:1")).external_id == "eu:1"
    with pytest.raises(UnknownOrder):
        await allocator.find_order("shop:eu", "1:1")


async def test_what_an_order_was_answered_is_found_again(allocator):
    await stock(allocator, oslo=5)
    placed = await allocator.order(order("1", 3))
    await allocator.cancel("shop", "1", op="c1")

    found = await allocator.find_answer("shop", "1")

    assert found == msgspec.structs.replace(placed, replayed=True)


async def test_what_an_order_was_refused_with_is_found_again(allocator):
    await stock(allocator, oslo=2)
    with pytest.raises(Short) as refused:
        await allocator.order(order("1", 3))
    await allocator.order(order("1", 2, attempt=2))

    with pytest.raises(Short) as found:
        await allocator.find_answer("shop", "1")

    assert found.value.facts == refused.value.facts
    assert (await allocator.find_answer("shop", "1", attempt=2)).state == "committed"


async def test_an_attempt_that_never_came_has_no_answer(allocator):
    with pytest.raises(UnknownOrder):
        await allocator.find_answer("shop", "1")


async def test_an_order_that_goods_were_exchanged_for_has_the_answer_of_the_exchange(allocator):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 2))
    await allocator.ship("shop", "1", op="s1")
    back = [ReturnLine(line="1", location="oslo", units=2, disposition="restock")]
    exchanged = await allocator.exchange("shop", "1", back, order("1-B", 3), op="x1")

    found = await allocator.find_answer("shop", "1-B")

    assert found == msgspec.structs.replace(exchanged.placed, replayed=True)
    with pytest.raises(UnknownOrder):
        await allocator.find_answer("shop", "1-B", attempt=2)


async def test_whether_an_order_is_pending_is_no_question_for_sql(allocator, redis):
    name = "pending:shop:pending:shop:1"
    await redis.hset("{main}:ops", name, b"nothing")
    await forget(allocator, [Kept("answer", name, b"nothing")])

    found = await call(redis, "find", changed("find", kind="pending", id="shop:pending:shop:1"))

    assert found == ("unknown_order", ["shop:pending:shop:1"])
