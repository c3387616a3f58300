"""
What a check reads of the ledger in SQL: entries and derived rows side by side, as plain tuples.

A page of a check is thousands of rows, and tuples compare as they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Table, exists, func, select, tuple_
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from .announced_tables import AnnouncedReturnRow
from .ledger import ASK_MAX, blob
from .ledger_tables import (
    BalancePlaceRow,
    BalanceRow,
    ConfigFieldRow,
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
from .statements import all_rows


def _table(row: type[SQLModel]) -> Table:
    return row.__table__  # type: ignore[attr-defined,no-any-return] # SQLModel makes it


ENTRIES: Final = _table(LedgerEntryRow)
MOVES: Final = _table(LedgerMoveRow)
SUBJECTS: Final = _table(LedgerSubjectRow)
ORDERS: Final = _table(OrderRow)
LINES: Final = _table(OrderLineRow)
TAKES: Final = _table(OrderTakeRow)
ANNOUNCED: Final = _table(AnnouncedReturnRow)
SHIPMENTS: Final = _table(ShipmentRow)
SHIPMENT_LINES: Final = _table(ShipmentLineRow)
TRANSFERS: Final = _table(TransferRow)
TRANSFER_LINES: Final = _table(TransferLineRow)
TRANSFER_STEPS: Final = _table(TransferStepRow)
HOLDS: Final = _table(HoldRow)
HOLD_LINES: Final = _table(HoldLineRow)
BALANCES: Final = _table(BalanceRow)
PLACES: Final = _table(BalancePlaceRow)
FIELDS: Final = _table(ConfigFieldRow)
ANSWERS: Final = _table(OpAnswerRow)

KEYS: Final = {
    "subjects": (SUBJECTS, ("kind", "id", "number")),
    "orders": (ORDERS, ("channel", "external_id")),
    "lines": (LINES, ("channel", "external_id")),
    "takes": (TAKES, ("channel", "external_id")),
    "announced": (ANNOUNCED, ("channel", "external_id")),
    "shipments": (SHIPMENTS, ("number",)),
    "shipment_lines": (SHIPMENT_LINES, ("number",)),
    "transfers": (TRANSFERS, ("transfer_id",)),
    "transfer_lines": (TRANSFER_LINES, ("transfer_id",)),
    "transfer_steps": (TRANSFER_STEPS, ("number",)),
    "holds": (HOLDS, ("hold_id",)),
    "hold_lines": (HOLD_LINES, ("hold_id",)),
    "stock": (BALANCES, ("sku",)),
    "places": (PLACES, ("sku",)),
    "ops": (ANSWERS, ("op",)),
    "config": (FIELDS, ("field",)),
}
"""Derived tables, and what names a thing in each."""

Tuples = list[tuple[Any, ...]]


class EntryRead(NamedTuple):
    """An entry's row."""

    number: int
    epoch: str
    id: str
    hash: str
    verb: str
    op: str
    actor: str
    why: str
    config: str
    at_ms: int
    body: bytes


def _entry(row: Any) -> EntryRead:
    return EntryRead._make([*row[:-1], blob(row[-1])])


def _compared(table: Table) -> list[Any]:
    """The columns that an entry alone says: not the seller, nor when the first entry made a hold."""
    return [column for column in table.columns if column.name not in {"seller", "made_ms"}]


def as_tuples(kind: str, rows: Iterable[Mapping[str, Any]]) -> Tuples:
    """Rows as they are written, in the order of columns that reading has."""
    names = [column.name for column in _compared(_SHAPES[kind])]
    return [tuple([row[name] for name in names]) for row in rows]


_SHAPES: Final = {"moves": MOVES, **{kind: table for kind, (table, _) in KEYS.items()}}


async def entries_after(session: AsyncSession, seller: str, number: int, limit: int) -> list[EntryRead]:
    """The next entries, in order of their numbers."""
    columns = [ENTRIES.c[name] for name in EntryRead._fields]
    mine = ENTRIES.c.seller == seller, ENTRIES.c.number > number
    found = await all_rows(session, select(*columns).where(*mine).order_by(ENTRIES.c.number).limit(limit))
    return [_entry(row) for row in found]


async def moves_between(session: AsyncSession, seller: str, after: int, last: int | None) -> Tuples:
    """Moves of the entries after one number up to another (None: without an end), in order."""
    columns = [column for column in MOVES.columns if column.name != "seller"]
    wanted = [MOVES.c.seller == seller, MOVES.c.number > after]
    wanted += [] if last is None else [MOVES.c.number <= last]
    query = select(*columns).where(*wanted).order_by(MOVES.c.number, MOVES.c.place)
    return [tuple(row) for row in await all_rows(session, query)]


async def made_between(session: AsyncSession, seller: str, kind: str, after: int, last: int | None = None) -> Tuples:
    """Rows of a table that is keyed by entries, of those after one number up to another (None: without an end)."""
    table, _ = KEYS[kind]
    wanted = [table.c.seller == seller, table.c.number > after]
    wanted += [] if last is None else [table.c.number <= last]
    return [tuple(row) for row in await all_rows(session, select(*_compared(table)).where(*wanted))]


