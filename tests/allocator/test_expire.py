"""Holds end when their time is over, and a clock that jumps ends none."""

import msgspec
import pytest

from allocator import LINES_MAX, SkuConfig, StockLine

from .fixtures import CONFIG, MINUTE, NOW, TEE, atp, buckets, hold, new_allocator, order, place, quota, stock

HOUR = 60 * MINUTE


@pytest.fixture
async def expiring(allocator):
    """An allocator whose first run of expiry is behind it."""
    await stock(allocator, oslo=10)
    await allocator.expire(elapsed_ms=None)
    return allocator


async def later(allocator, ms: int):
    """Let time pass, by the clock and by the caller's own watch."""
    allocator.now_ms += ms
    return await allocator.expire(elapsed_ms=ms)


async def test_a_hold_ends_at_its_deadline_and_not_before(expiring, redis):
    await expiring.hold(hold("h1", 3, ttl_ms=30_000))

    early = await later(expiring, 29_999)
    due = await later(expiring, 1)

    assert (early.hold_ids, due.hold_ids) == ([], ["h1"])
    assert (await expiring.find_hold("h1")).state == "expired"
    assert await buckets(redis, "oslo") == (10, 0, 0)


async def test_a_hold_ends_once(expiring):
    await expiring.hold(hold("h1", 3, ttl_ms=1_000))
    await later(expiring, 1_000)

    again = await later(expiring, 1_000)

    assert again.hold_ids == []


async def test_expired_units_go_back_to_the_quota_they_came_from(expiring, redis):
    await quota(expiring, "oslo", "shop", 4)
    await expiring.hold(hold("h1", 6, ttl_ms=1_000))

    await later(expiring, 1_000)

    assert (await place(redis, "oslo")).quotas["shop"].consumed == 0


async def test_one_run_ends_as_many_as_its_limit_and_says_there_are_more(expiring):
    for number in range(5):
        await expiring.hold(hold(f"h{number}", 1, ttl_ms=1_000 + number))
    expiring.now_ms += 2_000

    first = await expiring.expire(elapsed_ms=2_000, limit=3)
    second = await expiring.expire(elapsed_ms=0, limit=3)

    assert (first.hold_ids, first.more) == (["h0", "h1", "h2"], True)
    assert (second.hold_ids, second.more) == (["h3", "h4"], False)


async def test_two_holds_of_one_sku_end_in_one_run(expiring, redis):
    await expiring.hold(hold("h1", 3, ttl_ms=1_000))
    await expiring.hold(hold("h2", 4, ttl_ms=1_000))

    await later(expiring, 1_000)

    assert await buckets(redis, "oslo") == (10, 0, 0)


async def test_the_owner_of_an_expired_hold_may_hold_again(expiring):
    await expiring.hold(hold("h1", 3, ttl_ms=1_000, owner="ann"))
    await later(expiring, 1_000)

    held = await expiring.hold(hold("h2", 3, owner="ann"))

    assert held.replaced == ""


async def test_a_hold_that_became_an_order_does_not_expire(expiring, redis):
    await expiring.hold(hold("h1", 3, ttl_ms=1_000))
    await expiring.order(order("1", 3, hold="h1"))

    expired = await later(expiring, 2_000)

    assert expired.hold_ids == []
    assert await buckets(redis, "oslo") == (10, 0, 3)


# --- the clock


async def test_the_first_run_of_a_process_expires_nothing(expiring, redis):
    await expiring.hold(hold("h1", 3, ttl_ms=1_000))
    restarted = await new_allocator(redis)
    restarted.now_ms = NOW + HOUR

    first = await restarted.expire(elapsed_ms=None)
    second = await later(restarted, 1_000)

    assert (first.hold_ids, first.paused) == ([], False)
    assert second.hold_ids == ["h1"]


async def test_a_forward_jump_pauses_and_says_by_how_much(expiring, redis):
    await expiring.hold(hold("h1", 3))
    expiring.now_ms += HOUR

    paused = await expiring.expire(elapsed_ms=1_000)

    assert (paused.paused, paused.jump_ms, paused.hold_ids) == (True, HOUR - 1_000, [])
    assert await buckets(redis, "oslo") == (10, 3, 0)


async def test_a_jump_of_a_minute_is_still_time_that_passed(expiring):
    await expiring.hold(hold("h1", 3, ttl_ms=1_000))
    expiring.now_ms += MINUTE

    expired = await expiring.expire(elapsed_ms=0)

    assert (expired.paused, expired.hold_ids) == (False, ["h1"])


async def test_a_jump_of_more_than_a_minute_is_not(expiring):
    await expiring.hold(hold("h1", 3, ttl_ms=1_000))
    expiring.now_ms += MINUTE + 1

    assert (await expiring.expire(elapsed_ms=0)).paused


async def test_a_pause_lasts_as_long_as_the_clock_is_wrong(expiring):
    await expiring.hold(hold("h1", 3))
    expiring.now_ms += HOUR
    await expiring.expire(elapsed_ms=1_000)

    again = [await later(expiring, 1_000) for _ in range(3)]

    assert [(run.paused, run.jump_ms) for run in again] == [(True, HOUR - 1_000)] * 3


