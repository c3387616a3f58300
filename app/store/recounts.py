"""What is to be counted because a reject took units off the books, and what locations gave and rejected day by day."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, Final, NamedTuple

from sqlalchemy import Table, bindparam, delete, func, insert, select, tuple_, update
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from .comparing import number, words
from .ledger import ASK_MAX, Row, Rows
from .recount_tables import LocationDayRow, RecountRow
from .statements import all_rows, dialect, execute

RecountKey = tuple[int, str]
"""The number of the entry that opened a task, and the sku: how lists are sorted, oldest first."""


def _table(row: type[SQLModel]) -> Table:
    return row.__table__  # type: ignore[attr-defined,no-any-return] # SQLModel makes it


RECOUNTS: Final = _table(RecountRow)
DAYS: Final = _table(LocationDayRow)

_OPEN: Final = (RECOUNTS.c.seller == bindparam("of"), RECOUNTS.c.closed_number.is_(None))
_COLUMNS: Final = [column.name for column in RECOUNTS.columns]
# Locked, so that a count that confirms one waits until the drain has written what it has read.
_OPEN_OF: Final = (
    select(*RECOUNTS.columns).where(*_OPEN, RECOUNTS.c.sku.in_(bindparam("skus", expanding=True))).with_for_update()
)
_OPEN_PLACES: Final = select(RECOUNTS.c.sku, RECOUNTS.c.location, RECOUNTS.c.version).where(
    *_OPEN, RECOUNTS.c.sku.in_(bindparam("skus", expanding=True))
)
_ANY_OPEN: Final = select(RECOUNTS.c.number).where(*_OPEN).limit(1)
_CLOSE: Final = (
    update(RECOUNTS)
    .where(*_OPEN, RECOUNTS.c.sku == bindparam("what"), RECOUNTS.c.location == bindparam("at"))
    .values(
        closed_number=bindparam("entry"),
        closed_ms=bindparam("now"),
        closed_op=bindparam("by_op"),
        closed_by=bindparam("by"),
        confirmed=True,
        difference=0,
    )
)
_WAITING: Final = select(func.count(), func.min(RECOUNTS.c.at_ms)).where(*_OPEN)
_RATES: Final = (
    select(DAYS.c.location, func.sum(DAYS.c.taken), func.sum(DAYS.c.rejected))
    .where(DAYS.c.seller == bindparam("of"), DAYS.c.day > bindparam("after"))
    .group_by(DAYS.c.location)
)


@dataclass(frozen=True, kw_only=True)
class WantedRecounts:
    """Which tasks; '' and None do not choose. `after`: the last one seen."""

    state: str = ""
    locations: Collection[str] | None = None
    sku: str = ""
    after: RecountKey | None = None


@dataclass(frozen=True)
class RecountFacts:
    """A task, as its row says."""

    number: int
    sku: str
    location: str
    version: int
    at_ms: int
    channel: str
    external_id: str
    reason: str
    actor: str
    rejects: int
    units: int
    closed_number: int | None
    closed_ms: int | None
    closed_op: str
    closed_by: str
    confirmed: bool
    difference: int


class Waiting(NamedTuple):
    """How many wait, and since when the oldest does, in ms; None when none does."""

    number: int
    since_ms: int | None


class LocationUnits(NamedTuple):
    """Units that orders got from a location, and units it rejected."""

    location: str
    taken: int
    rejected: int


# --- what the drain writes -----------------------------------------------------------------------------------------


async def open_recounts(session: AsyncSession, seller: str, skus: Iterable[str]) -> list[dict[str, Any]]:
    """The open tasks of these skus; they stay as they are until the transaction ends."""
    if (await execute(session, _ANY_OPEN, {"of": seller})).first() is None:
        return []
    found: list[dict[str, Any]] = []
    for part in _parts(sorted(set(skus))):
        rows = await execute(session, _OPEN_OF, {"of": seller, "skus": part})
        found += [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
    return found


async def put_recounts(session: AsyncSession, tasks: Rows) -> None:
    """These tasks are now so. Those that are closed come first: a place has one that is open."""
    ordered = sorted(tasks, key=lambda task: task["closed_number"] is None)
    if ordered:
        await execute(session, _putting(dialect(session)), ordered)


@cache
def _putting(dialect: ModuleType) -> Any:
    statement = dialect.insert(RECOUNTS)
    keys = [column.name for column in RECOUNTS.primary_key]
    others = {name: statement.excluded[name] for name in _COLUMNS if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=others)


async def add_days(session: AsyncSession, days: Rows) -> None:
    """Add what locations gave and rejected to what is known of these days."""
    if days:
        await execute(session, _adding(dialect(session)), days)


@cache
def _adding(dialect: ModuleType) -> Any:
    statement = dialect.insert(DAYS)
    keys = [column.name for column in DAYS.primary_key]
    sums = {name: DAYS.c[name] + statement.excluded[name] for name in ("taken", "rejected")}
    return statement.on_conflict_do_update(index_elements=keys, set_=sums)


# --- what a repair writes ------------------------------------------------------------------------------------------


async def all_recounts(session: AsyncSession, seller: str, sku: str = "") -> list[Row]:
    """All tasks, or those of a sku, in order."""
    mine = [RECOUNTS.c.seller == seller]
    if sku:
        mine.append(RECOUNTS.c.sku == sku)
    query = select(*RECOUNTS.columns).where(*mine).order_by(RECOUNTS.c.number, RECOUNTS.c.sku)
    return [dict(zip(_COLUMNS, row, strict=True)) for row in await all_rows(session, query)]


async def replace_recounts(session: AsyncSession, seller: str, place: tuple[str, str], tasks: Rows) -> None:
    """Of a sku at a location these are now all tasks."""
    sku, location = place
    mine = RECOUNTS.c.seller == seller, RECOUNTS.c.sku == sku, RECOUNTS.c.location == location
    await execute(session, delete(RECOUNTS).where(*mine))
    await put_recounts(session, tasks)


async def all_days(session: AsyncSession, seller: str) -> list[Row]:
    """Every day of every location."""
    names = [column.name for column in DAYS.columns]
    rows = await all_rows(session, select(*DAYS.columns).where(DAYS.c.seller == seller))
    return [dict(zip(names, row, strict=True)) for row in rows]


async def replace_day(session: AsyncSession, seller: str, day: int, location: str, days: Rows) -> None:
    """Of a location's day this is now the row, or there is none."""
    mine = DAYS.c.seller == seller, DAYS.c.day == day, DAYS.c.location == location
    await execute(session, delete(DAYS).where(*mine))
    if days:
        await execute(session, insert(DAYS), list(days))


