"""SQL away: orders go on, what needs SQL says so, and before the ledger fills the memory promises stop."""

import pytest

from app.draining.drain import Drain
from app.schedule import Memory, watch_ledgers
from tests.app.away import sql_away
from tests.app.talk import hold, line, new_op, order, receive, slug

# Connections that could not be opened: see tests/app/away.py.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"ledger_bytes_max": 40_000})


@pytest.fixture
async def drain(state):
    return Drain(state.database, state.pipe.client)


@pytest.fixture
async def memory(state, client, drain) -> Memory:
    """What the watch knows after a look at a ledger that is in SQL, and with a key that has been seen."""
    await receive(client, "CUP", "oslo", 900)
    await drain.run()
    memory = Memory()
    await watch_ledgers(state, memory)
    return memory


LISTS = ("orders", "holds", "shipments", "movements", "balances", "balances/CUP", "orders/shop/1/story", "locations")


@pytest.mark.parametrize("path", LISTS)
async def test_what_only_sql_has_is_answered_503_and_says_so(state, client, memory, path: str):
    async with sql_away(state):
        answer = await client.get(f"/v1/{path}")

    assert (answer.status_code, slug(answer), answer.headers["retry-after"]) == (503, "database-away", "5")


async def test_a_record_in_valkey_is_answered_and_one_that_sql_might_have_is_not_called_unknown(state, client, memory):
    await order(client, "shop/1", line("CUP", 1))
    async with sql_away(state):
        known, unknown = await client.get("/v1/orders/shop/1"), await client.get("/v1/orders/shop/2")

    assert (known.status_code, "allot-position" in known.headers) == (200, False)
    assert (unknown.status_code, slug(unknown)) == (503, "database-away")


async def fill(state, client, memory: Memory, share: float) -> None:
    """Sell over the counter until so much of the limit is in Valkey alone."""
    for number in range(2_000):
        if number % 10 == 0:
            await watch_ledgers(state, memory)
            if state.full.get("main", 0.0) >= share:
                return
        # 200 when the machine was so slow that the call was repeated.
        assert (await order(client, f"till/{share}-{number}", line("CUP", 1))).status_code in {200, 201}
    pytest.fail(f"the ledger never reached {share} of its limit: {state.full}")


async def last(redis) -> bytes:
    [(id, _)] = await redis.xrevrange("{main}:ledger", count=1)
    return id


async def test_orders_go_on_without_sql_until_the_limit_and_after_it_what_frees_units(
    state, client, memory, redis_of_service
):
    await hold(client, "cart", line("CUP", 1))
    await hold(client, "other", line("CUP", 1))
    async with sql_away(state):
        await fill(state, client, memory, 1.0)
        before = await last(redis_of_service)

        refused = [
            await order(client, "shop/1", line("CUP", 1)),
            await hold(client, "new", line("CUP", 1)),
            await receive(client, "CUP", "oslo", 1),
        ]
        unmoved = await last(redis_of_service)
        taken = [
            await order(client, "shop/2", line("CUP", 1), hold="cart"),
            await order(client, "amazon/1", line("CUP", 1)),
            await client.delete("/v1/holds/other"),
            await client.post("/v1/orders/shop/2/cancel", json={}, headers=new_op()),
        ]

    assert [(answer.status_code, slug(answer)) for answer in refused] == [(503, "ledger-full")] * 3
    assert {answer.headers["retry-after"] for answer in refused} == {"10"}
    assert {answer.json()["outcome"] for answer in refused} == {"not_applied"}
    assert unmoved == before
    assert [answer.status_code for answer in taken] == [201, 201, 200, 200]


async def test_beyond_the_limit_only_what_has_been_sold_is_taken_and_that_is_refused_last(state, client, memory):
    await order(client, "shop/1", line("CUP", 1))
    async with sql_away(state):
        await fill(state, client, memory, 1.5)
        cancelled = await client.post("/v1/orders/shop/1/cancel", json={}, headers=new_op())
        bulk = await client.post(
            "/v1/orders/bulk",
            json={
                "orders": [
                    {"channel": "shop", "external_id": "9", "lines": [line("CUP", 1)]},
                    {"channel": "amazon", "external_id": "9", "lines": [line("CUP", 1)]},
                ]
            },
        )
        await fill(state, client, memory, 2.0)
        sold = [await order(client, "till/late", line("CUP", 1)), await order(client, "amazon/late", line("CUP", 1))]

    assert (cancelled.status_code, slug(cancelled)) == (503, "ledger-full")
    assert [row["status"] for row in bulk.json()["results"]] == [503, 201]
    assert [slug(answer) for answer in sold] == ["ledger-full", "ledger-full"]


async def test_when_sql_is_back_the_drain_makes_room_and_the_same_request_is_taken(state, client, memory, drain):
    async with sql_away(state):
        await fill(state, client, memory, 1.0)
        refused = await order(client, "shop/1", line("CUP", 1))

    await drain.run()
    await watch_ledgers(state, memory)

    assert (refused.status_code, state.full) == (503, {})
    assert (await order(client, "shop/1", line("CUP", 1))).status_code == 201


async def test_readyz_tells_who_is_near_the_limit(state, client, stranger, memory):
    async with sql_away(state):
        await fill(state, client, memory, 1.0)

    said = (await stranger.get("/readyz")).json()

    assert said["ready"]
    assert said["drain"].startswith("main has 1")
    assert said["drain"].endswith("% of the limit of its ledger")
