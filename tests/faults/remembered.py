"""
What SQL remembers, held against the store once the drain has caught up.

Every entry of the store's ledger is there once, in order and byte for byte; so is every record that entries add up to;
and the tables for questions say what the records say.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from redis.asyncio import Redis
from sqlmodel import select

from allocator import SellerKeys
from allocator.ledger import START, Row, last_id, read
from allocator.reading import Books, read_books
from allocator.records import Entry, decode_order, decode_state
from app.draining.drain import READER
from app.draining.rows import VERSION, hash_of
from app.store.announced_tables import AnnouncedReturnRow
from app.store.cursors import read_cursor
from app.store.database import Database, DatabaseAway
from app.store.ledger_tables import (
    BalanceRow,
    ConfigFieldRow,
    HoldRow,
    LedgerEntryRow,
    LedgerMoveRow,
    LedgerSubjectRow,
    OpAnswerRow,
    OrderLineRow,
    OrderRow,
    OrderTakeRow,
)

from .shop import SELLER
from .verdict import Fault

STILL_S: Final = 0.3
"""How long nothing must happen for a reading to begin; backorders are served every second, so it may be in vain."""

READINGS_MAX: Final = 5

ENTRIES_MAX: Final = 1_000_000

Faults = Iterator[Fault]
Records = dict[str, bytes]


async def caught_up(database: Database, client: Redis, seconds_max: float, still_s: float = STILL_S) -> bool:
    """Wait until everything in the store's ledger is in SQL and nothing comes any more; whether that came about."""
    until, since, before = time.monotonic() + seconds_max, time.monotonic(), ""
    while time.monotonic() < until:
        last = await last_id(client, SELLER)
        if last != before or last != await _drained(database):
            before, since = last, time.monotonic()
        elif time.monotonic() - since >= still_s:
            return True
        await asyncio.sleep(0.05)
    return False


async def _drained(database: Database) -> str:
    try:
        async with database.reading() as session:
            cursor = await read_cursor(session, SELLER, READER)
    except DatabaseAway:
        return "away"
    return cursor.position if cursor else START


async def read_with_sql(database: Database, client: Redis) -> Books:
    """The store's books, with every entry that SQL has of any epoch as their ledger."""
    books = await read_books(client, SELLER)
    books.ledger = [_entry(row) for row in await _rows(database, LedgerEntryRow, LedgerEntryRow.number)]
    return books


def _entry(row: LedgerEntryRow) -> Entry:
    return msgspec.msgpack.decode(row.body, type=Entry)


async def judge_sql(database: Database, client: Redis, seconds_max: float, still_s: float = STILL_S) -> list[Fault]:
    """Every way in which SQL differs from the store; it is read again when something happened meanwhile."""
    for _ in range(READINGS_MAX):
        if not await caught_up(database, client, seconds_max, still_s):
            return [Fault("away", "drain", f"is at {await _drained(database)}")]
        before = await last_id(client, SELLER)
        faults = await _differences(database, client)
        if before == await last_id(client, SELLER):
            break
    return faults


async def _differences(database: Database, client: Redis) -> list[Fault]:
    rows = await _rows(database, LedgerEntryRow, LedgerEntryRow.number)
    ledger = await read(client, SELLER, START, ENTRIES_MAX)
    faults = [*judge_entries(rows, ledger), *await _judge_records(database, client)]
    entries = [(row.number, _entry(row)) for row in rows]
    return [*faults, *await _judge_subjects(database, entries), *await _judge_moves(database, entries)]


# --- entries -----------------------------------------------------------------------------------------------------


def judge_entries(rows: list[LedgerEntryRow], ledger: list[Row]) -> Faults:
    """Each entry of the store once, as it is there; numbers without a gap; hashes that are true; each op once."""
    epoch = ledger[-1][1].epoch if ledger else ""
    known = {row.id: _entry(row) for row in rows if row.epoch == epoch}
    for id, entry in ledger:
        found = known.pop(id, None)
        if found is None:
            yield Fault("undrained", f"{entry.op or entry.verb} {id}")
        elif found != entry:
            yield Fault("recorded", f"{entry.op or entry.verb} {id}", f"SQL has {found}"[:600])
    for id, entry in known.items():
        yield Fault("recorded", f"{entry.op or entry.verb} {id}", "the store has no such entry")
    for place, row in enumerate(rows, 1):
        if row.number != place:
            yield Fault("recorded", row.id, f"has number {row.number} at place {place}")
            return
        if row.hash != hash_of(row.body):
            yield Fault("recorded", row.id, "has another hash")
    for op, times in Counter(row.op for row in rows if row.op).items():
        if times > 1:
            yield Fault("doubled", op, f"{times} entries in SQL")


# --- what they add up to -----------------------------------------------------------------------------------------


