"""
What happened, and what it adds up to: written by the drain alone, in one transaction with its cursor.

Rows are dictionaries by column: a shop's day is millions of them, and an object for each would cost more than all else.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any, Final, NamedTuple

from sqlalchemy import Table, bindparam, delete, func, insert, literal, select, tuple_
from sqlmodel import SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

from .announced_tables import AnnouncedReturnRow
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
)
from .statements import dialect, execute

Row = Mapping[str, Any]
Rows = Sequence[Row]

ASK_MAX: Final = 500
"""Most keys one query asks for: databases limit the variables of a statement."""


def _table(table: type[SQLModel]) -> Table:
    return table.__table__  # type: ignore[attr-defined,no-any-return] # SQLModel makes it


def _columns(table: type[SQLModel], *names: str) -> list[Any]:
    return [_table(table).c[name] for name in names]


def _of_channel(table: type[SQLModel]) -> tuple[Any, ...]:
    """What finds orders of a channel by `_those` values."""
    seller, channel, external_id = _columns(table, "seller", "channel", "external_id")
    ids: Any = bindparam("ids", expanding=True)
    return seller == bindparam("of"), channel == bindparam("channel"), external_id.in_(ids)


_ENTRY: Final = _table(LedgerEntryRow).c
_LAST: Final = select(func.max(_ENTRY.number)).where(_ENTRY.seller == bindparam("of"))
_NEWEST: Final = select(_ENTRY.body).where(_ENTRY.seller == bindparam("of")).order_by(_ENTRY.number.desc()).limit(1)
_HASHES: Final = select(_ENTRY.id, _ENTRY.hash).where(
    _ENTRY.seller == bindparam("of"),
    _ENTRY.epoch == bindparam("epoch"),
    _ENTRY.id.in_(bindparam("ids", expanding=True)),
)
_BALANCE: Final = _table(BalanceRow).c
_STATES: Final = select(_BALANCE.sku, _BALANCE.state).where(
    _BALANCE.seller == bindparam("of"), _BALANCE.sku.in_(bindparam("skus", expanding=True))
)
_RECORDS: Final = select(*_columns(OrderRow, "channel", "external_id", "record")).where(*_of_channel(OrderRow))
_GONE: Final = [delete(table).where(*_of_channel(table)) for table in (OrderTakeRow, OrderLineRow, AnnouncedReturnRow)]


PAGES: Final = {
    "stock": (_columns(BalanceRow, "sku"), *_columns(BalanceRow, "state")),
    "orders": (_columns(OrderRow, "channel", "external_id"), *_columns(OrderRow, "record")),
    "holds": (_columns(HoldRow, "hold_id"), *_columns(HoldRow, "record")),
    "config": (_columns(ConfigFieldRow, "field"), *_columns(ConfigFieldRow, "value")),
    "ops": (_columns(OpAnswerRow, "op"), *_columns(OpAnswerRow, "answer")),
}
"""Of each kind of record: the columns of its key, and the one with what Valkey keeps of it."""

_AFTER: Final = ("after_1", "after_2")


class Dated(NamedTuple):
    """A record: its key, what Valkey keeps of it, and when it changed last; 0 for what is kept whatever its age."""

    key: tuple[str, ...]
    packed: bytes
    at_ms: int


def _changed_at(kind: str, table: Any) -> Any:
    if kind == "ops":
        return table.c.at_ms
    if kind not in {"orders", "holds"}:
        return literal(0)
    entry = _columns(LedgerEntryRow, "seller", "number", "at_ms")
    return select(entry[2]).where(entry[0] == table.c.seller, entry[1] == table.c.number).scalar_subquery()


async def last_number(session: AsyncSession, seller: str) -> int:
    """The number of the seller's newest entry; 0 before the first."""
    return (await execute(session, _LAST, {"of": seller})).scalar_one() or 0


