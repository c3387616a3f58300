"""Transfers: their steps as entries made them, what these add up to, and lists, each walked along an index."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Table, and_, bindparam, delete, insert, or_, select, tuple_, union
from sqlmodel import SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

from .comparing import number, words
from .ledger import ASK_MAX, Row, Rows
from .ledger_tables import LedgerEntryRow, TransferLineRow, TransferRow, TransferStepRow
from .statements import all_rows, execute

TransferKey = tuple[int, str]
"""When a transfer was sent, and its id: how lists are sorted, newest first."""


def _table(row: type[SQLModel]) -> Table:
    return row.__table__  # type: ignore[attr-defined,no-any-return] # SQLModel makes it


TRANSFERS: Final = _table(TransferRow)
LINES: Final = _table(TransferLineRow)
STEPS: Final = _table(TransferStepRow)

_STEPS_OF: Final = (
    select(*STEPS.columns)
    .where(STEPS.c.seller == bindparam("of"), STEPS.c.transfer_id.in_(bindparam("ids", expanding=True)))
    .order_by(STEPS.c.transfer_id, STEPS.c.number, STEPS.c.sku)
)
_ADD_STEPS: Final = insert(STEPS)
_REMOVE: Final = [
    delete(table).where(table.c.seller == bindparam("of"), table.c.transfer_id.in_(bindparam("ids", expanding=True)))
    for table in (LINES, TRANSFERS)
]
_ADD: Final = [insert(table) for table in (TRANSFERS, LINES)]


@dataclass(frozen=True, kw_only=True)
class WantedTransfers:
    """
    Which transfers; '' and None do not choose. Times in ms, the end is not included.

    locations: at least one of the transfer's two ends is among these.
    """

    state: str = ""
    from_location: str = ""
    to_location: str = ""
    locations: Collection[str] | None = None
    sku: str = ""
    from_ms: int = 0
    until_ms: int | None = None
    before: TransferKey | None = None


@dataclass(frozen=True)
class TransferredFacts:
    """One sku of a transfer, in units."""

    sku: str
    sent: int
    arrived: int
    lost: int
    in_transit: int


@dataclass(frozen=True)
class TransferFacts:
    """A transfer, in units; who sent it and why. number: the entry that did."""

    transfer_id: str
    from_location: str
    to_location: str
    state: str
    sent_ms: int
    changed_ms: int
    number: int
    sent: int
    arrived: int
    lost: int
    in_transit: int
    actor: str
    why: str
    lines: list[TransferredFacts] = field(default_factory=list)


@dataclass(frozen=True)
class ArrivalFacts:
    """What of one sku arrived at a location with one entry, or was lost."""

    entry: int
    at_ms: int
    sku: str
    location: str
    arrived: int
    lost: int
    actor: str
    why: str


# --- what the drain writes -----------------------------------------------------------------------------------------


async def add_steps(session: AsyncSession, steps: Rows) -> None:
    """Append what entries did with transfers."""
    if steps:
        await execute(session, _ADD_STEPS, steps)


async def steps_of(session: AsyncSession, seller: str, ids: Sequence[str]) -> list[Row]:
    """All steps of these transfers, each transfer's in the order of the ledger."""
    found: list[Row] = []
    names = [column.name for column in STEPS.columns]
    for part in _parts(ids):
        rows = await execute(session, _STEPS_OF, {"of": seller, "ids": part})
        found += [dict(zip(names, row, strict=True)) for row in rows]
    return found


async def ids_of_entry(session: AsyncSession, seller: str, entry: int) -> set[str]:
    """The transfers that have steps of this entry."""
    query = select(STEPS.c.transfer_id).where(STEPS.c.seller == seller, STEPS.c.number == entry)
    return {str(row[0]) for row in await all_rows(session, query)}


async def put_transfers(session: AsyncSession, seller: str, ids: Sequence[str], heads: Rows, lines: Rows) -> None:
    """Of the transfers of these ids these are now all rows."""
    for part in _parts(ids):
        for gone in _REMOVE:
            await execute(session, gone, {"of": seller, "ids": part})
    for statement, rows in zip(_ADD, (heads, lines), strict=True):
        if rows:
            await execute(session, statement, rows)


def _parts(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + ASK_MAX] for start in range(0, len(ids), ASK_MAX))


async def ids_after(session: AsyncSession, seller: str, after: str, limit: int) -> list[str]:
    """The next ids of transfers that any of the tables has, in their order."""
    tables = (TRANSFERS, LINES, STEPS)
    asked = [select(t.c.transfer_id).where(t.c.seller == seller, t.c.transfer_id > after) for t in tables]
    parts = [query.distinct().order_by(query.selected_columns[0]).limit(limit).subquery() for query in asked]
    # Sorted by the database, whose order of letters may not be ours.
    every = union(*(select(part.c.transfer_id) for part in parts)).subquery()
    found = await all_rows(session, select(every.c.transfer_id).order_by(every.c.transfer_id).limit(limit))
    return [str(row[0]) for row in found]


