import asyncio
import signal

import pytest
import uvicorn

from app import serving
from app.draining.drain import READER
from app.opening import open_service
from app.readiness import readiness
from app.schedule import Job, Memory, attempt, expire_holds
from app.store.cursors import begin_at, note_failure, take_lease
from app.times import now_ms
from tests.app.away import sql_away
from tests.app.talk import hold, line


async def ready(stranger, query: str = "") -> tuple[int, dict]:
    answer = await stranger.get(f"/readyz{query}")
    return answer.status_code, answer.json()


async def test_a_process_that_answers_is_alive(stranger):
    answer = await stranger.get("/livez")

    assert (answer.status_code, answer.json()) == (200, {"alive": True})


async def test_is_ready_when_every_part_says_so(stranger):
    for _ in range(10):
        status, said = await ready(stranger)
        if status == 200:
            # A machine that stood still a second ago makes SQL answer too late.
            break

    names = ("store", "database", "migrations", "config", "clock", "jobs", "gate", "drain")
    parts = {name: said.pop(name) for name in names}
    assert status == 200
    assert set(parts.values()) == {"ok"}
    assert said == {"ready": True, "draining": False, "sellers": []}


async def test_a_flushed_store_is_not_ready_and_says_so(stranger, redis_of_service):
    await redis_of_service.flushall()

    status, said = await ready(stranger)

    assert (status, said["ready"]) == (503, False)
    assert "It says it is nobody" in said["store"]


async def test_the_store_of_somebody_else_is_not_ready_and_is_named(stranger, redis_of_service):
    await redis_of_service.hset("{main}:seller", "epoch", "someone-1")

    status, said = await ready(stranger)

    assert (status, said["ready"]) == (503, False)
    assert "someone-1" in said["store"]


async def test_a_store_that_hangs_is_told_after_a_second(stranger, allocator, monkeypatch):
    async def hang():
        await asyncio.sleep(60)

    monkeypatch.setattr(allocator, "reload", hang)

    status, said = await asyncio.wait_for(ready(stranger), 5)

    assert (status, said["store"]) == (503, "does not answer: TimeoutError")


# aiosqlite leaves connections that could not be opened to the collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_without_the_database_orders_go_on_and_the_page_says_what_is_wrong(settings):
    async with open_service(settings) as state, sql_away(state):
        said = await readiness(state, draining=False)

    assert said.ready
    assert said.database.startswith("does not answer")
    assert said.migrations == said.database
    assert said.config == "cannot be compared"


async def test_a_database_that_another_version_migrated_is_told(stranger, state):
    async with state.database.writing() as session:
        await (await session.connection()).exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    status, said = await ready(stranger)

    assert (status, said["database"]) == (200, "ok")
    assert said["migrations"].startswith("the database is at 9999, this version of the service at 0")


async def test_another_config_in_force_than_the_database_remembers_is_told(stranger, redis_of_service):
    await redis_of_service.hset("{main}:seller", "config", "77")

    status, said = await ready(stranger)

    assert status == 200
    assert said["config"].startswith("main: version 77 in force, ")


async def test_a_clock_that_jumped_is_shown_until_somebody_accepts_it(stranger, client, state, allocator):
    memory = Memory()
    await hold(client, "cart-1", line("CUP", 1))
    await expire_holds(state, memory)
    allocator.now_ms = 4_000_000_000_000
    await expire_holds(state, memory)

    status, shown = await ready(stranger)
    accepted = await client.post("/v1/clock/accept")
    _, after = await ready(stranger)

    assert (status, shown["clock"][:6]) == (200, "paused")
    assert (accepted.status_code, accepted.json()["hold_ids"], accepted.json()["paused"]) == (200, ["cart-1"], False)
    assert after["clock"] == "ok"


async def test_a_job_that_fails_is_shown_until_it_works_again(stranger, state):
    memory, fails = Memory(), [True]

    async def water_the_plants(state, memory):
        if fails:
            raise RuntimeError("no water")

    job = Job(water_the_plants, 1)
    await attempt(job, state, memory)
    status, shown = await ready(stranger)
    fails.clear()
    await attempt(job, state, memory)
    _, after = await ready(stranger)

    assert (status, shown["jobs"]) == (200, "failing: water_the_plants: RuntimeError: no water")
    assert after["jobs"] == "ok"


async def test_a_drain_that_cannot_go_on_is_told_with_what_keeps_it_since_when(stranger, state):
    async with state.database.writing() as session:
        await begin_at(session, "main", READER, "5-0")
        await take_lease(session, "main", READER, owner="worker", now_ms=now_ms(), until_ms=now_ms() + 60_000)
        await note_failure(session, "main", READER, owner="worker", failing="Gap: gone", now_ms=7)

    status, said = await ready(stranger, "?verbose")

    [seller] = said["sellers"]
    assert (status, said["ready"], said["drain"]) == (200, True, "main: Gap: gone")
    assert (seller["drained"], seller["drain_failing"], seller["drain_failing_since_ms"]) == ("5-0", "Gap: gone", 7)


@pytest.mark.parametrize("query", ["?verbose", "?verbose=1", "?verbose=true"])
async def test_more_is_said_to_those_who_ask_for_it(stranger, allocator, query):
    _, said = await ready(stranger, query)

    [seller] = said["sellers"]
    assert (seller["seller"], seller["epoch"]) == ("main", allocator.epoch)
    assert seller["config_in_force"] == seller["config_remembered"] == allocator.version
    assert seller["ledger_entries"] > 0


async def test_another_word_for_verbose_is_refused(stranger):
    status, said = await ready(stranger, "?verbose=loud")

    assert (status, said["allowed"]) == (422, ["", "1", "true"])


async def test_a_service_that_was_told_to_stop_is_not_ready_any_more(app, stranger, monkeypatch):
    handlers = {}
    monkeypatch.setattr(serving.signal, "signal", handlers.__setitem__)
    server = uvicorn.Server(uvicorn.Config(app))
    serving._stop_on_signals(server, app)
    before, _ = await ready(stranger)

    handlers[signal.SIGTERM](signal.SIGTERM, None)

    status, said = await ready(stranger)
    assert (before, status, said["draining"], server.should_exit) == (200, 503, True, True)
