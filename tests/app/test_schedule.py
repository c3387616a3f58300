import asyncio
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from allocator import HoldRequest, Line, OrderRequest, StockLine
from app.opening import make_first_key, now_ms, open_service
from app.schedule import (
    JOBS,
    Job,
    Memory,
    attempt,
    expire_holds,
    keep_pace,
    refresh_keys,
    running,
    serve_backorders,
    sweep_backorders,
)
from app.store.keys import revoke_key

T = 4_000_000_000_000


@pytest.fixture
async def state(settings):
    """The service's state without a schedule: these tests run its jobs themselves."""
    async with open_service(settings) as state:
        yield state


@pytest.fixture
def allocator(state):
    allocator = state.allocators["main"]
    allocator.now_ms = T
    return allocator


@pytest.fixture
def memory():
    return Memory()


async def hold(allocator, id: str, units: int = 1, ttl_ms: int = 1_000) -> None:
    await allocator.hold(HoldRequest(hold_id=id, channel="shop", lines=[Line("1", "CUP", units)], ttl_ms=ttl_ms))


async def atp(allocator, sku: str = "CUP", channel: str = "shop") -> int:
    [level] = await allocator.availability([sku], [channel])
    return level.atp_now


def events(logs: list[dict], *names: str) -> list[str]:
    return [log["event"] for log in logs if log["event"] in names]


async def test_a_hold_ends_when_its_time_is_over_and_not_before(state, allocator, memory):
    await hold(allocator, "cart-1", 4)
    await expire_holds(state, memory)
    before = await atp(allocator)

    allocator.now_ms = T + 1_000
    await expire_holds(state, memory)

    assert (before, await atp(allocator)) == (11, 15)
    assert (await allocator.find_hold("cart-1")).state == "expired"


async def test_one_run_ends_more_holds_than_one_script_does(state, allocator, memory):
    await allocator.receive([StockLine("CUP", "oslo", 200)], op="truck")
    for number in range(150):
        await hold(allocator, f"cart-{number}")
    await expire_holds(state, memory)

    allocator.now_ms = T + 1_000
    await expire_holds(state, memory)

    assert await atp(allocator) == 215


async def test_a_clock_that_jumps_ends_no_hold_and_raises_one_alarm(state, allocator, memory):
    await hold(allocator, "cart-1", 4)
    await expire_holds(state, memory)

    allocator.now_ms = T + 3_600_000
    with capture_logs() as logs:
        await expire_holds(state, memory)
        await expire_holds(state, memory)

    assert events(logs, "clock_paused", "clock_goes_on") == ["clock_paused"]
    assert logs[0]["log_level"] == "error"
    assert state.clock_jumps_ms["main"] > 3_590_000
    assert (await allocator.find_hold("cart-1")).state == "open"


async def test_a_clock_that_comes_back_is_trusted_again(state, allocator, memory):
    await hold(allocator, "cart-1", 4, ttl_ms=500)
    await expire_holds(state, memory)
    allocator.now_ms = T + 3_600_000
    await expire_holds(state, memory)

    allocator.now_ms = T + 1_000
    with capture_logs() as logs:
        await expire_holds(state, memory)

    assert events(logs, "clock_paused", "clock_goes_on") == ["clock_goes_on"]
    assert state.clock_jumps_ms == {}
    assert (await allocator.find_hold("cart-1")).state == "expired"


async def test_the_time_that_passed_is_measured_and_not_read_from_the_clock(state, allocator, memory):
    await hold(allocator, "cart-1", 4)
    await expire_holds(state, memory)
    memory.expired_at["main"] -= 7_200

    allocator.now_ms = T + 7_200_000
    await expire_holds(state, memory)

    assert (await allocator.find_hold("cart-1")).state == "expired"


async def backorder(allocator, units: int) -> OrderRequest:
    request = OrderRequest(channel="amazon", external_id="1", lines=[Line("1", "A/4", units)])
    await allocator.order(request)
    return request


