"""The level `ledger`: what is answered is in SQL, yes and no alike, or nobody says so."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest
from sqlmodel import select

from allocator import Allocator
from allocator.records import decode_answer
from app import arrivals, working
from app.config.engine import Engine, Plan
from app.config.judging import ANY, Wish
from app.deps import State
from app.levels import LEDGER as LEDGER_BIT
from app.settings import Settings
from app.store.database import Database
from app.store.ledger_tables import LedgerEntryRow, OpAnswerRow, OrderRow
from app.working import work
from tests.app.talk import atp, hold, line, new_op, order, receive, slug
from tests.postgres import Postgres

LEDGER = {"Allot-Acknowledge": "ledger"}
TOLD = "Allot-Acknowledged"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """One that keeps what was committed, as the level asks for."""
    server = Postgres({"fsync": "on"})
    try:
        yield server
    finally:
        server.stop()


@asynccontextmanager
async def at_work(settings: Settings) -> AsyncIterator[None]:
    """A worker, until the block ends."""
    stop = asyncio.Event()
    worker = asyncio.create_task(work(settings, stop))
    try:
        yield
    finally:
        stop.set()
        await worker


@pytest.fixture
async def worker(app, settings) -> AsyncIterator[None]:
    async with at_work(settings):
        yield


@pytest.fixture
def impatient(monkeypatch) -> None:
    monkeypatch.setattr(arrivals, "SECONDS_MAX", 0.3)


async def remembered(database: Database) -> dict[str, str]:
    """The ops that SQL knows, with the word they were answered with."""
    async with database.reading() as session:
        rows = (await session.exec(select(OpAnswerRow))).all()
        return {row.op: decode_answer(row.answer).word for row in rows}


async def orders(database: Database) -> set[str]:
    async with database.reading() as session:
        return {row.external_id for row in (await session.exec(select(OrderRow))).all()}


async def put(client: httpx.AsyncClient, place: str, units: int = 1, **headers: str) -> httpx.Response:
    body = {"lines": [line("CUP", units)]}
    return await client.put(f"/v1/orders/{place}", json=body, headers={**LEDGER, **headers})


async def set_channel(client: httpx.AsyncClient, code: str, **changes: object) -> None:
    found = await client.get(f"/v1/channels/{code}")
    item = {**found.json()["item"], **changes}
    done = await client.put(f"/v1/channels/{code}", json=item, headers={"If-Match": found.headers["etag"]})
    done.raise_for_status()


async def test_an_order_is_in_sql_when_its_answer_arrives(client, state, worker):
    for number in range(5):
        answer = await put(client, f"shop/{number}")

        assert (answer.status_code, answer.headers[TOLD]) == (201, "ledger")
        assert str(number) in await orders(state.database)


async def test_a_refusal_is_in_sql_when_it_arrives(client, state, worker):
    answer = await put(client, "shop/1", 10_000)

    assert (slug(answer), answer.headers[TOLD]) == ("short", "ledger")
    assert (await remembered(state.database))["order:shop:1:1"] == "short"


async def test_a_no_that_several_hear_at_once_is_in_sql_once(client, state, worker):
    answers = await asyncio.gather(*(put(client, "shop/1", 10_000) for _ in range(5)))

    assert {(slug(one), one.headers[TOLD]) for one in answers} == {("short", "ledger")}
    assert (await remembered(state.database))["order:shop:1:1"] == "short"


async def test_another_request_under_the_id_hears_of_a_conflict_when_the_first_is_in_sql(client, state, worker):
    await order(client, "shop/1", line("CUP", 10_000))
    answer = await put(client, "shop/1", 1)

    assert (slug(answer), answer.headers[TOLD]) == ("op-conflict", "ledger")
    assert (await remembered(state.database))["order:shop:1:1"] == "short"


async def test_what_was_done_before_is_answered_again_when_it_is_in_sql(client, state, worker):
    await order(client, "shop/1", line("CUP", 1))

    again = await put(client, "shop/1")

    assert (again.status_code, again.headers[TOLD]) == (200, "ledger")
    assert await orders(state.database) == {"1"}


async def test_without_a_worker_the_answer_says_so_and_the_order_stands(client, state, impatient):
    left = await atp(client, "CUP")

    answer = await put(client, "shop/1")

    problem = answer.json()
    assert (slug(answer), problem["outcome"], answer.headers["retry-after"]) == ("not-in-ledger", "unknown", "1")
    assert "no worker is running" in problem["detail"]
    assert TOLD not in answer.headers
    assert await atp(client, "CUP") == left - 1


async def test_the_same_id_gets_it_once_a_worker_runs_and_there_is_one_effect(client, settings, monkeypatch):
    left = await atp(client, "CUP")
    with monkeypatch.context() as impatience:
        impatience.setattr(arrivals, "SECONDS_MAX", 0.3)
        assert slug(await put(client, "shop/1")) == "not-in-ledger"

    async with at_work(settings):
        again = await put(client, "shop/1")

    assert (again.status_code, again.headers[TOLD]) == (200, "ledger")
    assert await atp(client, "CUP") == left - 1


async def test_many_at_once_are_all_in_sql(client, state, worker):
    await receive(client, "CUP", "oslo", 100)

    answers = await asyncio.gather(*(put(client, f"shop/{number}") for number in range(40)))

    assert {one.headers[TOLD] for one in answers} == {"ledger"}
    assert await orders(state.database) == {str(number) for number in range(40)}


async def test_who_leaves_keeps_nobody_else_from_his_answer(client, state, worker):
    leaving = asyncio.create_task(put(client, "shop/1"))
    staying = asyncio.create_task(put(client, "shop/2"))
    await asyncio.sleep(0.005)
    leaving.cancel()

    assert (await staying).headers[TOLD] == "ledger"


async def test_the_drain_comes_at_once_when_somebody_waits(client, state, settings, monkeypatch):
    monkeypatch.setattr(working, "PAUSE_SECONDS", 30.0)
    async with at_work(settings):
        await asyncio.sleep(0.5)

        answer = await asyncio.wait_for(put(client, "shop/1"), 4)

    assert answer.headers[TOLD] == "ledger"


# --- who asks ----------------------------------------------------------------------------------------------------


async def test_a_channel_asks_for_everything_on_it_and_no_request_asks_for_less(client, state, worker):
    await set_channel(client, "shop", acknowledge="ledger")
    less = {"Allot-Acknowledge": "fsynced"}
    quota = {"sku": "CUP", "location": "oslo", "channel": "shop", "quota": 1}
    share = {"sku": "CUP", "location": "oslo", "from_channel": "shop", "to_channel": "amazon", "units": 1}
    body = {"channel": "shop", "lines": [line("CUP", 1)]}

    said = [
        await client.put("/v1/orders/shop/1", json={"lines": [line("CUP", 1)]}, headers=less),
        await client.post("/v1/orders/shop/1/cancel", json={}, headers=less | new_op()),
        await client.put("/v1/holds/h1", json=body, headers=less),
        await client.post("/v1/holds/h1/extend", json={"ttl_seconds": 100}, headers=less | new_op()),
        await client.delete("/v1/holds/h1", headers=less),
        await client.post("/v1/quotas/set", json=quota, headers=less | new_op()),
        await client.post("/v1/quotas/move", json=share, headers=less | new_op()),
    ]

    assert {(one.is_success, one.headers[TOLD]) for one in said} == {(True, "ledger")}
    elsewhere = await order(client, "amazon/1", line("CUP", 1))
    assert elsewhere.headers[TOLD] == "fsynced"


async def test_a_hold_nobody_made_is_not_called_remembered(client, worker):
    await hold(client, "h1", line("CUP", 1))
    await set_channel(client, "shop", acknowledge="ledger")

    unknown = await client.delete("/v1/holds/nothing")

    assert (slug(unknown), TOLD in unknown.headers) == ("unknown-hold", False)


async def test_a_hold_nobody_knows_may_be_of_the_strictest_channel(client):
    """It may be made between the question whose it is and its release."""
    await set_channel(client, "shop", acknowledge="replicated")

    unknown = await client.delete("/v1/holds/nothing")

    assert slug(unknown) == "level-unreachable"


async def test_orders_in_bulk_have_the_strongest_level_of_their_channels(client, state, worker):
    await set_channel(client, "amazon", acknowledge="ledger")
    body = {"orders": [{"channel": "shop", "external_id": "1", "lines": [line("CUP", 10_000)]}]}
    plain = await client.post("/v1/orders/bulk", json=body)
    body["orders"].append({"channel": "amazon", "external_id": "2", "lines": [line("CUP", 1)]})

    mixed = await client.post("/v1/orders/bulk", json=body)

    assert (plain.headers[TOLD], mixed.headers[TOLD]) == ("fsynced", "ledger")
    assert [row["status"] for row in mixed.json()["results"]] == [409, 201]
    assert await orders(state.database) == {"2"}
    assert (await remembered(state.database))["order:shop:1:1"] == "short"


@pytest.fixture
def of_service(state, monkeypatch):
    """As with ALLOT_ACKNOWLEDGE=ledger."""
    monkeypatch.setattr(state.levels, "least", LEDGER_BIT)


async def test_the_service_asks_for_all(client, state, worker, of_service):
    moved = await receive(client, "CUP", "oslo", 1)

    assert moved.headers[TOLD] == "ledger"


async def elsewhere(state: State, acknowledge: str) -> None:
    """Another process changes what the shop asks for."""
    there = Allocator(state.pipe, "main", state.epoch)
    await there.reload()
    [shop] = [channel for channel in there.config.channels if channel.code == "shop"]
    changed = msgspec.structs.replace(shop, acknowledge=acknowledge)
    engine = Engine(state.database, there, state.pipe.client)
    await engine.change(Plan([Wish("channels", "shop", changed, ANY)], "ann", together=True))


async def test_an_answer_has_the_level_of_the_config_it_was_decided_with(client, state, worker):
    """The process hears of the change in the middle of its next order."""
    await elsewhere(state, "ledger")
    assert state.allocators["main"].raised == {}

    answer = await order(client, "shop/1", line("CUP", 1))

    assert answer.headers[TOLD] == "ledger"
    assert await orders(state.database) == {"1"}


async def test_an_answer_that_could_not_wait_for_replicas_is_of_unknown_outcome(client, state):
    await elsewhere(state, "replicated")

    answer = await order(client, "shop/1", line("CUP", 1))
    again = await order(client, "shop/1", line("CUP", 1))

    assert (slug(answer), answer.json()["outcome"]) == ("unanswered", "unknown")
    assert (slug(again), again.json()["outcome"]) == ("level-unreachable", "not_applied")


async def test_an_entry_of_another_history_under_the_same_id_is_not_taken_for_ours(client, state, impatient):
    await order(client, "shop/0", line("CUP", 1))
    id, entry = await arrivals.ledger.newest(state.pipe.client, "main")
    row = LedgerEntryRow(seller="main", epoch=entry.epoch, id=id, number=1, hash="another", verb="order", op="x",
                         actor="", why="", config="1", at_ms=0, recorded_ms=0, body=b"")  # fmt: skip
    async with state.database.writing() as session:
        session.add(row)

    answer = await put(client, "shop/0")

    assert slug(answer) == "not-in-ledger"
