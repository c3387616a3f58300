import asyncio
import time

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from allocator import HoldRequest, Line, OrderRequest, ShipLine, errors
from app import metrics as m
from app import survey as surveys
from app.audit import By
from app.counts import taking
from app.counts.forms import SnapshotAsked
from app.draining.drain import Drain
from app.metrics import registry_of, written
from app.opening import open_service
from app.schedule import JOBS, Job, Memory, attempt, look_at_stores, survey, watch_ledgers
from app.store.counts import change_count
from app.survey import ROUND_S_MIN, Survey
from app.watching import LedgerWatch

DAY_MS = 86_400_000


@pytest.fixture
async def state(settings):
    """The service's state without a schedule: these tests run its jobs themselves."""
    async with open_service(settings.model_copy(update={"low_stock": 1})) as state:
        yield state


@pytest.fixture
def allocator(state):
    return state.allocators["main"]


def gauges(state) -> dict[str, float]:
    """Every gauge and counter of the seller by its name, and a source behind a slash."""
    text = written(registry_of(state.metrics), "")[0].decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        "/".join([sample.name, *([sample.labels["source"]] if "source" in sample.labels else [])]): sample.value
        for sample in samples
        if sample.labels.get("seller") == "main"
    }


async def a_round(state, walk: Survey) -> None:
    """Survey everything once."""
    await walk.run(state, steps=50, pause_s=0)


async def order(allocator, id: str, sku: str, units: int, channel: str = "shop", **more) -> None:
    await allocator.order(OrderRequest(channel=channel, external_id=id, lines=[Line("1", sku, units)], **more))


async def test_a_round_says_what_lies_there_and_what_is_promised(state, allocator):
    await order(allocator, "1", "CUP", 4)
    await order(allocator, "2", "PLATE", 6, "amazon")
    await allocator.hold(HoldRequest(hold_id="cart", channel="shop", lines=[Line("1", "CUP", 2)], ttl_ms=60_000))

    await a_round(state, Survey())

    found = gauges(state)
    assert (found["allot_skus"], found["allot_skus_low"], found["allot_skus_sold_out"]) == (3, 2, 1)
    assert (found["allot_on_hand_units"], found["allot_held_units"], found["allot_committed_units"]) == (20, 2, 8)
    assert (found["allot_backordered_units"], found["allot_oversold_units"], found["allot_open_orders"]) == (2, 0, 2)
    assert found["allot_unreadable_records"] == 0


async def test_units_taken_from_the_reserve_are_told_apart(state, allocator):
    await order(allocator, "1", "PLATE", 4, "amazon")

    await a_round(state, Survey())

    found = gauges(state)
    parts = {
        name.partition("/")[2]: units for name, units in found.items() if name.startswith("allot_open_order_units")
    }
    # Of 4 plates 1 is the shop's and 2 are kept back from amazon: its firm order opens both.
    assert parts == {"shared": 1, "buffer": 2, "borrowed": 1}


async def test_an_order_that_waits_for_more_than_a_day_is_late(state, allocator, monkeypatch):
    await order(allocator, "old", "CUP", 1)
    placed = (await allocator.find_order("shop", "old")).placed_ms
    late = []

    for now in (placed + DAY_MS, placed + DAY_MS + 1):
        monkeypatch.setattr(surveys, "now_ms", lambda now=now: now)
        await a_round(state, Survey())
        late.append(gauges(state)["allot_unshipped_24h_orders"])

    assert late == [0, 1]


async def test_a_deficit_and_what_no_deficit_explains_are_told_apart(state, allocator, redis_of_service):
    await order(allocator, "1", "A/4", 1)
    await order(allocator, "2", "A/4", 2, "till")
    recorded = Survey()
    await a_round(state, recorded)
    before = gauges(state)
    packed = msgspec.msgpack.encode([99, 0, "oslo", 1, 0, 3, 0])
    await redis_of_service.hset("{main}:stock", "CUP", packed)

    await a_round(state, Survey())

    after = gauges(state)
    assert (before["allot_deficit_units"], before["allot_oversold_units"]) == (2, 0)
    assert (after["allot_deficit_units"], after["allot_oversold_units"]) == (2, 2)


async def test_a_small_shop_is_not_counted_over_and_over(state, allocator, monkeypatch):
    walk = Survey()
    await a_round(state, walk)
    await order(allocator, "1", "CUP", 1)

    await a_round(state, walk)
    rested = gauges(state)["allot_open_orders"]
    later = time.monotonic() + ROUND_S_MIN
    monkeypatch.setattr(surveys.time, "monotonic", lambda: later)
    await a_round(state, walk)

    assert (rested, gauges(state)["allot_open_orders"]) == (0, 1)


async def test_a_round_is_published_when_it_ends_and_not_before(state, redis_of_service, monkeypatch):
    monkeypatch.setattr(surveys, "CHUNK", 100)
    packed = msgspec.msgpack.encode([1, 0, "oslo", 1, 0, 0, 0])
    await redis_of_service.hset("{main}:stock", mapping={f"SKU-{number}": packed for number in range(2_000)})
    walk = Survey()

    await walk.run(state, steps=3, pause_s=0)
    halfway = gauges(state)
    await walk.run(state, steps=100, pause_s=0)

    assert "allot_skus" not in halfway
    assert gauges(state)["allot_skus"] == 2_003


