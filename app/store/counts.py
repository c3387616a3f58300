"""Counts and their lines, as they were sent and as they stand. What they come to is decided in `counting`."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Table, func, select, tuple_, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from .count_tables import CountLineRow, CountPartRow, CountRow
from .recounts import Waiting
from .statements import all_rows, dialect, execute

Row = dict[str, Any]

_LINES: Final[Table] = CountLineRow.__table__  # type: ignore[attr-defined] # SQLModel makes it

OPEN: Final = "open"
WORKED_ON: Final = ("deciding", "applying")


@dataclass(frozen=True, kw_only=True)
class CountFacts:
    """A count without its lines. Times in ms; see CountRow."""

    seller: str
    id: str
    kind: str
    source: str
    meaning: str
    uncertainty_ms: int
    why: str
    actor: str
    digest: str
    state: str
    lines: int
    made_ms: int
    judged: int = 0
    figures: dict[str, Any] = field(default_factory=dict)
    tally: dict[str, int] = field(default_factory=dict)
    ended_ms: int | None = None
    settled_by: str = ""


@dataclass(frozen=True, kw_only=True)
class LineFacts:
    """One line of a count as it stands; see CountLineRow."""

    number: int
    sku: str
    location: str
    counted: int
    as_of_ms: int | None = None
    seen_up_to: int | None = None
    state: str = "waiting"
    why: str = ""
    measured: int | None = None
    difference: int | None = None


@dataclass(frozen=True, kw_only=True)
class WantedCounts:
    """Which counts, newest first; '' does not choose. `before` is the (made_ms, id) of the last one seen."""

    source: str = ""
    state: str = ""
    before: tuple[int, str] | None = None


@dataclass(frozen=True, kw_only=True)
class WantedLines:
    """Which lines of a count, in their order; '' and None do not choose. `after` is the number of the last one seen."""

    state: str = ""
    locations: Collection[str] | None = None
    after: int = 0


async def find_count(session: AsyncSession, seller: str, id: str, *, lock: bool = False) -> CountFacts | None:
    """A count of this seller, or None; `lock` keeps other writers of it waiting."""
    row = await session.get(CountRow, (seller, id), with_for_update=lock)
    return None if row is None else _facts(row)


async def list_counts(session: AsyncSession, seller: str, wanted: WantedCounts, limit: int) -> list[CountFacts]:
    """Counts, newest first."""
    key = col(CountRow.made_ms), col(CountRow.id)
    conditions = [col(CountRow.seller) == seller]
    if wanted.source:
        conditions.append(col(CountRow.source) == wanted.source)
    if wanted.state:
        conditions.append(col(CountRow.state) == wanted.state)
    if wanted.before is not None:
        conditions.append(tuple_(*key) < tuple_(*wanted.before))
    query = select(CountRow).where(*conditions).order_by(*(column.desc() for column in key)).limit(limit)
    return [_facts(row) for row in (await session.exec(query)).scalars()]  # type: ignore[call-overload]


async def unfinished(session: AsyncSession, seller: str, limit: int) -> list[CountFacts]:
    """Counts that are being decided or applied, oldest first."""
    mine = col(CountRow.seller) == seller, col(CountRow.state).in_(WORKED_ON)
    query = select(CountRow).where(*mine).order_by(col(CountRow.made_ms), col(CountRow.id)).limit(limit)
    return [_facts(row) for row in (await session.exec(query)).scalars()]  # type: ignore[call-overload]


async def waiting_counts(session: AsyncSession, seller: str) -> Waiting:
    """How many counts are parked, and since when: a count is from when it was begun."""
    mine = col(CountRow.seller) == seller, col(CountRow.state) == "parked"
    query = select(func.count(), func.min(col(CountRow.made_ms))).where(*mine)
    return Waiting(*(await execute(session, query)).one())


async def add_count(session: AsyncSession, facts: CountFacts) -> None:
    """Remember a new count."""
    session.add(CountRow(**vars(facts)))
    await session.flush()


async def change_count(session: AsyncSession, seller: str, id: str, **changes: Any) -> None:
    """Change these fields of a count."""
    mine = col(CountRow.seller) == seller, col(CountRow.id) == id
    await execute(session, update(CountRow).where(*mine).values(**changes))


# --- parts and lines ---------------------------------------------------------------------------------------------


async def find_part(session: AsyncSession, seller: str, id: str, part: int) -> str | None:
    """The digest of a part of a snapshot, or None."""
    row = await session.get(CountPartRow, (seller, id, part))
    return None if row is None else row.digest


async def add_part(session: AsyncSession, seller: str, id: str, part: int, *, digest: str, lines: int) -> None:
    """Remember that a part of a snapshot has come."""
    session.add(CountPartRow(seller=seller, count_id=id, part=part, digest=digest, lines=lines))
    await session.flush()


async def parts_of(session: AsyncSession, seller: str, id: str) -> tuple[int, int]:
    """How many parts of a snapshot have come, and how many lines they have."""
    query = select(func.count(), func.coalesce(func.sum(col(CountPartRow.lines)), 0))
    [found] = await all_rows(session, query.where(col(CountPartRow.seller) == seller, col(CountPartRow.count_id) == id))
    return int(found[0]), int(found[1])


async def add_lines(session: AsyncSession, seller: str, id: str, lines: Sequence[LineFacts]) -> None:
    """Append lines of a count, which wait."""
    rest = {"seller": seller, "count_id": id, "version": None, "entry": None, "op": "", "settled_by": ""}
    if lines:
        await execute(session, dialect(session).insert(_LINES), [{**vars(line), **rest} for line in lines])


async def list_lines(session: AsyncSession, seller: str, id: str, wanted: WantedLines, limit: int) -> list[LineFacts]:
    """Lines of a count, in the order in which they were sent."""
    conditions = [*_of(seller, id), col(CountLineRow.number) > wanted.after]
    if wanted.state:
        conditions.append(col(CountLineRow.state) == wanted.state)
    if wanted.locations is not None:
        conditions.append(col(CountLineRow.location).in_(sorted(wanted.locations)))
    query = select(*_SHOWN).where(*conditions).order_by(col(CountLineRow.number)).limit(limit)
    return [LineFacts(**row) for row in (await execute(session, query)).mappings()]


async def tally_of(session: AsyncSession, count: CountFacts) -> dict[str, int]:
    """How many lines of a count are in which state, counted only while that changes."""
    return await tally(session, count.seller, count.id) if count.ended_ms is None else count.tally


async def tally(session: AsyncSession, seller: str, id: str) -> dict[str, int]:
    """How many lines of a count are in which state, counted."""
    state = col(CountLineRow.state)
    query = select(state, func.count()).where(*_of(seller, id)).group_by(state)
    return {name: int(lines) for name, lines in await all_rows(session, query)}


async def settle_lines(
    session: AsyncSession, seller: str, id: str, numbers: Collection[int], *, state: str, by: str
) -> int:
    """Give lines in review this state, settled by somebody; how many were in review."""
    wanted = *_of(seller, id), col(CountLineRow.state) == "review"
    settled = 0
    for some in _some(sorted(numbers)):
        statement = update(CountLineRow).where(*wanted, col(CountLineRow.number).in_(some))
        settled += (await execute(session, statement.values(state=state, settled_by=by))).rowcount
    return settled


_SHOWN: Final = [
    col(getattr(CountLineRow, name))
    for name in (
        *("number", "sku", "location", "counted", "as_of_ms", "seen_up_to"),
        *("state", "why", "measured", "difference"),
    )
]


def _of(seller: str, id: str) -> tuple[Any, Any]:
    return col(CountLineRow.seller) == seller, col(CountLineRow.count_id) == id


def _some(numbers: Sequence[int], most: int = 500) -> Iterator[Sequence[int]]:
    return (numbers[start : start + most] for start in range(0, len(numbers), most))


def _facts(row: CountRow) -> CountFacts:
    return CountFacts(**row.model_dump())
