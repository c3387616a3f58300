"""
What happened, and what it adds up to: written by the drain alone, in one transaction with its cursor.

Rows are dictionaries by column: a shop's day is millions of them, and an object for each would cost more than all else.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, func, insert, literal, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

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

Row = Mapping[str, Any]
Rows = Sequence[Row]

ASK_MAX: Final = 500
"""Most keys one query asks for: databases limit the variables of a statement."""


def _columns(table: type[SQLModel], *names: str) -> list[Any]:
    return [table.__table__.c[name] for name in names]  # type: ignore[attr-defined] # SQLModel makes it


PAGES: Final = {
    "stock": (_columns(BalanceRow, "sku"), *_columns(BalanceRow, "state")),
    "orders": (_columns(OrderRow, "channel", "external_id"), *_columns(OrderRow, "record")),
    "holds": (_columns(HoldRow, "hold_id"), *_columns(HoldRow, "record")),
    "config": (_columns(ConfigFieldRow, "field"), *_columns(ConfigFieldRow, "value")),
    "ops": (_columns(OpAnswerRow, "op"), *_columns(OpAnswerRow, "answer")),
}
"""Of each kind of record: the columns of its key, and the one with what Valkey keeps of it."""


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
    query = select(func.max(LedgerEntryRow.number)).where(col(LedgerEntryRow.seller) == seller)
    return (await _execute(session, query)).scalar_one() or 0


async def known_hashes(session: AsyncSession, seller: str, epoch: str, ids: Sequence[str]) -> dict[str, str]:
    """The hashes of those of these entries that are here already."""
    known: dict[str, str] = {}
    for part in _parts(ids):
        query = select(col(LedgerEntryRow.id), col(LedgerEntryRow.hash)).where(
            col(LedgerEntryRow.seller) == seller,
            col(LedgerEntryRow.epoch) == epoch,
            col(LedgerEntryRow.id).in_(part),
        )
        known |= {str(id): str(hash) for id, hash in await _execute(session, query)}
    return known


async def states_of(session: AsyncSession, seller: str, skus: Sequence[str]) -> dict[str, bytes]:
    """The states of these skus, packed; one that is not here has none."""
    found: dict[str, bytes] = {}
    for part in _parts(skus):
        query = select(col(BalanceRow.sku), col(BalanceRow.state)).where(
            col(BalanceRow.seller) == seller, col(BalanceRow.sku).in_(part)
        )
        found |= {str(sku): bytes(state) for sku, state in await _execute(session, query)}
    return found


async def orders_of(session: AsyncSession, seller: str, ids: Sequence[str]) -> dict[str, bytes]:
    """The packed orders of these ids (channel:external id); one that is not here has none."""
    found: dict[str, bytes] = {}
    for those in _those(OrderRow, [(seller, *id.split(":", 1)) for id in ids]):
        query = select(col(OrderRow.channel), col(OrderRow.external_id), col(OrderRow.record)).where(*those)
        found |= {f"{channel}:{id}": bytes(record) for channel, id, record in await _execute(session, query)}
    return found


def _those(table: Any, orders: Iterable[Sequence[str]]) -> Iterable[tuple[Any, ...]]:
    """
    Conditions that together find these orders (seller, channel, external id), some hundreds at a time.

    Channel by channel: for a list of pairs SQLite would walk every row the seller ever had.
    """
    by_channel: dict[tuple[str, str], list[str]] = {}
    for seller, channel, external_id in orders:
        by_channel.setdefault((seller, channel), []).append(external_id)
    for (seller, channel), ids in by_channel.items():
        for part in _parts(ids):
            yield col(table.seller) == seller, col(table.channel) == channel, col(table.external_id).in_(part)


async def page(
    session: AsyncSession, kind: str, seller: str, after: tuple[str, ...] | None, limit: int
) -> list[tuple[tuple[str, ...], bytes]]:
    """The next records of a kind (a word of PAGES) after this key, None at first: keys, and what Valkey keeps."""
    columns, value = PAGES[kind]
    query = select(*columns, value).where(columns[0].table.c.seller == seller).order_by(*columns).limit(limit)
    if after is not None:
        query = query.where(tuple_(*columns) > tuple_(*after))
    return [(tuple(row[:-1]), blob(row[-1])) for row in await _execute(session, query)]


async def dated_page(
    session: AsyncSession, kind: str, seller: str, after: tuple[str, ...] | None, limit: int
) -> list[Dated]:
    """As `page`, with when each record changed last."""
    columns, value = PAGES[kind]
    table = columns[0].table
    query = select(*columns, value, _changed_at(kind, table)).where(table.c.seller == seller)
    if after is not None:
        query = query.where(tuple_(*columns) > tuple_(*after))
    found = await _execute(session, query.order_by(*columns).limit(limit))
    return [Dated(tuple(key), blob(packed), at_ms) for *key, packed, at_ms in found]


def blob(value: Any) -> bytes:
    """A column of bytes; SQLite also gives text, where somebody wrote that."""
    return value.encode() if isinstance(value, str) else bytes(value)


async def balances(session: AsyncSession, seller: str, chunk: int) -> AsyncIterator[list[tuple[str, bytes]]]:
    """All skus with their packed states in the order of bytes, some at a time, as they are at one moment."""
    sku = col(BalanceRow.sku)
    by_bytes = sku.collate("C") if session.get_bind().dialect.name == "postgresql" else sku
    query = select(sku, col(BalanceRow.state)).where(col(BalanceRow.seller) == seller).order_by(by_bytes)
    connection = await session.connection()
    async with connection.stream(query.execution_options(yield_per=chunk)) as rows:
        async for part in rows.partitions(chunk):
            yield [(str(sku), bytes(state)) for sku, state in part]


async def entry_hash(session: AsyncSession, seller: str, epoch: str, id: str) -> str | None:
    """The hash of this entry, or None when it is not here."""
    return (await known_hashes(session, seller, epoch, [id])).get(id)


async def last_entry(session: AsyncSession, seller: str) -> tuple[str, str, int] | None:
    """Epoch, id and time in ms of the newest entry, or None."""
    query = select(col(LedgerEntryRow.epoch), col(LedgerEntryRow.id), col(LedgerEntryRow.at_ms))
    mine = query.where(col(LedgerEntryRow.seller) == seller).order_by(col(LedgerEntryRow.number).desc()).limit(1)
    found = (await _execute(session, mine)).first()
    return None if found is None else (found[0], found[1], found[2])


async def add_entries(session: AsyncSession, entries: Rows, moves: Rows, subjects: Rows) -> None:
    """Append entries that are not here yet."""
    for table, rows in ((LedgerEntryRow, entries), (LedgerMoveRow, moves), (LedgerSubjectRow, subjects)):
        if rows:
            await _execute(session, insert(table), rows)


async def put_orders(session: AsyncSession, orders: Rows, lines: Rows, takes: Rows) -> None:
    """These orders are now so; of their takes and lines nothing else is left."""
    keys = [(row["seller"], row["channel"], row["external_id"]) for row in orders]
    for table in (OrderTakeRow, OrderLineRow):
        for those in _those(table, keys):
            await _execute(session, delete(table).where(*those))
    await _upsert(session, OrderRow, orders)
    for table, rows in ((OrderLineRow, lines), (OrderTakeRow, takes)):
        if rows:
            await _execute(session, insert(table), rows)


async def add_shipments(session: AsyncSession, shipments: Rows, lines: Rows) -> None:
    """Append what left the shelves."""
    for table, rows in ((ShipmentRow, shipments), (ShipmentLineRow, lines)):
        if rows:
            await _execute(session, insert(table), rows)


async def put_holds(session: AsyncSession, holds: Rows, lines: Rows) -> None:
    """These holds are now so; those that are new are made of these lines."""
    await _upsert(session, HoldRow, holds, once={"made_ms"})
    await _upsert(session, HoldLineRow, lines)


async def put_balances(session: AsyncSession, balances: Rows, places: Rows) -> None:
    """These skus are now so, and these are the units of the places that were touched."""
    await _upsert(session, BalanceRow, balances)
    await _upsert(session, BalancePlaceRow, places)


async def put_config(session: AsyncSession, seller: str, fields: Rows, removed: Sequence[str]) -> None:
    """These fields of the compiled config are now so, and these are gone."""
    for part in _parts(removed):
        gone = col(ConfigFieldRow.seller) == seller, col(ConfigFieldRow.field).in_(part)
        await _execute(session, delete(ConfigFieldRow).where(*gone))
    await _upsert(session, ConfigFieldRow, fields)


async def put_answers(session: AsyncSession, answers: Rows) -> None:
    """These ops were answered so."""
    await _upsert(session, OpAnswerRow, answers)


async def _upsert(session: AsyncSession, table: type[SQLModel], rows: Rows, *, once: Collection[str] = ()) -> None:
    """Add or replace; columns of `once` stay as they were first."""
    if not rows:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    shape = table.__table__  # type: ignore[attr-defined] # SQLModel makes it
    statement = dialect.insert(shape)
    keys = [column.name for column in shape.primary_key]
    others = {name: statement.excluded[name] for name in rows[0] if name not in {*keys, *once}}
    await _execute(session, statement.on_conflict_do_update(index_elements=keys, set_=others), rows)


async def _execute(session: AsyncSession, statement: Any, rows: Rows | None = None) -> Any:
    """Past the session, which would look each row up among objects that there are none of."""
    connection = await session.connection()
    return await connection.execute(statement, None if rows is None else list(rows))


def _parts(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + ASK_MAX] for start in range(0, len(values), ASK_MAX))
