"""Holds end when their time is over, and a clock that jumps ends none."""

import msgspec
import pytest

from allocator import LINES_MAX, SkuConfig, StockLine
from allocator.gate import Gate

from .fixtures import (
    CONFIG,
    CUP,
    EPOCH,
    MINUTE,
    MUG,
    NOW,
    TEE,
    atp,
    buckets,
    hold,
    new_allocator,
    order,
    place,
    quota,
    stock,
)

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


async def test_a_restart_of_the_service_does_not_end_a_pause(expiring, redis):
    await expiring.hold(hold("h1", 3))
    expiring.now_ms += HOUR
    await expiring.expire(elapsed_ms=1_000)
    restarted = await new_allocator(redis)
    restarted.now_ms = expiring.now_ms

    again = await restarted.expire(elapsed_ms=None)

    assert (again.paused, again.jump_ms, again.hold_ids) == (True, HOUR - 1_000, [])
    assert await redis.hget("{main}:seller", "paused") == str(HOUR - 1_000).encode()


async def test_verbs_that_follow_a_wrong_clock_step_by_step_do_not_end_a_pause(expiring):
    expiring.now_ms += 2 * MINUTE
    await expiring.expire(elapsed_ms=0)
    for back in (MINUTE, 0):
        expiring.now_ms = NOW + 2 * MINUTE - back
        await stock(expiring, TEE, oslo=1)

    assert (await expiring.expire(elapsed_ms=1_000)).jump_ms == 2 * MINUTE - 1_000


async def test_time_that_verbs_have_followed_is_no_jump(expiring):
    for _ in range(5):
        expiring.now_ms += 50_000
        await stock(expiring, TEE, oslo=1)

    assert not (await expiring.expire(elapsed_ms=0)).paused


async def test_an_accepted_clock_ends_holds_at_the_first_run_of_a_service(expiring, redis):
    await expiring.hold(hold("h1", 3))
    restarted = await new_allocator(redis)
    restarted.now_ms = NOW + HOUR

    accepted = await restarted.expire(elapsed_ms=None, accept_clock=True)

    assert (accepted.paused, accepted.hold_ids) == (False, ["h1"])


async def test_when_the_clock_is_back_expiry_resumes_by_itself(expiring, redis):
    await expiring.hold(hold("h1", 3))
    expiring.now_ms += HOUR
    await expiring.expire(elapsed_ms=1_000)
    expiring.now_ms += 30_000 - HOUR

    resumed = await expiring.expire(elapsed_ms=30_000)
    due = await later(expiring, MINUTE)

    assert (resumed.paused, resumed.hold_ids) == (False, [])
    assert await redis.hget("{main}:seller", "paused") is None
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


async def test_the_clock_follows_a_verb_by_a_minute_and_no_further(expiring, redis):
    expiring.now_ms += MINUTE
    await stock(expiring, TEE, oslo=1)
    expiring.now_ms += MINUTE + 1
    await stock(expiring, TEE, oslo=1)

    assert int(await redis.hget("{main}:seller", "clock")) == NOW + MINUTE


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
    wide = [f"SKU-{number:04}" for number in range(LINES_MAX + 1)]
    await _hold_widely(allocator, a=wide[:1_000], b=wide[1_000:LINES_MAX], c=wide[LINES_MAX:])
    await allocator.expire(elapsed_ms=None)
    allocator.now_ms += MINUTE

    runs = [await allocator.expire(elapsed_ms=elapsed) for elapsed in (MINUTE, 0)]

    # one run touches as many skus as one hold may have lines
    assert [(run.hold_ids, run.more) for run in runs] == [(["a", "b"], True), (["c"], False)]
    assert await atp(allocator, sku=wide[-1]) == 2


async def test_large_holds_end_in_as_many_runs_as_it_takes_beside_one_that_stays(allocator, redis):
    wide = [f"SKU-{number:04}" for number in range(LINES_MAX + 1)]
    await _hold_widely(allocator, a=wide[:1], b=wide[1:1_000], c=wide[1_000:] + wide[1:3])
    await Gate(redis, "main", EPOCH).freeze(wide[0], "evidence")
    await allocator.expire(elapsed_ms=None)
    allocator.now_ms += MINUTE

    runs = [await allocator.expire(elapsed_ms=elapsed) for elapsed in (MINUTE, 0)]

    assert [(run.hold_ids, run.more) for run in runs] == [(["b"], True), (["c"], False)]


async def test_holds_of_a_frozen_sku_stay_and_keep_none_behind_them_from_ending(expiring, redis):
    await stock(expiring, MUG, oslo=9)
    for number in range(3):
        await expiring.hold(hold(f"cup-{number}", 1, ttl_ms=1_000))
    for number in range(3):
        await expiring.hold(hold(f"mug-{number}", (MUG, 1), ttl_ms=2_000))
    await Gate(redis, "main", EPOCH).freeze(CUP, "evidence")
    expiring.now_ms += MINUTE

    runs = [await expiring.expire(elapsed_ms=elapsed, limit=2) for elapsed in (MINUTE, 0, 0)]

    assert [(run.hold_ids, run.more) for run in runs] == [(["mug-0", "mug-1"], True), (["mug-2"], False), ([], False)]
    assert await buckets(redis, "oslo") == (10, 3, 0)


async def _hold_widely(allocator, **holds: list[str]) -> None:
    """Holds by id, of a line for each of these skus; there are two units of each."""
    wide = sorted({sku for skus in holds.values() for sku in skus})
    await allocator.configure_all(msgspec.structs.replace(CONFIG, skus=[SkuConfig(sku=sku) for sku in wide]))
    for start in range(0, len(wide), 500):
        await allocator.receive([StockLine(sku, "oslo", 2) for sku in wide[start : start + 500]], op=f"wide-{start}")
    for id, skus in holds.items():
        await allocator.hold(hold(id, *((sku, 1) for sku in skus)))


async def test_a_first_run_ends_nothing_whatever_it_says_has_passed(allocator):
    await stock(allocator, oslo=10)
    await allocator.hold(hold("h1", 1))
    allocator.now_ms += MINUTE

    expired = await allocator.expire(elapsed_ms=MINUTE)

    assert expired.hold_ids == []