async def test_when_the_clock_is_back_expiry_resumes_by_itself(expiring):
    await expiring.hold(hold("h1", 3))
    expiring.now_ms += HOUR
    await expiring.expire(elapsed_ms=1_000)
    expiring.now_ms += 30_000 - HOUR

    resumed = await expiring.expire(elapsed_ms=30_000)
    due = await later(expiring, MINUTE)

    assert (resumed.paused, resumed.hold_ids) == (False, [])
    assert due.hold_ids == ["h1"]


async def test_an_accepted_clock_is_the_clock_from_then_on(expiring):
    await expiring.hold(hold("h1", 3))
    expiring.now_ms += HOUR
    await expiring.expire(elapsed_ms=1_000)

    accepted = await expiring.expire(elapsed_ms=1_000, accept_clock=True)
    after = await later(expiring, 1_000)

    assert (accepted.paused, accepted.hold_ids) == (False, ["h1"])
    assert not after.paused


async def test_a_backward_jump_ends_nothing_early_and_moves_no_clock_back(expiring):
    await expiring.hold(hold("h1", 3, ttl_ms=10_000))
    await later(expiring, 5_000)
    expiring.now_ms -= HOUR

    back = await expiring.expire(elapsed_ms=1_000)
    held = await expiring.hold(hold("h2", 1, ttl_ms=10_000))

    assert (back.paused, back.hold_ids) == (False, [])
    assert held.deadline_ms == NOW + 5_000 + 10_000


async def test_verbs_during_a_jump_do_not_make_the_wrong_clock_the_right_one(expiring, redis):
    await expiring.hold(hold("h1", 3))
    expiring.now_ms += HOUR

    for number in range(3):
        await expiring.order(order(str(number), 1))
        await stock(expiring, TEE, oslo=1)

    assert int(await redis.hget("{main}:seller", "clock")) < NOW + MINUTE
    assert (await expiring.expire(elapsed_ms=1_000)).paused


async def test_a_hold_made_during_a_jump_lives_its_time_by_either_clock(expiring):
    expiring.now_ms += HOUR
    await expiring.expire(elapsed_ms=1_000)
    await expiring.hold(hold("h1", 3, ttl_ms=10_000))

    accepted = await expiring.expire(elapsed_ms=1_000, accept_clock=True)
    due = await later(expiring, 10_000)

    assert (accepted.hold_ids, due.hold_ids) == ([], ["h1"])


async def test_the_clock_follows_the_verbs_while_time_passes_as_it_should(expiring, redis):
    for _ in range(5):
        expiring.now_ms += 50_000
        await stock(expiring, TEE, oslo=1)

    assert int(await redis.hget("{main}:seller", "clock")) == NOW + 250_000
    assert not (await expiring.expire(elapsed_ms=250_000)).paused


async def test_a_slow_process_is_not_a_jump(expiring):
    await expiring.hold(hold("h1", 3))

    expired = await later(expiring, HOUR)

    assert (expired.paused, expired.hold_ids) == (False, ["h1"])


async def test_without_a_given_time_the_servers_clock_counts(expiring, redis):
    real = await new_allocator(redis)
    real.now_ms = None
    await real.expire(elapsed_ms=None, accept_clock=True)

    held = await real.hold(hold("h1", 3, ttl_ms=10_000))
    expired = await real.expire(elapsed_ms=1)

    assert expired.hold_ids == []
    assert await atp(real) == 7
    seconds, micros = await redis.time()
    assert 0 <= seconds * 1_000 + micros // 1_000 + 10_000 - held.deadline_ms < 10_000


async def test_large_holds_end_in_as_many_runs_as_it_takes(allocator, redis):
    wide = [f"SKU-{number:04}" for number in range(4_500)]
    await _hold_widely(allocator, wide)
    await allocator.expire(elapsed_ms=None)
    allocator.now_ms += MINUTE

    runs = [await allocator.expire(elapsed_ms=MINUTE)]
    while runs[-1].more:
        runs.append(await allocator.expire(elapsed_ms=0))

    assert sorted(id for run in runs for id in run.hold_ids) == ["h0", "h1500", "h3000"]
    assert await atp(allocator, sku=wide[-1]) == 1


async def _hold_widely(allocator, wide: list[str]) -> None:
    """Holds of 1,500 lines, each line of a sku of its own."""
    await allocator.configure_all(msgspec.structs.replace(CONFIG, skus=[SkuConfig(sku=sku) for sku in wide]))
    for start in range(0, len(wide), 500):
        await allocator.receive([StockLine(sku, "oslo", 1) for sku in wide[start : start + 500]], op=f"wide-{start}")
    for start in range(0, len(wide), LINES_MAX):
        wanted = [(sku, 1) for sku in wide[start : start + LINES_MAX]]
        await allocator.hold(hold(f"h{start}", *wanted))
