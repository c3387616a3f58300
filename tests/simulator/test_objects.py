"""Objects of the world's database are written and read as SQLModel's are: the same use cases on both, side by side."""

import asyncio
import sqlite3
import time
from contextlib import closing
from dataclasses import replace

import pytest

from app.store.config import page_records, write_records
from app.store.config_changes import ACTIVE, ChangeFacts, RowFacts, rows_of_changes, stage_change, standing
from app.store.connections import (
    ConnectionFacts,
    all_connections,
    change_connection,
    find_connection,
    put_connection,
)
from app.store.database import Database
from app.store.leases import give_up_lease, holds_lease, read_lease, renew_lease, take_lease
from app.store.sellers import ensure_seller
from app.store.shown import change_shown, due, note_changes, put_listings
from tests.allocator.town import SELLER
from tests.simulator.sql import Sql
from tests.simulator.store import NOON_MS

SHOP = ConnectionFacts(
    seller=SELLER,
    code="shop",
    connector="shopify",
    channel="web",
    settings={"url": "https://shop.test"},
    secrets=b"sealed",
    counts="net",
    locations={"5": "oslo"},
    created_ms=1,
)


async def told(database: Database) -> list[object]:
    """What these use cases answer, one after the other."""
    found: list[object] = []
    async with database.writing() as session:
        await ensure_seller(session, SELLER, "Shop")
        await put_connection(session, SHOP)
        found.append(await find_connection(session, SELLER, "shop"))
        await put_connection(session, replace(SHOP, code="till", token=b"t"))
        await put_connection(session, replace(SHOP, paused=True, locations={}))
        rows = {f"web/{sku}": _listing(sku) for sku in ("11", "12")}
        await write_records(session, SELLER, "listings", rows, version=1)
        change = ChangeFacts(1, 0, ACTIVE, "ann", "", None, "", 5)
        await stage_change(session, SELLER, change, [RowFacts("listings", "web/11", None, "{}")])
        await put_listings(session, SELLER, "shop", {"11": "S11", "12": "S12"}, now_ms=6)
        found.append(await take_lease(session, "l", owner="one", host="h", seen=None))
    async with database.writing() as session:
        await change_connection(session, SELLER, "shop", failing="down")
        seen = await read_lease(session, "l")
        found += [seen, await take_lease(session, "l", owner="two", host="h", seen=None)]
        found.append(await renew_lease(session, "l", owner="one", term=1, said="x"))
        found.append(await take_lease(session, "l", owner="two", host="h", seen=await read_lease(session, "l")))
        found += [await holds_lease(session, "l", owner=who, term=2) for who in ("one", "two")]
        await note_changes(session, SELLER, "shop", ["S12"], now_ms=7)
        await change_shown(session, SELLER, "shop", {"11": {"told": 4, "told_places": {"5": 4}, "settled": 1}})
    async with database.writing() as session:
        await give_up_lease(session, "l", owner="two", term=2)
    async with database.reading() as session:
        found += [await all_connections(session), await read_lease(session, "l"), await standing(session, SELLER)]
        found.append(await rows_of_changes(session, SELLER, "listings", after=0, until=1))
        found.append(await page_records(session, SELLER, "listings", where={"channel": "web"}, after=None, limit=9))
        found += [await due(session, SELLER, "shop", now_ms=at_ms, limit=9) for at_ms in (6, 7)]
    return found


def _listing(listing: str) -> dict[str, object]:
    return {"channel": "web", "listing": listing, "sku": f"S{listing}", "pack_size": 2, "active": True}


def test_use_cases_with_objects_write_and_read_the_same_as_on_sqlalchemy(monkeypatch, tmp_path):
    monkeypatch.setattr(time, "time_ns", lambda: NOON_MS * 1_000_000)
    sql = Sql()

    async def tell_both() -> tuple[list[object], list[object]]:
        async with await Database.open(f"sqlite:///{tmp_path / 'real'}") as real:
            return await told(real), await told(sql.database)

    expected, found = asyncio.run(tell_both())

    with closing(sqlite3.connect(tmp_path / "real")) as file:
        assert [*sql.file.iterdump()] == [*file.iterdump()]
    assert found == expected


def test_what_was_changed_is_not_written_when_the_transaction_fails():
    sql = Sql()

    async def live() -> object:
        async with sql.database.writing() as session:
            await ensure_seller(session, SELLER, "Shop")
            await take_lease(session, "l", owner="one", host="h", seen=None)
        with pytest.raises(RuntimeError):
            async with sql.database.writing() as session:
                await renew_lease(session, "l", owner="one", term=1, said="x")
                raise RuntimeError
        async with sql.database.reading() as session:
            return await read_lease(session, "l")

    assert asyncio.run(live()).said == ""
