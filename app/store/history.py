"""Questions about what happened, answered from what the drain has written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, tuple_
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from .ledger_tables import LedgerEntryRow, LedgerMoveRow, LedgerSubjectRow, OrderLineRow, OrderRow, OrderTakeRow

OrderKey = tuple[int, str, str]
"""When an order was placed, its channel and its external id: how lists are sorted, newest first."""


@dataclass(frozen=True, kw_only=True)
class WantedOrders:
    """Which orders; '' and None do not choose. Times in ms, the end is not included."""

    channels: Collection[str] | None = None
    locations: Collection[str] | None = None
    state: str = ""
    sku: str = ""
    from_ms: int = 0
    until_ms: int | None = None
    before: OrderKey | None = None


@dataclass(frozen=True, kw_only=True)
class WantedMoves:
    """Which movements; '' and None do not choose. `before` is the (number, place) of the last one seen."""

    sku: str = ""
    locations: Collection[str] | None = None
    bucket: str = ""
    before: tuple[int, int] | None = None


@dataclass(frozen=True)
class EntryFacts:
    """One entry of the ledger, without what it moved."""

    number: int
    id: str
    at_ms: int
    verb: str
    op: str
    actor: str
    why: str


@dataclass(frozen=True)
class MoveFacts:
    """One bucket that an entry moved."""

    entry: EntryFacts
    place: int
    sku: str
    version: int
    location: str
    bucket: str
    of: str
    units: int


async def list_orders(session: AsyncSession, seller: str, wanted: WantedOrders, limit: int) -> list[bytes]:
    """Packed orders, newest first."""
    query = select(col(OrderRow.record)).where(col(OrderRow.seller) == seller, *_conditions(seller, wanted))
    order = col(OrderRow.placed_ms).desc(), col(OrderRow.channel).desc(), col(OrderRow.external_id).desc()
    return [bytes(row[0]) for row in await _all(session, query.order_by(*order).limit(limit))]


def _conditions(seller: str, wanted: WantedOrders) -> list[Any]:
    conditions: list[Any] = [col(OrderRow.placed_ms) >= wanted.from_ms]
    if wanted.channels is not None:
        conditions.append(col(OrderRow.channel).in_(sorted(wanted.channels)))
    if wanted.state:
        conditions.append(col(OrderRow.state) == wanted.state)
    if wanted.until_ms is not None:
        conditions.append(col(OrderRow.placed_ms) < wanted.until_ms)
    if wanted.before is not None:
        key = tuple_(col(OrderRow.placed_ms), col(OrderRow.channel), col(OrderRow.external_id))
        conditions.append(key < tuple_(*wanted.before))
    if wanted.sku:
        conditions.append(_has(OrderLineRow, seller, col(OrderLineRow.sku) == wanted.sku))
    if wanted.locations is not None:
        conditions.append(_has(OrderTakeRow, seller, col(OrderTakeRow.location).in_(sorted(wanted.locations))))
    return conditions


def _has(table: Any, seller: str, condition: Any) -> Any:
    """That an order has such a row in this table."""
    found = select(col(table.line)).where(
        col(table.seller) == seller,
        col(table.channel) == col(OrderRow.channel),
        col(table.external_id) == col(OrderRow.external_id),
        condition,
    )
    return found.exists()


_ENTRY = [
    col(column)
    for column in (
        LedgerEntryRow.number,
        LedgerEntryRow.id,
        LedgerEntryRow.at_ms,
        LedgerEntryRow.verb,
        LedgerEntryRow.op,
        LedgerEntryRow.actor,
        LedgerEntryRow.why,
    )
]
_MOVE = [
    col(column)
    for column in (
        LedgerMoveRow.place,
        LedgerMoveRow.sku,
        LedgerMoveRow.version,
        LedgerMoveRow.location,
        LedgerMoveRow.bucket,
        LedgerMoveRow.of,
        LedgerMoveRow.units,
    )
]


async def list_moves(session: AsyncSession, seller: str, wanted: WantedMoves, limit: int) -> list[MoveFacts]:
    """Movements, newest first."""
    key = col(LedgerMoveRow.number), col(LedgerMoveRow.place)
    conditions: list[Any] = []
    if wanted.sku:
        conditions.append(col(LedgerMoveRow.sku) == wanted.sku)
    if wanted.locations is not None:
        conditions.append(col(LedgerMoveRow.location).in_(sorted(wanted.locations)))
    if wanted.bucket:
        conditions.append(col(LedgerMoveRow.bucket) == wanted.bucket)
    if wanted.before is not None:
        conditions.append(tuple_(*key) < tuple_(*wanted.before))
    query = _moves(seller, conditions).order_by(*(column.desc() for column in key)).limit(limit)
    return [_move(row) for row in await _all(session, query)]


async def story_of(
    session: AsyncSession, seller: str, kind: str, id: str
) -> list[tuple[EntryFacts, Sequence[MoveFacts]]]:
    """Every entry about an order or a hold, oldest first, with what it moved."""
    mine = select(col(LedgerSubjectRow.number)).where(
        col(LedgerSubjectRow.seller) == seller, col(LedgerSubjectRow.kind) == kind, col(LedgerSubjectRow.id) == id
    )
    entries = select(*_ENTRY).where(col(LedgerEntryRow.seller) == seller, col(LedgerEntryRow.number).in_(mine))
    moves = _moves(seller, [col(LedgerMoveRow.number).in_(mine)]).order_by(
        col(LedgerMoveRow.number), col(LedgerMoveRow.place)
    )
    moved: dict[int, list[MoveFacts]] = {}
    for row in await _all(session, moves):
        moved.setdefault(row[0], []).append(_move(row))
    found = await _all(session, entries.order_by(col(LedgerEntryRow.number)))
    return [(EntryFacts(*row), moved.get(row[0], ())) for row in found]


def _moves(seller: str, conditions: Sequence[Any]) -> Any:
    same = (
        col(LedgerEntryRow.seller) == col(LedgerMoveRow.seller),
        (col(LedgerEntryRow.number) == col(LedgerMoveRow.number)),
    )
    query = select(*_ENTRY, *_MOVE).where(*same)
    return query.where(col(LedgerMoveRow.seller) == seller, *conditions)


def _move(row: Any) -> MoveFacts:
    size = len(_ENTRY)
    return MoveFacts(EntryFacts(*row[:size]), *row[size:])


async def _all(session: AsyncSession, query: Any) -> Sequence[Any]:
    connection = await session.connection()
    return (await connection.execute(query)).all()
