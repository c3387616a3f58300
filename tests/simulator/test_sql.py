"""The world's database is a database: transactions are whole, one after the other, and fail as a driver's do."""

import asyncio
import sqlite3

import pytest

from app.store.database import DatabaseAway
from app.store.sellers import ensure_seller, list_sellers
from tests.simulator.loop import VirtualLoop
from tests.simulator.sql import Sql


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