# --- what is asked -------------------------------------------------------------------------------------------------

_HEAD = [TRANSFERS.c[name] for name in TransferFacts.__dataclass_fields__ if name not in {"actor", "why", "lines"}]
_LINE = [LINES.c[name] for name in ("transfer_id", *TransferredFacts.__dataclass_fields__)]
_WHO = [col(LedgerEntryRow.actor), col(LedgerEntryRow.why)]


async def read_transfer(session: AsyncSession, seller: str, transfer_id: str) -> TransferFacts | None:
    """One transfer, or None."""
    found = await _transfers(session, seller, [words(transfer_id)])
    return found[0] if found else None


async def arrivals_of(session: AsyncSession, seller: str, transfer_id: str) -> list[ArrivalFacts]:
    """What of a transfer has arrived or was lost, oldest first."""
    columns = [STEPS.c[name] for name in ("number", "at_ms", "sku", "location", "arrived", "lost")]
    mine = STEPS.c.seller == seller, STEPS.c.transfer_id == words(transfer_id), STEPS.c.sent == 0
    query = select(*columns, *_WHO).join(LedgerEntryRow, _entry_of(STEPS)).where(*mine)
    return [ArrivalFacts(*row) for row in await all_rows(session, query.order_by(STEPS.c.number, STEPS.c.sku))]


async def list_transfers(
    session: AsyncSession, seller: str, wanted: WantedTransfers, limit: int
) -> list[TransferFacts]:
    """Transfers with their lines, newest first."""
    table = LINES if wanted.sku else TRANSFERS
    key = table.c.sent_ms, table.c.transfer_id
    query = select(table.c.transfer_id).where(table.c.seller == seller, *_conditions(seller, table, wanted))
    found = await all_rows(session, query.order_by(*(column.desc() for column in key)).limit(limit))
    ids = [str(row[0]) for row in found]
    transfers = {one.transfer_id: one for part in _parts(ids) for one in await _transfers(session, seller, part)}
    return [transfers[id] for id in ids]


def _conditions(seller: str, table: Table, wanted: WantedTransfers) -> list[Any]:
    conditions: list[Any] = [table.c.sent_ms >= number(wanted.from_ms)] if wanted.from_ms else []
    if wanted.until_ms is not None:
        conditions.append(table.c.sent_ms < number(wanted.until_ms))
    if wanted.before is not None:
        sent_ms, transfer_id = wanted.before
        conditions.append(tuple_(table.c.sent_ms, table.c.transfer_id) < tuple_(number(sent_ms), words(transfer_id)))
    chosen = _of_transfer(wanted)
    if table is TRANSFERS:
        return [*conditions, *chosen]
    same = TRANSFERS.c.seller == seller, TRANSFERS.c.transfer_id == table.c.transfer_id
    known = [select(TRANSFERS.c.transfer_id).where(*same, *chosen).exists()] if chosen else []
    return [*conditions, table.c.sku == wanted.sku, *known]


def _of_transfer(wanted: WantedTransfers) -> list[Any]:
    asked = {"state": wanted.state, "from_location": wanted.from_location, "to_location": wanted.to_location}
    conditions: list[Any] = [TRANSFERS.c[name] == value for name, value in asked.items() if value]
    if wanted.locations is not None:
        own = sorted(wanted.locations)
        conditions.append(or_(TRANSFERS.c.from_location.in_(own), TRANSFERS.c.to_location.in_(own)))
    return conditions


async def _transfers(session: AsyncSession, seller: str, ids: Sequence[str]) -> list[TransferFacts]:
    heads = select(*_HEAD, *_WHO).join(LedgerEntryRow, _entry_of(TRANSFERS)).where(*_those(seller, TRANSFERS, ids))
    found = {row[0]: TransferFacts(*row) for row in await all_rows(session, heads)}
    lines = select(*_LINE).where(*_those(seller, LINES, ids)).order_by(LINES.c.transfer_id, LINES.c.sku)
    for id, *line in await all_rows(session, lines):
        found[id].lines.append(TransferredFacts(*line))
    return list(found.values())


def _those(seller: str, table: Table, ids: Sequence[str]) -> list[Any]:
    return [table.c.seller == seller, table.c.transfer_id.in_(ids)]


def _entry_of(table: Table) -> Any:
    return and_(col(LedgerEntryRow.seller) == table.c.seller, col(LedgerEntryRow.number) == table.c.number)
