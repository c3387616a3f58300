import asyncio
import re
import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from app.main import create_app
from app.metrics import HOLDS, ORDERS, QUICK, Metrics, registry_of, written
from app.schedule import Job, Memory, attempt, expire_holds
from tests.app.talk import atp, hold, line, new_op, order, slug

KEY = "scrape-me-please-0123"


def samples(text: str) -> dict[tuple[str, frozenset], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scrape(client: httpx.AsyncClient, **labels: str) -> dict[tuple[str, frozenset], float]:
    answer = await client.get("/metrics", **labels)
    assert answer.status_code == 200
    return samples(answer.text)


def of(found: dict, name: str, /, **labels: str) -> float:
    """One sample's value; 0 when there is none, as for a counter that has not counted."""
    return found.get((name, frozenset(labels.items())), 0.0)


def counted(metrics: Metrics) -> dict[tuple[str, frozenset], float]:
    return samples(written(registry_of(metrics), "")[0].decode())


# --- requests ------------------------------------------------------------------------------------------------------


async def test_each_request_is_counted_by_its_operation_and_status(client, stranger):
    await atp(client, "CUP")
    await atp(client, "CUP")
    await stranger.get("/v1/availability/CUP")
    await stranger.get("/nowhere")

    found = await scrape(stranger)

    assert of(found, "allot_requests_total", operation="get_availability", status="200") == 2
    assert of(found, "allot_requests_total", operation="get_availability", status="401") == 1
    assert of(found, "allot_requests_total", operation="none", status="404") == 1


async def test_the_time_of_each_request_is_in_a_histogram_of_its_operation(client, stranger):
    for _ in range(3):
        await atp(client, "CUP")

    found = await scrape(stranger)

    buckets = [
        of(found, "allot_request_duration_seconds_bucket", operation="get_availability", le=le)
        for le in (*map(str, QUICK), "+Inf")
    ]
    assert buckets == sorted(buckets)
    assert buckets[-1] == of(found, "allot_request_duration_seconds_count", operation="get_availability") == 3
    assert 0 < of(found, "allot_request_duration_seconds_sum", operation="get_availability") < 3


def test_a_time_at_a_bound_belongs_below_it_and_one_above_all_to_the_last():
    metrics = Metrics()

    metrics.observe("put_order", 201, 0.008)
    metrics.observe("put_order", 201, 7.0)

    found = counted(metrics)
    below, at, last = (
        of(found, "allot_request_duration_seconds_bucket", operation="put_order", le=le)
        for le in ("0.005", "0.008", "+Inf")
    )
    assert (below, at, last) == (0, 1, 2)
    assert of(found, "allot_request_duration_seconds_sum", operation="put_order") == pytest.approx(7.008)


def test_counting_a_request_costs_less_than_three_microseconds():
    metrics = Metrics()

    def best_of(times: int) -> float:
        started = time.perf_counter()
        for _ in range(times):
            metrics.observe("put_order", 201, 0.004)
        return (time.perf_counter() - started) / times

    assert min(best_of(2_000) for _ in range(10)) < 3e-6


async def test_what_callers_make_up_makes_no_new_series(client, stranger):
    await make_things_up(client, 0)
    before = await scrape(stranger)
    for number in range(1, 21):
        await make_things_up(client, number)

    after = await scrape(stranger)

    new = {name for name, labels in after.keys() - before.keys() if dict(labels).get("operation") != "read_metrics"}
    assert not any(name.startswith(("allot_requests", "allot_request_", "allot_orders", "allot_holds")) for name in new)
    assert not re.search("bazaar|SAUCER|made", str(after.keys()))


async def make_things_up(client: httpx.AsyncClient, number: int) -> None:
    await order(client, f"bazaar-{number}/1", line("CUP", 1))
    await hold(client, f"cart-{number}", line("CUP", 1), channel=f"bazaar-{number}")
    await client.get(f"/made/up/{number}")
    await client.get(f"/v1/availability/SAUCER-{number}", params={"channel": "shop"})


# --- orders and holds ----------------------------------------------------------------------------------------------


async def test_orders_are_counted_by_channel_and_outcome(client, stranger):
    await order(client, "shop/1", line("CUP", 2))
    await order(client, "shop/1", line("CUP", 2))
    await order(client, "shop/2", line("CUP", 99))
    await order(client, "shop/3", line("CUP", 12))
    await order(client, "amazon/1", line("PLATE", 9))

    found = await scrape(stranger)

    outcomes = {
        (dict(labels)["channel"], dict(labels)["outcome"]): value
        for (name, labels), value in found.items()
        if name == "allot_orders_total"
    }
    assert outcomes == {
        ("shop", "accepted"): 1,
        ("shop", "replayed"): 1,
        ("shop", "short"): 1,
        ("shop", "unroutable"): 1,
        ("amazon", "accepted"): 1,
    }


async def test_units_of_orders_are_counted_by_their_fate_and_once(client, stranger):
    for _ in range(2):
        await order(client, "amazon/1", line("PLATE", 9))
        await order(client, "till/1", line("CUP", 3))

    found = await scrape(stranger)

    def units(channel: str, fate: str) -> float:
        return of(found, "allot_order_units_total", seller="main", channel=channel, fate=fate)

    assert (units("amazon", "committed"), units("amazon", "backordered")) == (4, 5)
    assert (units("till", "shipped"), units("till", "committed")) == (3, 0)


async def test_holds_are_counted_by_channel_and_outcome(client, stranger):
    await hold(client, "cart-1", line("CUP", 2))
    await hold(client, "cart-1", line("CUP", 2))
    await hold(client, "cart-2", line("CUP", 99))
    await hold(client, "cart-3", line("SAUCER", 1))

    found = await scrape(stranger)

    def holds(outcome: str) -> float:
        return of(found, "allot_holds_total", seller="main", channel="shop", outcome=outcome)

    assert [holds(outcome) for outcome in ("accepted", "replayed", "short", "unknown-sku")] == [1, 1, 1, 1]


def test_a_request_that_was_no_demand_counts_as_none():
    metrics = Metrics()

    metrics.observe("get_order", 200, 0.001)

    assert not any(name in {ORDERS.name, HOLDS.name} for name, _ in counted(metrics))


async def test_returned_units_are_counted_by_where_they_go_and_once(client, stranger):
    await order(client, "till/1", line("CUP", 3))
    op = new_op()
    kept = {"line": "1", "location": "oslo", "units": 2, "disposition": "restock"}
    broken = {"line": "1", "location": "oslo", "units": 1, "disposition": "scrap"}
    for _ in range(2):
        await client.post("/v1/orders/till/1/return", json={"lines": [kept, broken]}, headers=op)
    found = {"sku": "CUP", "location": "rome", "units": 4, "disposition": "quarantine"}
    await client.post("/v1/stock/return", json={"lines": [found]}, headers=new_op())

    after = await scrape(stranger)

    units = {
        disposition: of(after, "allot_returned_units_total", seller="main", disposition=disposition)
        for disposition in ("restock", "scrap", "quarantine")
    }
    assert units == {"restock": 2, "scrap": 1, "quarantine": 4}


# --- scripts, batches, jobs ----------------------------------------------------------------------------------------


async def test_every_call_of_a_script_is_in_its_histogram_and_calls_share_batches(client, stranger):
    before = await scrape(stranger)

    await asyncio.gather(*(order(client, f"shop/{number}", line("CUP", 1)) for number in range(9)))

    after = await scrape(stranger)
    calls = of(after, "allot_script_duration_seconds_count", verb="order")
    batches = of(after, "allot_batches_total") - of(before, "allot_batches_total")
    assert calls == 9
    assert 0 < batches < 9 + 5


async def test_runs_of_jobs_are_counted_whether_they_work_or_fail(app, state, stranger):
    async def tidy_up(state, memory):
        """A job that works."""

    async def burn_down(state, memory):
        raise RuntimeError("no")

    for job in (tidy_up, tidy_up, burn_down):
        await attempt(Job(job, 1), state, Memory())

    found = await scrape(stranger)

    runs = [
        of(found, "allot_job_runs_total", name=name, outcome=outcome)
        for name in ("tidy_up", "burn_down")
        for outcome in ("done", "failed")
    ]
    assert runs == [2, 0, 0, 1]
    assert of(found, "allot_job_duration_seconds_count", name="tidy_up") == 2


async def test_a_counter_of_failures_is_there_before_the_first_one(state, stranger):
    """Prometheus sees no rise in a counter that appears as 1."""

    async def tidy_up(state, memory):
        """A job that works."""

    await attempt(Job(tidy_up, 1), state, Memory())

    found = await scrape(stranger)
    assert ("allot_job_runs_total", frozenset({("name", "tidy_up"), ("outcome", "failed")})) in found


# --- the page ------------------------------------------------------------------------------------------------------


async def test_says_what_is_up_and_which_version_this_is(stranger, redis_of_service):
    up = await scrape(stranger)
    await redis_of_service.flushall()
    down = await scrape(stranger)

    assert (of(up, "allot_store_up"), of(up, "allot_database_up"), of(up, "allot_ready")) == (1, 1, 1)
    assert (of(down, "allot_store_up"), of(down, "allot_database_up"), of(down, "allot_ready")) == (0, 1, 0)
    assert of(up, "allot_build_info", version="0.1.0") == 1
    assert of(up, "process_resident_memory_bytes") > 1_000_000


async def test_a_paused_clock_is_in_the_metrics(state, allocator, stranger):
    memory = Memory()
    await expire_holds(state, memory)
    calm = await scrape(stranger)
    allocator.now_ms = 4_000_000_000_000
    await expire_holds(state, memory)
    paused = await scrape(stranger)

    assert of(calm, "allot_clock_jump_ms", seller="main") == 0
    assert of(paused, "allot_clock_jump_ms", seller="main") > 60_000


async def test_speaks_openmetrics_to_those_who_ask_for_it(stranger):
    plain = await stranger.get("/metrics")
    modern = await stranger.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})

    assert plain.headers["content-type"].startswith("text/plain")
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.text.endswith("# EOF\n")


async def test_with_a_key_of_its_own_only_those_who_have_it_may_read(settings):
    locked = settings.model_copy(update={"metrics_key": SecretStr(KEY)})
    app = create_app(locked)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://allot")
    async with app.router.lifespan_context(app), client as stranger:
        without = await stranger.get("/metrics")
        wrong = await stranger.get("/metrics", headers={"Authorization": "Bearer scrape-me-please-0124"})
        strange = await stranger.get("/metrics", headers={"Authorization": "Bearer \u00fc".encode("latin-1")})
        good = await stranger.get("/metrics", headers={"Authorization": f"Bearer {KEY}"})

    assert (without.status_code, slug(without)) == (401, "no-key")
    assert (wrong.status_code, strange.status_code, good.status_code) == (401, 401, 200)
    assert KEY not in wrong.text


async def test_a_page_without_a_key_tells_no_sku_and_no_order(client, stranger):
    await order(client, "shop/secret-order", line("CUP", 1))

    text = (await stranger.get("/metrics")).text

    assert not re.search(r"CUP|secret-order", text)
