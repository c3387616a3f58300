"""The judge of SQL finds every way in which it can differ from the store: each is planted after a quiet load."""

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from allocator import make_client
from app.draining.drain import Drain
from app.store.database import SQLITE_FILE, Database, sqlite_url
from app.store.sellers import ensure_seller

from .crowd import Crowd
from .places import WithAllocator
from .remembered import judge_sql
from .shop import SELLER

OPS = 60
SECONDS_MAX = 1.0


class Drained(NamedTuple):
    """A shop after a load, with all of it in SQL."""

    folder: Path
    client: Redis

    async def judged(self, statement: str = "") -> set[str]:
        """The kinds of faults in a copy of SQL, after this was planted there."""
        with tempfile.TemporaryDirectory() as other:
            shutil.copy(self.folder / SQLITE_FILE, other)
            async with await Database.open(sqlite_url(Path(other))) as database:
                if statement:
                    await plant(database, statement)
                return {fault.what for fault in await judge_sql(database, self.client, SECONDS_MAX, still_s=0.0)}


async def plant(database: Database, statement: str) -> None:
    """Change SQL behind everybody's back."""
    async with database.writing() as session:
        changed = await (await session.connection()).execute(text(statement))
    assert changed.rowcount > 0, statement


@pytest.fixture
async def drained(short_home) -> AsyncIterator[Drained]:
    place = WithAllocator(short_home)
    client = make_client(place.url)
    try:
        await place.open()
        async with Crowd(place.doors(4), seed=7) as crowd:
            crowd.allow(OPS)
            await crowd.spend()
        async with await Database.open(sqlite_url(short_home)) as database:
            async with database.writing() as session:
                await ensure_seller(session, SELLER, "Main")
            await Drain(database, client).run()
        yield Drained(short_home, client)
    finally:
        await client.aclose()
        await place.close()


NEWEST = "number = (SELECT max(number) FROM ledger_entry)"

PLANTED = {
    "an entry that is missing": f"DELETE FROM ledger_entry WHERE {NEWEST}",
    "an entry that happened twice": "INSERT INTO ledger_entry SELECT seller, epoch, '1-1', number + 1, hash, verb, op, "
    f"actor, why, config, at_ms, recorded_ms, body FROM ledger_entry WHERE {NEWEST}",
    "an entry that is another": "UPDATE ledger_entry SET body = (SELECT body FROM ledger_entry WHERE number = 3), "
    f"hash = (SELECT hash FROM ledger_entry WHERE number = 3) WHERE {NEWEST}",
    "a hash that is wrong": f"UPDATE ledger_entry SET hash = 'no' WHERE {NEWEST}",
    "numbers with a gap": f"UPDATE ledger_entry SET number = number + 1 WHERE {NEWEST}",
    "a sku's state that is another's": "UPDATE balance SET state = (SELECT state FROM balance WHERE sku = 'MUG-1') "
    "WHERE sku = 'CUP'",
    "an order that is missing": "DELETE FROM order_record WHERE external_id = (SELECT max(external_id) FROM "
    "order_record)",
    "a line that adds up otherwise": "UPDATE order_line SET committed = committed + 1 WHERE sku = 'CUP'",
    "a take that is missing": "DELETE FROM order_take WHERE sku = 'CUP'",
    "a hold that is missing": "DELETE FROM hold_record WHERE hold_id = (SELECT max(hold_id) FROM hold_record)",
    "an answer that is missing an op": "UPDATE op_answer SET answer = x'00' WHERE op = (SELECT max(op) FROM op_answer)",
    "a move that is missing": "DELETE FROM ledger_move WHERE sku = 'CUP'",
    "a story with a gap": "DELETE FROM ledger_subject WHERE kind = 'order'",
    "a field of config that is missing": "DELETE FROM config_field WHERE field = (SELECT min(field) FROM config_field)",
}


async def test_finds_nothing_after_a_quiet_load(drained):
    assert await drained.judged() == set()


async def test_finds_each_of_these(drained):
    found = {name: await drained.judged(statement) for name, statement in PLANTED.items()}

    assert {name for name, kinds in found.items() if not kinds} == set()
    assert set.union(*found.values()) == {"recorded", "undrained", "doubled"}


async def test_finds_that_the_drain_did_not_come_to_an_end(drained):
    assert await drained.judged("UPDATE ledger_cursor SET position = '0-0'") == {"away"}