async def test_units_that_arrive_go_to_the_orders_that_wait(state, allocator, memory):
    await backorder(allocator, 4)
    await allocator.receive([StockLine("A/4", "rome", 2)], op="truck")

    await serve_backorders(state, memory)

    [line] = (await allocator.find_order("amazon", "1")).lines
    assert (line.committed, line.backordered) == (3, 1)


async def test_units_that_rules_set_free_go_to_the_orders_that_wait(state, allocator, memory):
    await backorder(allocator, 4)
    await allocator.receive([StockLine("A/4", "rome", 3)], op="truck")

    await sweep_backorders(state, memory)

    [line] = (await allocator.find_order("amazon", "1")).lines
    assert (line.committed, line.backordered) == (4, 0)


async def test_a_revoked_key_is_forgotten(state, memory):
    header = f"Bearer {await make_first_key(state, None)}".encode()
    key = await state.keys.verify(header)
    async with state.database.writing() as session:
        await revoke_key(session, key.facts.id, seller="main", now_ms=now_ms())

    await refresh_keys(state, memory)

    assert state.keys.recall(header) is None


async def test_a_job_that_fails_says_so_once_and_once_that_it_works_again(state, memory, redis_of_service):
    job = Job(serve_backorders, 1)
    epoch = state.allocators["main"].epoch
    await redis_of_service.hset("{main}:seller", "epoch", "someone")

    with capture_logs() as logs:
        await attempt(job, state, memory)
        await attempt(job, state, memory)
        await redis_of_service.hset("{main}:seller", "epoch", epoch)
        await attempt(job, state, memory)
        await attempt(job, state, memory)

    assert events(logs, "job_failed", "job_recovered") == ["job_failed", "job_recovered"]
    assert logs[0]["job"] == "serve_backorders"


async def test_a_job_with_a_bug_goes_on_and_so_do_the_others(state):
    runs: Counter[str] = Counter()

    async def buggy(state, memory) -> None:
        runs["buggy"] += 1
        raise ZeroDivisionError

    async def sound(state, memory) -> None:
        runs["sound"] += 1

    with capture_logs() as logs:
        async with running(state, (Job(buggy, 1), Job(sound, 1))):
            await asyncio.sleep(1.3)

    assert runs["buggy"] >= 2
    assert runs["sound"] >= 2
    assert events(logs, "job_failed") == ["job_failed"]


async def test_a_job_never_runs_beside_itself(state):
    at_once, most = 0, 0

    async def slow(state, memory) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(1.2)
        at_once -= 1

    async with running(state, (Job(slow, 1),)):
        await asyncio.sleep(2.5)

    assert (most, at_once) == (1, 0)


async def test_what_has_begun_is_finished_before_the_service_ends(state):
    done = []

    async def slow(state, memory) -> None:
        await asyncio.sleep(0.3)
        done.append(True)

    async with running(state, (Job(slow, 1),)):
        await asyncio.sleep(0.1)

    assert done == [True]


async def test_a_clock_that_is_set_back_does_not_put_the_jobs_off(state):
    runs = []

    async def tick(state, memory) -> None:
        runs.append(time.monotonic())

    async with running(state, (Job(tick, 1),)) as scheduler:
        await asyncio.sleep(0.1)
        scheduler.get_job("tick").modify(next_run_time=datetime.now(UTC) + timedelta(hours=1))

        keep_pace(scheduler)
        await asyncio.sleep(0.2)

    assert len(runs) == 2


def test_the_table_has_every_job_and_how_often_it_runs():
    assert {job.run.__name__: job.seconds for job in JOBS} == {
        "expire_holds": 1,
        "serve_backorders": 1,
        "sweep_backorders": 60,
        "rescue_orders": 1,
        "keep_config": 1,
        "work_counts": 1,
        "refresh_keys": 2,
        "open_new_sellers": 2,
        "write_audit": 2,
        "write_key_use": 60,
        "survey": 1,
        "forget_exchanges": 3_600,
        "look_at_stores": 5,
        "hear_scheduler": 2,
        "watch_levels": 5,
        "watch_ledgers": 2,
        "read_reject_rates": 60,
        "forget_news": 3_600,
    }
