"""What happened, entry by entry and unit by unit, from what the drain has written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, tuple_, union
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from .comparing import BIGINT_MAX, INTEGER_MAX, number
from .ledger_tables import HoldRow, LedgerEntryRow, LedgerMoveRow, LedgerSubjectRow
from .statements import all_rows


@dataclass(frozen=True, kw_only=True)
class WantedMoves:
    """
    Which movements; '' and None do not choose. `before` is the (number, place) of the last one seen.

    Times in ms, the end is not included.
    """

    sku: str = ""
    locations: Collection[str] | None = None
    bucket: str = ""
    verb: str = ""
    from_ms: int = 0
    until_ms: int | None = None
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


async def entry_at(session: AsyncSession, seller: str, at_ms: int) -> tuple[int, int] | None:
    """Number and time in ms of the newest entry at this time or before, or None."""
    return await _entry(session, seller, [col(LedgerEntryRow.at_ms) <= number(at_ms)], newest=True)


async def _entry(
    session: AsyncSession, seller: str, conditions: Sequence[Any], *, newest: bool
) -> tuple[int, int] | None:
    key = col(LedgerEntryRow.at_ms), col(LedgerEntryRow.number)
    query = select(key[1], key[0]).where(col(LedgerEntryRow.seller) == seller, *conditions)
    ordered = query.order_by(*(column.desc() if newest else column for column in key)).limit(1)
    found = await all_rows(session, ordered)
    return (found[0][0], found[0][1]) if found else None


async def list_moves(session: AsyncSession, seller: str, wanted: WantedMoves, limit: int) -> list[MoveFacts]:
    """Movements, newest first."""
    first, last = await _range(session, seller, wanted)
    conditions = [*_of_moves(wanted), *_of_entries(wanted), *_between(col(LedgerMoveRow.number), first, last)]
    if wanted.verb and not wanted.sku and wanted.locations is None:
        if not (numbers := await _moving(session, seller, wanted, limit)):
            return []
        conditions.append(col(LedgerMoveRow.number).in_(numbers))
    key = col(LedgerMoveRow.number).desc(), col(LedgerMoveRow.place).desc()
    query = _moves(seller, conditions).order_by(*key).limit(limit)
    return [_move(row) for row in await all_rows(session, query)]


async def _moving(session: AsyncSession, seller: str, wanted: WantedMoves, limit: int) -> list[int]:
    """The newest entries of a verb that moved what is wanted, which no index of movements has in order."""
    entry, (first, last) = col(LedgerEntryRow.number), await _range(session, seller, wanted)
    moved = select(entry).where(
        col(LedgerMoveRow.seller) == seller, col(LedgerMoveRow.number) == entry, *_of_moves(wanted)
    )
    conditions = [col(LedgerEntryRow.seller) == seller, *_of_entries(wanted), *_between(entry, first, last)]
    exists = moved.correlate(LedgerEntryRow).exists()
    query = select(entry).where(*conditions, exists).order_by(entry.desc()).limit(limit)
    return [row[0] for row in await all_rows(session, query)]


def _of_moves(wanted: WantedMoves) -> list[Any]:
    conditions: list[Any] = []
    if wanted.sku:
        conditions.append(col(LedgerMoveRow.sku) == wanted.sku)
    if wanted.locations is not None:
        conditions.append(col(LedgerMoveRow.location).in_(sorted(wanted.locations)))
    if wanted.bucket:
        conditions.append(col(LedgerMoveRow.bucket) == wanted.bucket)
    if wanted.before is not None:
        entry, place = wanted.before
        last = tuple_(number(entry), number(place, INTEGER_MAX))
        conditions.append(tuple_(col(LedgerMoveRow.number), col(LedgerMoveRow.place)) < last)
    return conditions


def _of_entries(wanted: WantedMoves) -> list[Any]:
    at_ms = col(LedgerEntryRow.at_ms)
    verb = [col(LedgerEntryRow.verb) == wanted.verb] if wanted.verb else []
    until = [] if wanted.until_ms is None else [at_ms < number(wanted.until_ms)]
    return [*verb, *until, *([at_ms >= number(wanted.from_ms)] if wanted.from_ms else [])]


async def _range(session: AsyncSession, seller: str, wanted: WantedMoves) -> tuple[int, int | None]:
    """
    The first and last entry that may count, by which movements are sorted.

    Times follow numbers, but where a clock jumped by more than a minute: entries out of line there may be left out.
    """
    at_ms, first, last = col(LedgerEntryRow.at_ms), 0, None
    if wanted.from_ms:
        found = await _entry(session, seller, [at_ms >= number(wanted.from_ms)], newest=False)
        first = found[0] if found else BIGINT_MAX
    if wanted.until_ms is not None:
        found = await _entry(session, seller, [at_ms < number(wanted.until_ms)], newest=True)
        last = found[0] if found else 0
    if wanted.before is not None:
        before = number(wanted.before[0])
        last = before if last is None else min(last, before)
    return first, last


def _between(entry: Any, first: int, last: int | None) -> list[Any]:
    return [*([entry >= first] if first else []), *([] if last is None else [entry <= last])]


async def story_of(
    session: AsyncSession, seller: str, kind: str, id: str, *, owner: str = ""
) -> list[tuple[EntryFacts, Sequence[MoveFacts]]]:
    """Every entry about an order or a hold, or the holds of an `owner`, oldest first, with what it moved."""
    mine: Any = _about(seller, kind, col(LedgerSubjectRow.id) == id)
    if owner:
        theirs = select(col(HoldRow.hold_id)).where(col(HoldRow.seller) == seller, col(HoldRow.owner) == owner)
        both = union(mine, _about(seller, "hold", col(LedgerSubjectRow.id).in_(theirs))).subquery()
        mine = select(both.c.number)
    entries = select(*_ENTRY).where(col(LedgerEntryRow.seller) == seller, col(LedgerEntryRow.number).in_(mine))
    moves = _moves(seller, [col(LedgerMoveRow.number).in_(mine)]).order_by(
        col(LedgerMoveRow.number), col(LedgerMoveRow.place)
    )
    moved: dict[int, list[MoveFacts]] = {}
    for row in await all_rows(session, moves):
        moved.setdefault(row[0], []).append(_move(row))
    found = await all_rows(session, entries.order_by(col(LedgerEntryRow.number)))
    return [(EntryFacts(*row), moved.get(row[0], ())) for row in found]


def _about(seller: str, kind: str, those: Any) -> Any:
    """The numbers of the entries about these orders or holds."""
    same = col(LedgerSubjectRow.seller) == seller, col(LedgerSubjectRow.kind) == kind
    return select(col(LedgerSubjectRow.number)).where(*same, those)


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
