"""A database that is away: what needs it says so, orders go on."""

import asyncio
import sqlite3

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.store import database as store
from app.store.database import Database, DatabaseAway, sqlite_url
from app.store.sellers import ensure_seller, require_seller
from tests.app.talk import line, order, slug

RULE = {"id": "late", "kind": "cutoff", "channel": "shop", "units": 1}


@pytest.fixture
def impatient(monkeypatch) -> None:
    """Who waits for another writer gives up at once."""
    monkeypatch.setattr(store, "BUSY_MS_MAX", 20)


@pytest.fixture
def locked(impatient, app, settings):
    """A service whose database somebody else does not let go of."""
    with sqlite3.connect(settings.data_dir / store.SQLITE_FILE, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")
    other.close()


@pytest.fixture
async def database(impatient, tmp_path):
    async with await Database.open(sqlite_url(tmp_path)) as database:
        yield database


async def test_a_change_of_config_says_that_the_database_is_away(impatient, client, locked):
    answer = await client.put("/v1/rules/late", json=RULE)

    assert (answer.status_code, slug(answer), answer.json()["outcome"]) == (503, "database-away", "unknown")
    assert answer.headers["retry-after"] == "5"


async def test_orders_go_on_without_it(impatient, client, locked):
    answer = await order(client, "shop/1", line("CUP", 1))

    assert answer.status_code == 201


async def test_a_use_case_that_never_ends_is_ended(database):
    with pytest.raises(DatabaseAway, match="TimeoutError"):
        async with database.reading(seconds_max=0.02):
            await asyncio.sleep(5)


async def test_a_time_limit_of_the_use_case_itself_is_its_own(database):
    with pytest.raises(TimeoutError):
        async with database.reading():
            async with asyncio.timeout(0.01):
                await asyncio.sleep(5)


async def test_what_is_wrong_with_a_statement_is_not_the_database_being_away(database):
    with pytest.raises(OperationalError, match="no such table"):
        async with database.reading() as session:
            await (await session.connection()).execute(text("SELECT 1 FROM cups"))


async def test_who_stands_still_in_a_transaction_does_not_keep_others_out_for_ever(postgres, monkeypatch):
    monkeypatch.setattr(store, "SECONDS_MAX", 0.5)
    url = postgres.new_migrated()
    async with await Database.open(url) as still, await Database.open(url) as other:
        async with still.writing() as session:
            await ensure_seller(session, "main", "Main")
        monkeypatch.setattr(store, "SECONDS_MAX", 20.0)

        with pytest.raises(DatabaseAway):
            async with still.writing() as session:
                await require_seller(session, "main", lock=True)
                async with other.writing() as another:
                    found = await require_seller(another, "main", lock=True)
    postgres.drop(url)

    assert found.code == "main"