async def _judge_records(database: Database, client: Redis) -> list[Fault]:
    store = {word: await _hash(client, word) for word in ("stock", "orders", "holds", "ops", "config")}
    orders = await _rows(database, OrderRow)
    remembered = {
        "stock": {row.sku: row.state for row in await _rows(database, BalanceRow)},
        "orders": {f"{row.channel}:{row.external_id}": row.record for row in orders},
        "holds": {row.hold_id: row.record for row in await _rows(database, HoldRow)},
        "config": {row.field: row.value for row in await _rows(database, ConfigFieldRow) if row.field != VERSION},
        "ops": {row.op: row.answer for row in await _rows(database, OpAnswerRow)},
    }
    # SQL knows effects alone, and for ever.
    store["ops"] = {op: answer for op, answer in store["ops"].items() if op in remembered["ops"]}
    faults = [fault for word in store for fault in differences(word, store[word], remembered[word])]
    lines, takes = await _rows(database, OrderLineRow), await _rows(database, OrderTakeRow)
    returns = await _rows(database, AnnouncedReturnRow)
    return [*faults, *judge_lines(orders, lines, takes), *judge_returns(orders, returns)]


def differences(word: str, store: Mapping[str, Any], remembered: Mapping[str, Any]) -> Faults:
    """What is not the same on both sides."""
    for name in sorted(store.keys() | remembered.keys()):
        there, here = store.get(name), remembered.get(name)
        if there != here:
            yield Fault("recorded", f"{word} {name}", f"{_told(word, there)} in the store, {_told(word, here)} in SQL")


def _told(word: str, packed: bytes | None) -> str:
    decode = {"stock": decode_state, "orders": decode_order}.get(word)
    return str(decode(packed) if decode and packed else packed)[:400]


def judge_lines(orders: list[OrderRow], lines: list[OrderLineRow], takes: list[OrderTakeRow]) -> Faults:
    """Lines and takes are those of the orders, and no others."""
    expected_lines, expected_takes = [], []
    for row in orders:
        order = decode_order(row.record).order
        key = {"channel": row.channel, "external_id": row.external_id, "placed_ms": order.placed_ms}
        for line in order.lines:
            expected_lines.append({**key, **msgspec.structs.asdict(line)})
            expected_takes += [
                {**key, "line": line.line, "place": place, **msgspec.structs.asdict(take)}
                for place, take in enumerate(line.takes)
            ]
    yield from _unequal("line", _picked(OrderLineRow, expected_lines), _dumped(OrderLineRow, lines))
    yield from _unequal("take", _picked(OrderTakeRow, expected_takes), _dumped(OrderTakeRow, takes))


def judge_returns(orders: list[OrderRow], returns: list[AnnouncedReturnRow]) -> Faults:
    """Announced returns are those of the orders, and no others."""
    expected = []
    for row in orders:
        for one in decode_order(row.record).order.announced:
            facts = {**msgspec.structs.asdict(one), "due_ms": one.due_ms or 0}
            key = {"channel": row.channel, "external_id": row.external_id, **facts}
            expected += [{**key, **msgspec.structs.asdict(line)} for line in one.lines]
    yield from _unequal("return", _picked(AnnouncedReturnRow, expected), _dumped(AnnouncedReturnRow, returns))


def _names(table: type) -> list[str]:
    return [name for name in table.model_fields if name != "seller"]


def _picked(table: type, facts: list[dict[str, Any]]) -> list[tuple]:
    return [tuple(each[name] for name in _names(table)) for each in facts]


def _dumped(table: type, rows: list[Any]) -> list[tuple]:
    return [tuple(getattr(row, name) for name in _names(table)) for row in rows]


def _unequal(word: str, expected: Iterable[tuple], found: Iterable[tuple]) -> Faults:
    wanted, there = Counter(expected), Counter(found)
    for row in wanted - there:
        yield Fault("recorded", f"{word} {row}", "is not in SQL")
    for row in there - wanted:
        yield Fault("recorded", f"{word} {row}", "is in SQL alone")


async def _judge_subjects(database: Database, entries: list[tuple[int, Entry]]) -> list[Fault]:
    expected = [
        (*name.split(":", 1), number)
        for number, entry in entries
        for name in entry.records
        if name.startswith(("order:", "hold:"))
    ]
    found = [(row.kind, row.id, row.number) for row in await _rows(database, LedgerSubjectRow)]
    return list(_unequal("subject", expected, found))


async def _judge_moves(database: Database, entries: list[tuple[int, Entry]]) -> list[Fault]:
    expected = [
        (number, change.sku, change.version, *move)
        for number, entry in entries
        for change in entry.changes
        for move in change.moves
    ]
    names = ("number", "sku", "version", "location", "bucket", "of", "units")
    rows = await _rows(database, LedgerMoveRow)
    return list(_unequal("move", expected, [tuple(getattr(row, name) for name in names) for row in rows]))


# --- reading -----------------------------------------------------------------------------------------------------


async def _rows(database: Database, table: type, *order: Any) -> list[Any]:
    async with database.reading() as session:
        mine = select(table).where(table.seller == SELLER).order_by(*order)
        return list((await session.exec(mine)).all())


async def _hash(client: Redis, word: str) -> Records:
    [name] = SellerKeys(SELLER).named(word)
    return {field.decode(): value for field, value in (await client.hgetall(name)).items()}
