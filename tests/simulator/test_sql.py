"""The world's database is a database: transactions are whole, one after the other, and fail as a driver's do."""

import asyncio
import secrets
import sqlite3
import time
from contextlib import closing

import pytest

from app.draining.drain import READER, Drain
from app.store import ledger as store
from app.store.cursors import read_cursor
from app.store.database import Database, DatabaseAway
from app.store.sellers import ensure_seller, list_sellers
from tests.allocator.town import SELLER
from tests.simulator.loop import VirtualLoop
from tests.simulator.pipe import Client, Network
from tests.simulator.sql import Sql
from tests.simulator.store import NOON_MS
from tests.simulator.worlds.world import Stage

SEED = 8
"""Of a world that loses nothing: its ledger is whole."""


@pytest.fixture(scope="module")
def sql() -> Sql:
    return Sql()


@pytest.fixture(autouse=True)
def loop(sql):
    sql.reset()
    loop = VirtualLoop()
    yield loop
    loop.run(sql.database.close())
    loop.close()


async def sellers(sql: Sql) -> list[str]:
    async with sql.database.reading() as session:
        return [seller.code for seller in await list_sellers(session)]


def test_a_transaction_that_fails_leaves_nothing_behind(sql, loop):
    async def live() -> list[str]:
        with pytest.raises(RuntimeError):
            async with sql.database.writing() as session:
                await ensure_seller(session, "shop", "Shop")
                raise RuntimeError
        return await sellers(sql)

    assert loop.run(live()) == []


def test_a_writer_that_dies_in_the_middle_leaves_nothing_and_lets_the_next_one_in(sql, loop):
    async def write(code: str, pause_s: float) -> None:
        async with sql.database.writing() as session:
            await ensure_seller(session, code, code)
            await asyncio.sleep(pause_s)

    async def live() -> list[str]:
        first = asyncio.create_task(write("first", 9.0))
        await asyncio.sleep(1.0)
        second = asyncio.create_task(write("second", 0.0))
        await asyncio.sleep(1.0)
        first.cancel()
        await second
        return await sellers(sql)

    assert loop.run(live()) == ["second"]


def test_writers_follow_one_another(sql, loop):
    seen: list[float] = []

    async def write(code: str) -> None:
        async with sql.database.writing() as session:
            await ensure_seller(session, code, code)
            await asyncio.sleep(1.0)
            seen.append(loop.time())

    async def live() -> list[str]:
        await asyncio.gather(write("a"), write("b"), write("c"))
        return await sellers(sql)

    assert loop.run(live()) == ["a", "b", "c"]
    assert seen == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("kind", ["connect", "begin", "ask", "commit"])
def test_a_step_that_fails_is_a_database_that_is_away_and_nothing_is_written(sql, loop, kind):
    async def fails(step: str) -> None:
        if step == kind:
            raise sqlite3.OperationalError("connection closed")

    async def live() -> list[str]:
        sql.step = fails
        with pytest.raises(DatabaseAway):
            async with sql.database.writing() as session:
                await ensure_seller(session, "shop", "Shop")
        sql.reset_trouble()
        return await sellers(sql)

    assert loop.run(live()) == []


def test_a_commit_whose_answer_is_lost_has_happened(sql, loop):
    async def fails(step: str) -> None:
        if step == "committed":
            raise sqlite3.OperationalError("connection closed")

    async def live() -> list[str]:
        sql.step = fails
        with pytest.raises(DatabaseAway):
            async with sql.database.writing() as session:
                await ensure_seller(session, "shop", "Shop")
        sql.reset_trouble()
        return await sellers(sql)

    assert loop.run(live()) == ["shop"]


async def drained(database: Database, client: Client) -> list[object]:
    """A ledger drained into a database that had nothing, and what its readers find there."""
    async with database.writing() as session:
        await ensure_seller(session, SELLER, SELLER)
    await Drain(database, client).run()
    async with database.reading() as session:
        balances = [row async for part in store.balances(session, SELLER, 2) for row in part]
        pages = [await store.dated_page(session, kind, SELLER, None, 3) for kind in store.PAGES]
        lasts = [(kind, page[-1].key) for kind, page in zip(store.PAGES, pages, strict=True) if page]
        rest = [await store.page(session, kind, SELLER, last, 3) for kind, last in lasts]
        return [balances, pages, rest, await list_sellers(session), await read_cursor(session, SELLER, READER)]


def test_what_is_written_and_read_is_what_sqlalchemy_writes_and_reads(monkeypatch, tmp_path):
    monkeypatch.setattr(secrets, "token_hex", lambda size: "5a" * size)
    monkeypatch.setattr(time, "time_ns", lambda: NOON_MS * 1_000_000)
    stage = Stage()
    stage.run(SEED)
    stage.sql.reset()
    client = Client(Network(stage.store))

    async def drain_both() -> tuple[list[object], list[object]]:
        async with await Database.open(f"sqlite:///{tmp_path / 'real'}") as real:
            return await drained(real, client), await drained(stage.sql.database, client)

    expected, found = asyncio.run(drain_both())

    with closing(sqlite3.connect(tmp_path / "real")) as file:
        assert [*stage.sql.file.iterdump()] == [*file.iterdump()]
    assert repr(found) == repr(expected)
    assert len(expected[0]) >= 2