# --- counts that found what was booked -----------------------------------------------------------------------------


async def confirm(
    session: AsyncSession, seller: str, counted: Iterable[tuple[str, str, int | None]], closed: Mapping[str, Any]
) -> None:
    """
    Counts of these places (sku, location, and the sku's version that they speak of, if that is known) found what is
    booked: what was to be counted there since before that has been. closed: entry, now, by_op, by.
    """
    places = {(sku, location): version for sku, location, version in counted}
    found = await _open_places(session, seller, sorted({sku for sku, _ in places}))
    done = [
        {"of": seller, "what": sku, "at": location, **closed}
        for sku, location, since in found
        if (sku, location) in places and _speaks_of_later(places[sku, location], since)
    ]
    if done:
        await execute(session, _CLOSE, done)


def _speaks_of_later(version: int | None, since: int) -> bool:
    return version is None or version >= since


async def _open_places(session: AsyncSession, seller: str, skus: Sequence[str]) -> list[tuple[str, str, int]]:
    if (await execute(session, _ANY_OPEN, {"of": seller})).first() is None:
        return []
    parts = [await execute(session, _OPEN_PLACES, {"of": seller, "skus": part}) for part in _parts(skus)]
    return [(row[0], row[1], row[2]) for rows in parts for row in rows]


# --- what is asked -------------------------------------------------------------------------------------------------


async def list_recounts(session: AsyncSession, seller: str, wanted: WantedRecounts, limit: int) -> list[RecountFacts]:
    """Tasks, oldest first."""
    key = RECOUNTS.c.number, RECOUNTS.c.sku
    conditions: list[Any] = [RECOUNTS.c.seller == seller]
    if wanted.state:
        still_open = RECOUNTS.c.closed_number.is_(None)
        conditions.append(still_open if wanted.state == "open" else ~still_open)
    if wanted.locations is not None:
        conditions.append(RECOUNTS.c.location.in_(sorted(wanted.locations)))
    if wanted.sku:
        conditions.append(RECOUNTS.c.sku == wanted.sku)
    if wanted.after is not None:
        conditions.append(tuple_(*key) > tuple_(number(wanted.after[0]), words(wanted.after[1])))
    columns = [RECOUNTS.c[name] for name in RecountFacts.__dataclass_fields__]
    query = select(*columns).where(*conditions).order_by(*key).limit(limit)
    return [RecountFacts(*row) for row in await all_rows(session, query)]


async def waiting_recounts(session: AsyncSession, seller: str) -> Waiting:
    """How many tasks are open."""
    return Waiting(*(await execute(session, _WAITING, {"of": seller})).one())


async def given_since(session: AsyncSession, seller: str, day: int) -> list[LocationUnits]:
    """What each location gave and rejected after this day (days since 1970, UTC), by location."""
    rows = await execute(session, _RATES, {"of": seller, "after": day})
    return sorted(LocationUnits(location, int(taken), int(rejected)) for location, taken, rejected in rows)


def _parts(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[start : start + ASK_MAX] for start in range(0, len(values), ASK_MAX))