async def subjects_among(session: AsyncSession, seller: str, wanted: Sequence[tuple[str, str, int]]) -> set[Any]:
    """Those of these subjects (kind, id, number) that are there."""
    key = SUBJECTS.c.kind, SUBJECTS.c.id, SUBJECTS.c.number
    found: set[Any] = set()
    for start in range(0, len(wanted), ASK_MAX // 2):
        part = wanted[start : start + ASK_MAX // 2]
        for kind in {word for word, _, _ in part}:
            # By kind and id, which SQLite has an index for; it has none for a list of triples.
            ids = {id for word, id, _ in part if word == kind}
            numbers = {number for _, _, number in part}
            these = SUBJECTS.c.kind == kind, SUBJECTS.c.id.in_(ids), SUBJECTS.c.number.in_(numbers)
            query = select(*key).where(SUBJECTS.c.seller == seller, *these)
            found |= {tuple(row) for row in await all_rows(session, query)}
    return found & set(wanted)


async def subjects_after(
    session: AsyncSession, seller: str, after: tuple[str, str, int], limit: int
) -> list[tuple[str, str, int]]:
    """The next subjects, in the order of kind, id and number."""
    key = SUBJECTS.c.kind, SUBJECTS.c.id, SUBJECTS.c.number
    query = select(*key).where(SUBJECTS.c.seller == seller, tuple_(*key) > tuple_(*after)).order_by(*key).limit(limit)
    return [(row[0], row[1], row[2]) for row in await all_rows(session, query)]


async def rows_of(session: AsyncSession, seller: str, kind: str, keys: Sequence[tuple[str, ...]]) -> Tuples:
    """All rows of a derived table that are about these things."""
    table, names = KEYS[kind]
    columns = _compared(table)
    # All but the last part of a key one by one: for a list of pairs SQLite would walk every row the seller ever had.
    by_head: dict[tuple[str, ...], list[str]] = {}
    for key in keys:
        by_head.setdefault(key[:-1], []).append(key[-1])
    found: Tuples = []
    for head, lasts in by_head.items():
        same = [table.c[name] == value for name, value in zip(names, head, strict=False)]
        for start in range(0, len(lasts), ASK_MAX):
            part = table.c[names[-1]].in_(lasts[start : start + ASK_MAX])
            query = select(*columns).where(table.c.seller == seller, *same, part)
            found += [tuple(row) for row in await all_rows(session, query)]
    return found


async def count_of(session: AsyncSession, seller: str, kind: str) -> int:
    """How many rows a derived table has."""
    table, _ = KEYS[kind]
    query = select(func.count()).select_from(table).where(table.c.seller == seller)
    return int((await all_rows(session, query))[0][0])


async def orphans(session: AsyncSession, seller: str, kind: str, limit: int) -> list[tuple[str, ...]]:
    """Keys of orders and holds whose entry is not about them, and of what is part of nothing that is there."""
    table, names = KEYS[kind]
    key = [table.c[name] for name in names]
    query = select(*key).where(table.c.seller == seller, ~_has_origin(kind, table)).distinct().limit(limit)
    return [tuple(row) for row in await all_rows(session, query)]


def _has_origin(kind: str, table: Table) -> Any:
    if kind in {"lines", "takes", "announced"}:
        same = [ORDERS.c[name] == table.c[name] for name in ("seller", "channel", "external_id")]
        return exists().where(*same)
    if kind in {"hold_lines", "places"}:
        whole, name = (HOLDS, "hold_id") if kind == "hold_lines" else (BALANCES, "sku")
        return exists().where(whole.c.seller == table.c.seller, whole.c[name] == table.c[name])
    word, id = (
        ("hold", HOLDS.c.hold_id) if kind == "holds" else ("order", ORDERS.c.channel + ":" + ORDERS.c.external_id)
    )
    told = SUBJECTS.c.kind == word, SUBJECTS.c.id == id
    return exists().where(SUBJECTS.c.seller == table.c.seller, *told, SUBJECTS.c.number == table.c.number)


async def last_about(session: AsyncSession, seller: str, kind: str, id: str) -> int | None:
    """The number of the newest entry about an order or a hold, as the entries' subjects say."""
    mine = SUBJECTS.c.seller == seller, SUBJECTS.c.kind == kind, SUBJECTS.c.id == id
    found = await all_rows(session, select(func.max(SUBJECTS.c.number)).where(*mine))
    return None if found[0][0] is None else int(found[0][0])


async def last_until(session: AsyncSession, seller: str, kind: str, ids: Sequence[str], number: int) -> dict[str, int]:
    """The numbers of the newest entries up to this one about each of these orders or holds."""
    found: dict[str, int] = {}
    for start in range(0, len(ids), ASK_MAX):
        these = SUBJECTS.c.kind == kind, SUBJECTS.c.id.in_(ids[start : start + ASK_MAX]), SUBJECTS.c.number <= number
        query = select(SUBJECTS.c.id, func.max(SUBJECTS.c.number)).where(SUBJECTS.c.seller == seller, *these)
        found |= {str(id): int(last) for id, last in await all_rows(session, query.group_by(SUBJECTS.c.id))}
    return found


async def first_about(session: AsyncSession, seller: str, kind: str, id: str) -> int | None:
    """The number of the oldest entry about an order or a hold, as the entries' subjects say."""
    mine = SUBJECTS.c.seller == seller, SUBJECTS.c.kind == kind, SUBJECTS.c.id == id
    found = await all_rows(session, select(func.min(SUBJECTS.c.number)).where(*mine))
    return None if found[0][0] is None else int(found[0][0])


async def times_of(session: AsyncSession, seller: str, numbers: Sequence[int]) -> dict[int, int]:
    """When the entries with these numbers happened, in ms."""
    found: dict[int, int] = {}
    for start in range(0, len(numbers), ASK_MAX):
        part = numbers[start : start + ASK_MAX]
        query = select(ENTRIES.c.number, ENTRIES.c.at_ms).where(ENTRIES.c.seller == seller, ENTRIES.c.number.in_(part))
        found |= {int(number): int(at_ms) for number, at_ms in await all_rows(session, query)}
    return found


async def entries_about(session: AsyncSession, seller: str, numbers: Sequence[int]) -> list[EntryRead]:
    """The entries with these numbers, in order; at most as many as one statement takes."""
    columns = [ENTRIES.c[name] for name in EntryRead._fields]
    mine = ENTRIES.c.seller == seller, ENTRIES.c.number.in_(numbers)
    found = await all_rows(session, select(*columns).where(*mine).order_by(ENTRIES.c.number))
    return [_entry(row) for row in found]


async def shelf_entries(session: AsyncSession, seller: str, sku: str, location: str) -> list[int]:
    """The numbers of the entries that moved units of a sku onto or off a shelf, in order."""
    shelf = MOVES.c.sku == sku, MOVES.c.location == location, MOVES.c.bucket == "on_hand"
    query = select(MOVES.c.number).where(MOVES.c.seller == seller, *shelf).distinct().order_by(MOVES.c.number)
    return [int(row[0]) for row in await all_rows(session, query)]


async def entries_between(session: AsyncSession, seller: str, from_ms: int, until_ms: int) -> list[EntryRead]:
    """The entries of this time, its end not included, in order."""
    columns = [ENTRIES.c[name] for name in EntryRead._fields]
    mine = ENTRIES.c.seller == seller, ENTRIES.c.at_ms >= from_ms, ENTRIES.c.at_ms < until_ms
    return [_entry(row) for row in await all_rows(session, select(*columns).where(*mine).order_by(ENTRIES.c.number))]


async def entries_with(session: AsyncSession, seller: str, numbers: Sequence[int]) -> list[EntryRead]:
    """As `entries_about`, however many."""
    parts = [numbers[start : start + ASK_MAX] for start in range(0, len(numbers), ASK_MAX)]
    return [entry for part in parts for entry in await entries_about(session, seller, part)]


async def entry_of_op(session: AsyncSession, seller: str, op: str) -> EntryRead | None:
    """The newest entry of an op."""
    columns = [ENTRIES.c[name] for name in EntryRead._fields]
    mine = ENTRIES.c.seller == seller, ENTRIES.c.op == op
    found = await all_rows(session, select(*columns).where(*mine).order_by(ENTRIES.c.number.desc()).limit(1))
    return _entry(found[0]) if found else None


async def last_touching(session: AsyncSession, seller: str, sku: str) -> int | None:
    """The number of the newest entry that moved units of a sku."""
    query = select(func.max(MOVES.c.number)).where(MOVES.c.seller == seller, MOVES.c.sku == sku)
    found = await all_rows(session, query)
    return None if found[0][0] is None else int(found[0][0])


async def newest_of_epoch(session: AsyncSession, seller: str, epoch: str) -> str | None:
    """The stream id of the newest entry of an epoch, or None."""
    mine = ENTRIES.c.seller == seller, ENTRIES.c.epoch == epoch
    query = select(ENTRIES.c.id).where(*mine).order_by(ENTRIES.c.number.desc()).limit(1)
    found = await all_rows(session, query)
    return str(found[0][0]) if found else None


async def balances_after(session: AsyncSession, seller: str, sku: str, limit: int) -> list[tuple[str, int, bytes]]:
    """The next balances by sku: sku, version, packed state."""
    table = BALANCES
    columns = table.c.sku, table.c.version, table.c.state
    query = select(*columns).where(table.c.seller == seller, table.c.sku > sku).order_by(table.c.sku).limit(limit)
    return [(row[0], row[1], blob(row[2])) for row in await all_rows(session, query)]
