from app.schedule import Memory, expire_holds
from tests.app.talk import hold, line


async def test_a_process_that_answers_is_alive(stranger):
    answer = await stranger.get("/livez")

    assert (answer.status_code, answer.json()) == (200, {"alive": True})


async def test_is_ready_when_store_database_and_clock_are(stranger):
    answer = await stranger.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "store": "ok", "database": "ok", "clock": "ok"}


async def test_a_flushed_store_is_not_ready_and_says_so(stranger, redis_of_service):
    await redis_of_service.flushall()

    answer = await stranger.get("/readyz")

    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert "It says it is nobody" in answer.json()["store"]


async def test_the_store_of_somebody_else_is_not_ready_and_is_named(stranger, redis_of_service):
    await redis_of_service.hset("{main}:seller", "epoch", "someone-1")

    answer = await stranger.get("/readyz")

    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert "someone-1" in answer.json()["store"]


async def test_without_the_database_orders_go_on_and_the_page_says_what_is_wrong(stranger, state):
    await state.database.close()
    (state.settings.data_dir / "allot.sqlite3").rename(state.settings.data_dir / "away")
    (state.settings.data_dir / "allot.sqlite3").mkdir()

    answer = await stranger.get("/readyz")

    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert answer.json()["database"].startswith("does not answer")


async def test_a_clock_that_jumped_is_shown_until_somebody_accepts_it(stranger, client, state, allocator):
    memory = Memory()
    await hold(client, "cart-1", line("CUP", 1))
    await expire_holds(state, memory)
    allocator.now_ms = 4_000_000_000_000
    await expire_holds(state, memory)

    shown = await stranger.get("/readyz")
    accepted = await client.post("/v1/clock/accept")
    after = await stranger.get("/readyz")

    assert (shown.status_code, shown.json()["clock"][:6]) == (200, "paused")
    assert (accepted.status_code, accepted.json()["hold_ids"], accepted.json()["paused"]) == (200, ["cart-1"], False)
    assert after.json()["clock"] == "ok"