async def known_hashes(session: AsyncSession, seller: str, epoch: str, ids: Sequence[str]) -> dict[str, str]:
    """The hashes of those of these entries that are here already."""
    known: dict[str, str] = {}
    for part in _parts(ids):
        found = await execute(session, _HASHES, {"of": seller, "epoch": epoch, "ids": part})
        known |= {str(id): str(hash) for id, hash in found}
    return known


async def states_of(session: AsyncSession, seller: str, skus: Sequence[str]) -> dict[str, bytes]:
    """The states of these skus, packed; one that is not here has none."""
    found: dict[str, bytes] = {}
    for part in _parts(skus):
        rows = await execute(session, _STATES, {"of": seller, "skus": part})
        found |= {str(sku): bytes(state) for sku, state in rows}
    return found


async def orders_of(session: AsyncSession, seller: str, ids: Sequence[str]) -> dict[str, bytes]:
    """The packed orders of these ids (channel:external id); one that is not here has none."""
    found: dict[str, bytes] = {}
    for those in _those([(seller, *id.split(":", 1)) for id in ids]):
        rows = await execute(session, _RECORDS, those)
        found |= {f"{channel}:{id}": bytes(record) for channel, id, record in rows}
    return found


def _those(orders: Iterable[Sequence[str]]) -> Iterable[dict[str, Any]]:
    """
    Values for `_of_channel` that together find these orders (seller, channel, external id), some hundreds at a time.

    Channel by channel: for a list of pairs SQLite would walk every row the seller ever had.
    """
    by_channel: dict[tuple[str, str], list[str]] = {}
    for seller, channel, external_id in orders:
        by_channel.setdefault((seller, channel), []).append(external_id)
    for (seller, channel), ids in by_channel.items():
        for part in _parts(ids):
            yield {"of": seller, "channel": channel, "ids": part}


async def page(
    session: AsyncSession, kind: str, seller: str, after: tuple[str, ...] | None, limit: int
) -> list[tuple[tuple[str, ...], bytes]]:
    """The next records of a kind (a word of PAGES) after this key, None at first: keys, and what Valkey keeps."""
    rows = await execute(session, _paging(kind, begun=after is not None), _page_of(seller, after, limit))
    return [(tuple(key), blob(packed)) for *key, packed, _ in rows]


async def dated_page(
    session: AsyncSession, kind: str, seller: str, after: tuple[str, ...] | None, limit: int
) -> list[Dated]:
    """As `page`, with when each record changed last."""
    rows = await execute(session, _paging(kind, begun=after is not None, dated=True), _page_of(seller, after, limit))
    return [Dated(tuple(key), blob(packed), at_ms) for *key, packed, at_ms in rows]


@cache
def _paging(kind: str, *, begun: bool, dated: bool = False) -> Any:
    """Key, record and when it changed of a page's records; `begun` after a key."""
    columns, value = PAGES[kind]
    table = columns[0].table
    query = select(*columns, value, _changed_at(kind, table) if dated else literal(0))
    query = query.where(table.c.seller == bindparam("of")).order_by(*columns).limit(bindparam("most"))
    return query.where(tuple_(*columns) > tuple_(*map(bindparam, _AFTER[: len(columns)]))) if begun else query


def _page_of(seller: str, after: tuple[str, ...] | None, limit: int) -> dict[str, Any]:
    return {"of": seller, "most": limit, **dict(zip(_AFTER, after or (), strict=False))}


def blob(value: Any) -> bytes:
    """A column of bytes; SQLite also gives text, where somebody wrote that."""
    return value.encode() if isinstance(value, str) else bytes(value)


async def balances(session: AsyncSession, seller: str, chunk: int) -> AsyncIterator[list[tuple[str, bytes]]]:
    """All skus with their packed states in the order of bytes, some at a time, as they are at one moment."""
    connection = await session.connection()
    async with connection.stream(_by_bytes(dialect(session), chunk), {"of": seller}) as rows:
        async for part in rows.partitions(chunk):
            yield [(str(sku), bytes(state)) for sku, state in part]


