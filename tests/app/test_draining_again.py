"""The drain, whatever happens: once, by one process, stopped by what is wrong; what is drained is trimmed."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest
from redis.asyncio import Redis
from sqlmodel import update

from allocator import SellerKeys, make_client
from allocator.balances import VersionGap
from allocator.ledger import Damaged, Gap, last_id, read
from app.draining import drain as draining
from app.draining.drain import READER, Drain, EntryDiffers
from app.store import leasing
from app.store import ledger as store
from app.store.cursors import begin_at, read_cursor
from app.store.database import Database, sqlite_url
from app.store.ledger_tables import BalanceRow, LedgerEntryRow
from app.store.sellers import ensure_seller
from app.times import now_ms
from tests.allocator.town import SELLER
from tests.allocator.twins import Twins
from tests.app.drained import LEDGER, a_past, another, everything, opened, rows


@pytest.fixture(scope="module")
def past(servers) -> Iterator[Twins]:
    """A seller with a past."""
    yield from a_past(servers["valkey"])


@pytest.fixture
async def client(past: Twins) -> AsyncIterator[Redis]:
    client = make_client(past.url)
    yield client
    await client.aclose()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with opened(database_url) as database:
        yield database


@pytest.fixture
def drain(database: Database, client: Redis) -> Drain:
    return another(database, client)


# --- once, whatever happens ------------------------------------------------------------------------------------


async def test_group_by_group_is_as_all_at_once(drain, database, client, tmp_path, monkeypatch):
    await drain.run()
    at_once = await everything(database)
    monkeypatch.setattr(draining, "GROUP", 7)
    (tmp_path / "second").mkdir()

    async with await Database.open(sqlite_url(tmp_path / "second")) as second:
        async with second.writing() as session:
            await ensure_seller(session, SELLER, "Shop")
        slow = another(second, client)
        while (await slow.run()).more:
            pass

        assert await everything(second) == at_once


async def test_drained_again_from_the_start_nothing_changes(drain, database, client):
    await drain.run()
    before = await everything(database)
    async with database.writing() as session:
        await begin_at(session, SELLER, READER, "0-0")

    await drain.run()

    assert await everything(database) == before


@pytest.mark.parametrize("step", ["add_entries", "put_orders", "put_holds", "put_balances", "put_answers"])
async def test_a_drain_that_dies_half_way_leaves_no_trace(drain, database, monkeypatch, step):
    async def die(*_: object) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as broken:
        broken.setattr(store, step, die)
        with pytest.raises(OSError, match="the disk is gone"):
            await drain.run()
        assert all(found == [] for found in (await everything(database)).values())

    assert (await drain.run()).entries > 0
    assert (await everything(database))["ledger_entry"]


async def test_of_two_processes_one_drains(database, client):
    first, second = another(database, client), another(database, client)

    drained = await asyncio.gather(first.run(), second.run())

    counts = sorted(one.entries for one in drained)
    assert counts[0] == 0
    assert counts[1] == len(await rows(database, LedgerEntryRow))


async def test_another_process_goes_on_when_the_first_stops(database, client, monkeypatch):
    monkeypatch.setattr(draining, "GROUP", 10)
    monkeypatch.setattr(draining, "GROUPS_MAX", 2)
    first, second = another(database, client), another(database, client)
    await first.run()

    await first.stop()
    went_on = await second.run()

    assert went_on.entries == 20
    assert len(await rows(database, LedgerEntryRow)) == 40


async def test_nobody_waits_for_a_lease_of_a_clock_that_was_far_ahead(drain, database, client, monkeypatch):
    monkeypatch.setattr(draining, "GROUP", 10)
    with monkeypatch.context() as ahead:
        ahead.setattr(draining, "now_ms", lambda: now_ms() + 7_200_000)
        await drain.drain_group(SELLER)

    assert await another(database, client).drain_group(SELLER) == 10


async def test_who_lost_the_lease_writes_nothing(drain, database, client, monkeypatch):
    monkeypatch.setattr(draining, "GROUP", 10)
    await drain.drain_group(SELLER)
    async with database.writing() as session:
        await begin_at(session, SELLER, READER, "0-0")
    before = len(await rows(database, LedgerEntryRow))

    await drain._write(SELLER, "7-7", await read(client, SELLER, "0-0", 20))

    assert len(await rows(database, LedgerEntryRow)) == before


async def test_another_entry_under_a_known_id_stops_it(drain, database):
    await drain.run()
    async with database.writing() as session:
        await session.exec(update(LedgerEntryRow).where(LedgerEntryRow.number == 5).values(hash="0" * 32))
        await begin_at(session, SELLER, READER, "0-0")
    await drain.stop()

    with pytest.raises(EntryDiffers, match="another entry"):
        await drain.run()


async def test_a_missing_change_of_a_sku_stops_it(drain, database, client, monkeypatch):
    monkeypatch.setattr(draining, "GROUP", 10)
    await drain.drain_group(SELLER)
    async with database.writing() as session:
        state = msgspec.msgpack.encode([10_000, 0])
        await session.exec(update(BalanceRow).values(state=state, version=10_000))
    monkeypatch.setattr(draining, "GROUP", 1_000)

    with pytest.raises(VersionGap):
        await drain.run()


async def test_a_seller_that_cannot_be_drained_keeps_nobody_else_from_it(drain, database, client):
    async with database.writing() as session:
        await ensure_seller(session, "a-first", "Broken")
    broken = SellerKeys("a-first").named("ledger")[0]
    await client.xadd(broken, {"entry": b"\xc1", "answer": b""})

    with pytest.raises(Damaged, match="cannot be read"):
        await drain.run()

    await client.delete(broken)
    assert {row.seller for row in await rows(database, LedgerEntryRow)} == {SELLER}


# --- what keeps it from going on -------------------------------------------------------------------------------


async def failing(database: Database) -> str:
    async with database.reading() as session:
        cursor = await read_cursor(session, SELLER, READER)
    assert bool(cursor.failing) == bool(cursor.failing_since_ms)
    return cursor.failing


async def test_what_keeps_the_drain_from_going_on_is_left_where_others_see_it(drain, database, client):
    await drain.run()
    fine = await failing(database)
    async with database.writing() as session:
        await session.exec(update(LedgerEntryRow).where(LedgerEntryRow.number == 5).values(hash="0" * 32))
        await begin_at(session, SELLER, READER, "0-0")
    await drain.stop()
    for _ in range(2):
        with pytest.raises(EntryDiffers):
            await drain.run()

    assert fine == ""
    assert (await failing(database)).startswith(f"EntryDiffers: {SELLER} ")


async def test_a_drain_that_goes_on_again_in_any_process_says_so(drain, database, client, monkeypatch):
    async def die(*_: object) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as broken:
        broken.setattr(store, "put_orders", die)
        with pytest.raises(OSError, match="the disk is gone"):
            await drain.run()
    said = await failing(database)
    await drain.stop()

    await another(database, client).run()

    assert (said, await failing(database)) == ("OSError: the disk is gone", "")


async def test_who_does_not_drain_says_nothing_of_it(drain, database, client):
    await drain.run()

    await another(database, client)._note(SELLER, "all is lost")

    assert await failing(database) == ""


async def test_the_cursor_counts_what_it_has_dealt_with(drain, database, client, monkeypatch):
    monkeypatch.setattr(draining, "GROUP", 7)
    while (await drain.run()).more:
        pass

    async with database.reading() as session:
        cursor = await read_cursor(session, SELLER, READER)
    assert cursor.entries == await client.xlen(LEDGER) > 7


async def test_while_nothing_happens_sql_is_asked_nothing(drain, database, monkeypatch):
    monkeypatch.setattr(draining, "LOOK_SECONDS", 60.0)
    await drain.run()

    for word in ("reading", "writing"):
        monkeypatch.setattr(database, word, None)

    assert await drain.run() == (0, False)


async def test_who_found_no_cursor_leaves_the_one_of_who_was_quicker(drain, database, client, monkeypatch):
    found = leasing.read_cursor

    async def late(*asked: object) -> None:
        """Nothing was there yet, and then another process drained."""
        monkeypatch.setattr(leasing, "read_cursor", found)
        await drain.run()
        await drain.stop()

    monkeypatch.setattr(leasing, "read_cursor", late)
    last = await another(database, client).drain_group(SELLER)

    async with database.reading() as session:
        cursor = await read_cursor(session, SELLER, READER)
    assert last == 0
    assert cursor.position == await last_id(client, SELLER)


async def test_a_cursor_that_is_set_back_under_a_drain_is_followed(drain, database, monkeypatch):
    monkeypatch.setattr(draining, "GROUP", 10)
    await drain.drain_group(SELLER)
    async with database.writing() as session:
        await begin_at(session, SELLER, READER, "0-0")

    written = [await drain.drain_group(SELLER) for _ in range(3)]

    assert written == [0, 10, 10]
    assert len(await rows(database, LedgerEntryRow)) == 20


# --- trimming --------------------------------------------------------------------------------------------------


@pytest.fixture
async def copy(client):
    """The ledger as it was, put back afterwards: the past belongs to all tests."""
    kept = await client.dump(LEDGER)
    yield
    await client.restore(LEDGER, 0, kept, replace=True)


async def test_what_is_new_stays_for_other_readers(drain, client):
    before = await client.xlen(LEDGER)

    await drain.run()

    assert await client.xlen(LEDGER) == before


async def test_what_is_old_goes_but_for_the_last_that_may_go(drain, database, client, copy, monkeypatch):
    monkeypatch.setattr(draining, "KEEP_MS", -1_000)

    await drain.run()

    async with database.reading() as session:
        cursor = await read_cursor(session, SELLER, READER)
    kept = await client.xrange(LEDGER)
    assert [id.decode() for id, _ in kept] == [cursor.position]
    assert await read(client, SELLER, cursor.position) == []
    with pytest.raises(Gap):
        await read(client, SELLER, "0-0")


async def test_what_is_not_drained_never_goes(drain, database, client, copy, monkeypatch):
    monkeypatch.setattr(draining, "KEEP_MS", -1_000)
    monkeypatch.setattr(draining, "GROUP", 10)
    before = await client.xlen(LEDGER)

    await drain.drain_group(SELLER)
    trimmed = await drain.trim(SELLER)

    assert trimmed == 9
    assert await client.xlen(LEDGER) == before - 9


async def test_too_many_do_not_stay_however_new(drain, client, copy, monkeypatch):
    monkeypatch.setattr(draining, "KEEP_MAX", 20)

    await drain.run()

    assert await client.xlen(LEDGER) == 20


async def test_of_too_many_a_group_goes_at_a_time_and_nothing_that_is_not_drained(drain, client, copy, monkeypatch):
    monkeypatch.setattr(draining, "KEEP_MAX", 20)
    monkeypatch.setattr(draining, "GROUP", 7)
    before, asked, read_range = await client.xlen(LEDGER), [], Redis.xrange

    def noted(self, name, min="-", max="+", count=None):
        asked.append(count)
        return read_range(self, name, min, max, count)

    monkeypatch.setattr(Redis, "xrange", noted)
    await drain.drain_group(SELLER)
    first = await drain.trim(SELLER)
    left = await client.xlen(LEDGER)
    while (await drain.run()).more:
        pass
    await drain.trim(SELLER)

    # The last entry that was drained stays.
    assert (first, left) == (6, before - 6)
    assert await client.xlen(LEDGER) == 20
    assert max(asked) == 8 < before