async def test_while_many_requests_come_a_run_is_one_step(state, redis_of_service, monkeypatch):
    monkeypatch.setattr(surveys, "CHUNK", 100)
    packed = msgspec.msgpack.encode([1, 0, "oslo", 1, 0, 0, 0])
    await redis_of_service.hset("{main}:stock", mapping={f"SKU-{number}": packed for number in range(2_000)})
    walk, steps = Survey(), []
    count = surveys.census.count_stock

    async def noted(*arguments, **more):
        steps.append(1)
        return await count(*arguments, **more)

    monkeypatch.setattr(surveys.census, "count_stock", noted)
    for _ in range(5_000):
        state.metrics.observe("put_order", 201, 0.001)

    await walk.run(state, steps=5, pause_s=0)
    busy = len(steps)
    await walk.run(state, steps=5, pause_s=0)

    assert (busy, len(steps)) == (1, 6)


async def test_nothing_is_said_about_a_store_of_another_data_set(state, redis_of_service):
    walk = Survey()
    await a_round(state, walk)
    await walk.look(state)
    before = gauges(state)

    await redis_of_service.hset("{main}:seller", "epoch", "someone-1")
    await walk.look(state)
    await a_round(state, Survey())

    assert before["allot_skus"] == 3
    assert set(gauges(state)) <= {"allot_shipped_units_total", "allot_clock_jump_ms"}


async def test_what_the_store_counts_itself_is_read_without_a_walk(state, allocator, redis_of_service):
    await order(allocator, "1", "PLATE", 9, "amazon")
    await allocator.hold(HoldRequest(hold_id="cart", channel="shop", lines=[Line("1", "CUP", 2)], ttl_ms=60_000))

    await Survey().look(state)

    found = gauges(state)
    assert found["allot_config_version"] == allocator.version
    assert found["allot_ledger_entries"] == await redis_of_service.xlen("{main}:ledger")
    assert (found["allot_open_holds"], found["allot_backordered_lines"]) == (1, 1)


async def test_shipped_units_are_counted_from_the_first_look_on_and_once(state, allocator):
    await order(allocator, "before", "CUP", 1)
    await allocator.ship("shop", "before", op="s0")
    walk = Survey()
    await walk.look(state)
    await order(allocator, "1", "CUP", 5)
    await allocator.ship("shop", "1", [ShipLine("1", "oslo", 2)], op="s1")
    await order(allocator, "2", "CUP", 1, "till")

    await walk.look(state)
    await walk.look(state)

    assert gauges(state)["allot_shipped_units_total"] == 2 + 1


async def test_a_long_ledger_is_read_in_parts_and_none_is_left_out(state, allocator, monkeypatch):
    monkeypatch.setattr(surveys, "LEDGER_CHUNK", 2)
    monkeypatch.setattr(surveys, "LEDGER_CHUNKS", 2)
    walk = Survey()
    await walk.look(state)
    for number in range(7):
        await order(allocator, f"t{number}", "CUP", 1, "till")

    counted = []
    for _ in range(3):
        await walk.look(state)
        counted.append(gauges(state)["allot_shipped_units_total"])

    assert counted == [4, 7, 7]


async def test_a_store_that_is_away_is_a_job_that_failed_and_the_round_goes_on_later(state, monkeypatch):
    memory = Memory()

    async def away(*_, **__):
        raise ConnectionResetError

    with monkeypatch.context() as broken:
        broken.setattr(surveys.census, "count_stock", away)
        with pytest.raises(errors.Unanswered):
            await memory.survey.run(state, pause_s=0)
    await attempt(Job(survey, 1), state, memory)

    assert gauges(state)["allot_skus"] == 3
    assert memory.failures == {}


def test_the_schedule_walks_and_looks():
    assert {job.run for job in JOBS} >= {survey, look_at_stores, watch_ledgers}


def test_every_gauge_about_a_seller_is_forgotten_with_his_store():
    about_sellers = {family for family in m.GAUGES if "seller" in family.labels}

    assert about_sellers - {m.CLOCK_JUMP} == set(m.SURVEYED)


async def test_the_age_of_what_is_not_in_sql_yet_is_told(state, allocator):
    await order(allocator, "late", "CUP", 1)
    await asyncio.sleep(0.02)
    await LedgerWatch().run(state)
    behind = gauges(state)["allot_undrained_age_seconds"]

    await Drain(state.database, state.pipe.client).run()
    await LedgerWatch().run(state)

    assert behind > 0.01
    assert gauges(state)["allot_undrained_age_seconds"] == 0


async def test_what_waits_for_people_is_told_with_how_long_the_oldest_waits(state, allocator):
    await order(allocator, "1", "CUP", 1)
    take = (await allocator.find_order("shop", "1")).lines[0].takes[0]
    await allocator.reject("shop", "1", take.location, op="r1", reason="mismatch")
    await Drain(state.database, state.pipe.client).run()
    async with state.database.writing() as session:
        by = By("main", "key:erp")
        await taking.begin(session, by, "night", SnapshotAsked(source="erp"))
        await change_count(session, "main", "night", state="parked")
    await asyncio.sleep(0.02)

    await Survey().look(state)

    found = gauges(state)
    assert (found["allot_open_recounts"], found["allot_parked_counts"]) == (1, 1)
    assert min(found["allot_oldest_recount_seconds"], found["allot_oldest_parked_count_seconds"]) > 0.01