@cache
def _by_bytes(dialect: ModuleType, chunk: int) -> Any:
    by_bytes = _BALANCE.sku.collate("C") if dialect.__name__.endswith("postgresql") else _BALANCE.sku
    query = select(_BALANCE.sku, _BALANCE.state).where(_BALANCE.seller == bindparam("of")).order_by(by_bytes)
    return query.execution_options(yield_per=chunk)


async def entry_hash(session: AsyncSession, seller: str, epoch: str, id: str) -> str | None:
    """The hash of this entry, or None when it is not here."""
    return (await known_hashes(session, seller, epoch, [id])).get(id)


async def newest_body(session: AsyncSession, seller: str) -> bytes | None:
    """All of the newest entry, or None."""
    found = (await execute(session, _NEWEST, {"of": seller})).first()
    return None if found is None else blob(found[0])


async def add_entries(session: AsyncSession, entries: Rows, moves: Rows, subjects: Rows) -> None:
    """Append entries that are not here yet."""
    for table, rows in ((LedgerEntryRow, entries), (LedgerMoveRow, moves), (LedgerSubjectRow, subjects)):
        if rows:
            await execute(session, _inserting(table), rows)


async def put_orders(session: AsyncSession, orders: Rows, lines: Rows, takes: Rows, announced: Rows = ()) -> None:
    """These orders are now so; of their takes, lines and announced returns nothing else is left."""
    keys = [(row["seller"], row["channel"], row["external_id"]) for row in orders]
    for those in _those(keys):
        for gone in _GONE:
            await execute(session, gone, those)
    await _upsert(session, OrderRow, orders)
    for table, rows in ((OrderLineRow, lines), (OrderTakeRow, takes), (AnnouncedReturnRow, announced)):
        if rows:
            await execute(session, _inserting(table), rows)


async def add_shipments(session: AsyncSession, shipments: Rows, lines: Rows) -> None:
    """Append what left the shelves."""
    for table, rows in ((ShipmentRow, shipments), (ShipmentLineRow, lines)):
        if rows:
            await execute(session, _inserting(table), rows)


async def put_holds(session: AsyncSession, holds: Rows, lines: Rows) -> None:
    """These holds are now so; those that are new are made of these lines."""
    await _upsert(session, HoldRow, holds, once="made_ms")
    await _upsert(session, HoldLineRow, lines)


async def put_balances(session: AsyncSession, balances: Rows, places: Rows) -> None:
    """These skus are now so, and these are the units of the places that were touched."""
    await _upsert(session, BalanceRow, balances)
    await _upsert(session, BalancePlaceRow, places)


async def put_config(session: AsyncSession, seller: str, fields: Rows, removed: Sequence[str]) -> None:
    """These fields of the compiled config are now so, and these are gone."""
    for part in _parts(removed):
        gone = col(ConfigFieldRow.seller) == seller, col(ConfigFieldRow.field).in_(part)
        await execute(session, delete(ConfigFieldRow).where(*gone))
    await _upsert(session, ConfigFieldRow, fields)


async def put_answers(session: AsyncSession, answers: Rows) -> None:
    """These ops were answered so."""
    await _upsert(session, OpAnswerRow, answers)


async def _upsert(session: AsyncSession, table: type[SQLModel], rows: Rows, *, once: str = "") -> None:
    """Add or replace; the column `once` stays as it was first."""
    if rows:
        await execute(session, _upserting(dialect(session), table, tuple(rows[0]), once), rows)


@cache
def _upserting(dialect: ModuleType, table: type[SQLModel], columns: tuple[str, ...], once: str) -> Any:
    shape = _table(table)
    statement = dialect.insert(shape)
    keys = [column.name for column in shape.primary_key]
    others = {name: statement.excluded[name] for name in columns if name not in {*keys, once}}
    return statement.on_conflict_do_update(index_elements=keys, set_=others)


@cache
def _inserting(table: type[SQLModel]) -> Any:
    return insert(table)


def _parts(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + ASK_MAX] for start in range(0, len(values), ASK_MAX))
