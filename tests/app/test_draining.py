"""The drain: every effect is in SQL once, and what SQL adds up to is what Valkey has."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest
from redis.asyncio import Redis
from sqlmodel import select, update

from allocator import SellerKeys, make_client
from allocator.balances import VersionGap
from allocator.ledger import Damaged, Gap, holds_of, last_id, read
from allocator.model import ArrivedLine, SentLine, StockLine
from allocator.reading import Books, read_books
from allocator.records import Entry, decode_answer, decode_hold, decode_order, decode_state
from app.draining import drain as draining
from app.draining.drain import READER, Drain, EntryDiffers
from app.store import leasing
from app.store import ledger as store
from app.store.cursors import begin_at, read_cursor
from app.store.database import Database, sqlite_url
from app.store.ledger_tables import (
    BalancePlaceRow,
    BalanceRow,
    HoldLineRow,
    HoldRow,
    LedgerEntryRow,
    LedgerMoveRow,
    LedgerSubjectRow,
    OpAnswerRow,
    OrderLineRow,
    OrderRow,
    OrderTakeRow,
    ShipmentLineRow,
    ShipmentRow,
    TransferLineRow,
    TransferRow,
    TransferStepRow,
)
from app.store.sellers import ensure_seller
from app.times import now_ms
from tests.allocator.town import CUP, SELLER
from tests.allocator.twins import Twins
from tests.allocator.walk import Walk

STEPS = 200
LEDGER = SellerKeys(SELLER).named("ledger")[0]


@pytest.fixture(scope="module")
def past(servers) -> Iterator[Twins]:
    """A seller with a past: a long walk through all verbs."""
    both = Twins(servers["valkey"], agree=False)
    walk = Walk(both, 7)
    for _ in range(STEPS):
        walk.step()
    send_some(both)
    yield both
    both.close()


def send_some(past: Twins) -> None:
    """A transfer that is on its way, one that has arrived in part, and one that is over."""
    allocator = past.allocator
    past.ask(allocator.receive([StockLine(CUP, "oslo", 50)], op="enough to send"))
    for id in ("on its way", "in part", "over"):
        past.ask(allocator.transfer_out(id, "oslo", "rome", [SentLine(CUP, 2)]))
    for id, arrived, lost in (("in part", 1, 0), ("over", 1, 1)):
        past.ask(allocator.transfer_in(id, "rome", [ArrivedLine(CUP, arrived, lost)], op=id))


@pytest.fixture
async def client(past: Twins) -> AsyncIterator[Redis]:
    client = make_client(past.url)
    yield client
    await client.aclose()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(database_url) as database:
        async with database.writing() as session:
            await ensure_seller(session, SELLER, "Shop")
        yield database


@pytest.fixture
def drain(database: Database, client: Redis) -> Drain:
    return another(database, client)


def another(database: Database, client: Redis) -> Drain:
    """What another process has."""
    return Drain(database, client)


async def rows(database: Database, table: type) -> list:
    async with database.reading() as session:
        return list((await session.exec(select(table))).all())


async def everything(database: Database) -> dict[str, list]:
    """All that was drained, times of recording aside."""
    tables = (LedgerEntryRow, LedgerMoveRow, LedgerSubjectRow, OrderRow, OrderLineRow, OrderTakeRow)
    found = {}
    more = (ShipmentRow, ShipmentLineRow, HoldRow, HoldLineRow, BalanceRow, BalancePlaceRow, OpAnswerRow)
    more += (TransferRow, TransferLineRow, TransferStepRow)
    for table in (*tables, *more):
        dumped = [row.model_dump(exclude={"recorded_ms"}) for row in await rows(database, table)]
        found[table.__tablename__] = sorted(dumped, key=repr)
    return found


async def books_of(client: Redis) -> Books:
    return await read_books(client, SELLER, every_op=True)


# --- what is there afterwards ----------------------------------------------------------------------------------


async def test_every_entry_is_in_sql_once_and_in_order(drain, database, client):
    ledger = await read(client, SELLER, "0-0", 100_000)

    drained = await drain.run()

    entries = sorted(await rows(database, LedgerEntryRow), key=lambda row: row.number)
    assert drained.entries == len(ledger) > STEPS // 2
    assert [row.number for row in entries] == list(range(1, len(ledger) + 1))
    assert [(row.id, msgspec.msgpack.decode(row.body, type=Entry)) for row in entries] == ledger


async def test_orders_holds_and_stock_are_what_valkey_has(drain, database, client):
    books = await books_of(client)

    await drain.run()

    orders = {f"{row.channel}:{row.external_id}": decode_order(row.record) for row in await rows(database, OrderRow)}
    holds = {row.hold_id: decode_hold(row.hold_id, row.record) for row in await rows(database, HoldRow)}
    stock = {row.sku: decode_state(row.state) for row in await rows(database, BalanceRow)}
    assert orders == books.orders
    assert holds == books.holds
    assert stock == books.stock
    assert min(len(orders), len(holds), len(stock)) > 2


async def test_lines_and_takes_are_those_of_the_orders(drain, database, client):
    books = await books_of(client)

    await drain.run()

    lines = {(row.channel, row.external_id, row.line): row for row in await rows(database, OrderLineRow)}
    expected = [(record.order, line) for record in books.orders.values() for line in record.order.lines]
    assert len(lines) == len(expected)
    for order, line in expected:
        row = lines[order.channel, order.external_id, line.line]
        kept = msgspec.structs.asdict(line)
        del kept["takes"]
        assert row.model_dump(include=set(kept)) == kept
    units = sum(row.units for row in await rows(database, OrderTakeRow))
    assert units == sum(take.units for _, line in expected for take in line.takes) > 0


async def test_moves_add_up_to_the_stock(drain, database, client):
    books = await books_of(client)

    await drain.run()

    moved: dict[tuple[str, str], int] = {}
    for row in await rows(database, LedgerMoveRow):
        if row.bucket == "on_hand":
            moved[row.sku, row.location] = moved.get((row.sku, row.location), 0) + row.units
    there = {
        (sku, code): place.on_hand
        for sku, state in books.stock.items()
        for code, place in state.places.items()
        if place.on_hand
    }
    assert {key: units for key, units in moved.items() if units} == there


async def test_shipments_are_what_left_the_shelves_line_by_line(drain, database, client):
    books, ledger = await books_of(client), await read(client, SELLER, "0-0", 100_000)

    await drain.run()

    lines = await rows(database, ShipmentLineRow)
    heads = {(row.number, row.location): row for row in await rows(database, ShipmentRow)}
    shipped: Counter = Counter()
    left: Counter = Counter()
    whole: Counter = Counter()
    for row in lines:
        head = heads[row.number, row.location]
        shipped[head.channel, head.external_id, row.line] += row.units
        left[row.number, row.sku, row.location] += row.units
        whole[row.number, row.location] += row.units
    assert shipped == Counter(
        {
            (record.order.channel, record.order.external_id, line.line): line.shipped
            for record in books.orders.values()
            for line in record.order.lines
            if line.shipped
        }
    )
    assert left == Counter(gone_from_shelves(ledger))
    assert whole == Counter({key: row.units for key, row in heads.items()})
    assert {row.gone for row in heads.values()} == {True, False}


def gone_from_shelves(ledger) -> dict[tuple[int, str, str], int]:
    """Units that left for orders, by number of the entry, sku and location."""
    found: Counter = Counter()
    for number, (_, entry) in enumerate(ledger, 1):
        if entry.verb in {"ship", "order"}:
            moves = [(change.sku, *move) for change in entry.changes for move in change.moves]
            for sku, location, bucket, _, units in moves:
                found[number, sku, location] -= units if bucket == "on_hand" else 0
    return +found


async def test_places_have_the_units_that_valkey_has_there(drain, database, client):
    books = await books_of(client)

    await drain.run()

    names = ("on_hand", "unavailable", "held", "committed", "deficit", "in_transit")
    found = {
        (row.sku, row.location): [getattr(row, name) for name in names] for row in await rows(database, BalancePlaceRow)
    }
    there = {
        (sku, code): [getattr(place, name) for name in names]
        for sku, state in books.stock.items()
        for code, place in state.places.items()
    }
    assert {key: units for key, units in found.items() if any(units)} == {
        key: units for key, units in there.items() if any(units)
    }


async def test_transfers_are_what_was_sent_arrived_and_lost_and_what_valkey_has_on_the_way(drain, database, client):
    books, ledger = await books_of(client), await read(client, SELLER, "0-0", 100_000)

    await drain.run()

    heads = {row.transfer_id: row for row in await rows(database, TransferRow)}
    lines = {(row.transfer_id, row.sku): row for row in await rows(database, TransferLineRow)}
    coming = {
        (transfer, sku): units
        for sku, state in books.stock.items()
        for place in state.places.values()
        for transfer, units in place.transit.items()
    }
    moved = moved_by_transfers(ledger)
    assert {key: row.in_transit for key, row in lines.items() if row.in_transit} == coming != {}
    assert {key: [row.sent, row.arrived, row.lost] for key, row in lines.items()} == moved
    for id, head in heads.items():
        mine = [row for (transfer, _), row in lines.items() if transfer == id]
        units = [sum(getattr(row, name) for row in mine) for name in ("sent", "arrived", "lost", "in_transit")]
        assert [head.sent, head.arrived, head.lost, head.in_transit] == units
        assert head.state == ("closed" if not units[3] else "open" if units[0] == units[3] else "partly")
    assert {head.state for head in heads.values()} == {"open", "partly", "closed"}


def moved_by_transfers(ledger) -> dict[tuple[str, str], list[int]]:
    """Units sent, arrived and lost, by transfer and sku."""
    found: dict[tuple[str, str], list[int]] = {}
    for _, entry in ledger:
        for change in entry.changes if entry.verb.startswith("transfer") else []:
            [transfer] = {of for _, bucket, of, _ in change.moves if bucket == "in_transit"}
            units: Counter = Counter()
            for _, bucket, _, count in change.moves:
                units[bucket] += count
            row = found.setdefault((transfer, change.sku), [0, 0, 0])
            if entry.verb == "transfer_out":
                row[0] += units["in_transit"]
            else:
                row[1] += units["on_hand"]
                row[2] -= units["in_transit"] + units["on_hand"]
    return found


async def test_holds_keep_what_they_were_made_of_and_when(drain, database, client):
    ledger = await read(client, SELLER, "0-0", 100_000)
    made = {
        hold.hold_id: (entry.at_ms, [(take.sku, take.location, take.units) for take in hold.takes])
        for _, entry in ledger
        if entry.verb == "hold"
        for hold in holds_of(entry)
        if hold.state == "open"
    }

    await drain.run()

    lines: dict[str, list] = {}
    for row in sorted(await rows(database, HoldLineRow), key=lambda row: row.place):
        lines.setdefault(row.hold_id, []).append((row.sku, row.location, row.units))
    assert {row.hold_id: (row.made_ms, lines[row.hold_id]) for row in await rows(database, HoldRow)} == made


async def test_answers_of_effects_are_remembered_as_valkey_remembers_them(drain, database, client):
    ledger = await read(client, SELLER, "0-0", 100_000)
    ops = {entry.op for _, entry in ledger if entry.op}

    await drain.run()

    [name] = SellerKeys(SELLER).named("ops")
    kept = {row.op: row.answer for row in await rows(database, OpAnswerRow)}
    assert kept.keys() == ops
    for op, answer in kept.items():
        assert decode_answer(answer) == decode_answer(await client.hget(name, op))


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
