"""An open hold can live longer or be let go; it ends exactly once."""

import pytest

from allocator.errors import HoldEnded, OpConflict, UnknownHold

from .fixtures import MINUTE, NOW, TEE, atp, buckets, hold, order, place, quota, stock


async def test_an_extended_hold_lives_until_its_new_time_from_now(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3))
    allocator.now_ms = NOW + 30_000

    extended = await allocator.extend("h1", 5 * MINUTE, op="x1")

    assert extended.deadline_ms == NOW + 30_000 + 5 * MINUTE
    assert (await allocator.find_hold("h1")).deadline_ms == extended.deadline_ms


async def test_a_hold_is_never_made_shorter(allocator):
    await stock(allocator, oslo=5)
    held = await allocator.hold(hold("h1", 3, ttl_ms=10 * MINUTE))

    extended = await allocator.extend("h1", MINUTE, op="x1")

    assert extended.deadline_ms == held.deadline_ms


async def test_the_old_deadline_of_an_extended_hold_ends_nothing(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3))
    await allocator.expire(elapsed_ms=None)
    await allocator.extend("h1", 5 * MINUTE, op="x1")
    allocator.now_ms = NOW + MINUTE

    expired = await allocator.expire(elapsed_ms=MINUTE)

    assert expired.hold_ids == []


async def test_extending_twice_under_one_op_extends_once(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3))
    first = await allocator.extend("h1", 5 * MINUTE, op="x1")
    allocator.now_ms = NOW + 30_000

    again = await allocator.extend("h1", 5 * MINUTE, op="x1")

    assert again.replayed
    assert again.deadline_ms == first.deadline_ms


async def test_an_extension_changes_no_stock(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3))

    await allocator.extend("h1", 5 * MINUTE, op="x1")

    assert await buckets(redis, "oslo") == (5, 3, 0)


async def test_a_released_holds_units_are_everybodys(allocator, redis):
    await stock(allocator, oslo=5)
    await stock(allocator, TEE, oslo=2)
    await allocator.hold(hold("h1", 3, (TEE, 2)))

    released = await allocator.release("h1")

    assert await buckets(redis, "oslo") == (5, 0, 0)
    assert [(version.sku, version.version) for version in released.versions] == [("CUP", 3), (TEE, 3)]
    assert (await allocator.find_hold("h1")).takes == []


async def test_released_units_go_back_to_the_quota_they_came_from(allocator, redis):
    await stock(allocator, oslo=10)
    await quota(allocator, "oslo", "shop", 4)
    await allocator.hold(hold("h1", 6))

    await allocator.release("h1")

    assert (await place(redis, "oslo")).quotas["shop"].consumed == 0
    assert await atp(allocator, "amazon") == 6


async def test_releasing_twice_is_one_release(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3))
    first = await allocator.release("h1")

    again = await allocator.release("h1")

    assert again.replayed
    assert again.versions == first.versions
    assert await buckets(redis, "oslo") == (5, 0, 0)


async def test_releasing_again_under_another_op_is_refused_with_the_state(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3))
    await allocator.release("h1")

    with pytest.raises(HoldEnded) as refused:
        await allocator.release("h1", op="r2")

    assert refused.value.facts == {"hold": "h1", "state": "released"}


@pytest.mark.parametrize("verb", ["extend", "release"])
async def test_a_hold_that_became_an_order_has_ended(allocator, verb):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 3))
    await allocator.order(order("1", 3, hold="h1"))

    with pytest.raises(HoldEnded) as refused:
        await (allocator.extend("h1", MINUTE, op="x1") if verb == "extend" else allocator.release("h1"))

    assert refused.value.facts == {"hold": "h1", "state": "ordered"}


async def test_a_hold_nobody_made_is_unknown(allocator):
    with pytest.raises(UnknownHold):
        await allocator.extend("h9", MINUTE, op="x1")
    with pytest.raises(UnknownHold) as refused:
        await allocator.release("h9")

    assert refused.value.facts == {"hold": "h9"}


async def test_one_op_cannot_extend_two_holds(allocator):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("h1", 1))
    await allocator.hold(hold("h2", 1))
    await allocator.extend("h1", MINUTE, op="x1")

    with pytest.raises(OpConflict):
        await allocator.extend("h2", MINUTE, op="x1")
