"""What tills said has happened: events by their own ids, and what they did to places by when it happened."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Table, bindparam, delete, func, insert, or_, select, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from .statements import all_rows, execute
from .till_tables import TillEventRow, TillMoveRow

CHUNK: Final = 500
"""Names of one statement; databases limit its variables."""

PLANNED, APPLIED, REJECTED = "planned", "applied", "rejected"

_EVENTS: Final[Table] = TillEventRow.__table__  # type: ignore[attr-defined] # SQLModel makes it
_MOVES: Final[Table] = TillMoveRow.__table__  # type: ignore[attr-defined] # SQLModel makes it
_EVENT, _MOVE = TillEventRow, TillMoveRow

Place = tuple[str, str]
"""(sku, location)."""


@dataclass(frozen=True, kw_only=True)
class TillEventFacts:
    """An event as it stands; see TillEventRow. `plan` is JSON."""

    event_id: str
    digest: str
    type: str
    occurred_ms: int
    heard_ms: int
    plan: str
    state: str = PLANNED
    code: str = ""


class MoveFacts(NamedTuple):
    """What an event did to a place, and when; booked_ms None: it is not known to be in the ledger. See TillMoveRow."""

    sku: str
    location: str
    occurred_ms: int
    event_id: str
    is_count: bool
    units: int
    booked_ms: int | None = None

    @property
    def place(self) -> Place:
        """Where."""
        return self.sku, self.location


class Settled(NamedTuple):
    """What became of an event that was planned: its state, why, and the time it has in the ledger."""

    event_id: str
    state: str
    code: str
    booked_ms: int


async def find_till_events(
    session: AsyncSession, seller: str, connection: str, ids: Collection[str]
) -> dict[str, TillEventFacts]:
    """Those of these events that have come before."""
    found: dict[str, TillEventFacts] = {}
    names = [col(getattr(_EVENT, name)) for name in TillEventFacts.__dataclass_fields__]
    for chunk in _chunks(sorted(ids)):
        query = select(*names).where(*_mine(_EVENT, seller, connection), col(_EVENT.event_id).in_(chunk))
        for row in await all_rows(session, query):
            found[row.event_id] = TillEventFacts(**row._mapping)  # noqa: SLF001 - a row as a mapping
    return found


async def counted_ms(session: AsyncSession, seller: str, places: Collection[Place]) -> dict[Place, int]:
    """When each of these places was counted by a till last, of those that ever were."""
    found: dict[Place, int] = {}
    for location, skus in _by_location(places):
        query = (
            select(col(_MOVE.sku), func.max(col(_MOVE.occurred_ms)))
            .where(*_there(seller, location, skus), col(_MOVE.is_count).is_(True))
            .group_by(col(_MOVE.sku))
        )
        found |= {(sku, location): at_ms for sku, at_ms in await all_rows(session, query)}
    return found


async def late_moves(
    session: AsyncSession, seller: str, places: Collection[Place], *, since_ms: int
) -> list[MoveFacts]:
    """What tills did to these places that the ledger had not by then, or may not have yet."""
    found: list[MoveFacts] = []
    names = [col(getattr(_MOVE, name)) for name in MoveFacts._fields]
    late = or_(col(_MOVE.booked_ms).is_(None), col(_MOVE.booked_ms) > since_ms)
    for location, skus in _by_location(places):
        query = select(*names).where(*_there(seller, location, skus), col(_MOVE.is_count).is_(False), late)
        found += [MoveFacts(*row) for row in await all_rows(session, query)]
    return found


async def add_till_events(
    session: AsyncSession, seller: str, connection: str, events: Sequence[TillEventFacts], moves: Sequence[MoveFacts]
) -> None:
    """Events that are new, and what they will do."""
    mine = {"seller": seller, "connection": connection}
    if events:
        await execute(session, insert(_EVENTS), [{**mine, **vars(event)} for event in events])
    if moves:
        await execute(session, insert(_MOVES), [{**mine, **move._asdict()} for move in moves])


async def drop_moves(session: AsyncSession, seller: str, connection: str, event_id: str) -> list[tuple[str, int]]:
    """
    Forget what a refused event was to do to its places; not what a count of the time after it has reckoned with.

    Those are returned, as (sku, units).
    """
    mine = [*_mine(_MOVE, seller, connection), col(_MOVE.event_id) == event_id]
    names = [col(getattr(_MOVE, name)) for name in MoveFacts._fields]
    moves = [MoveFacts(*row) for row in await all_rows(session, select(*names).where(*mine))]
    counted = await counted_ms(session, seller, [move.place for move in moves])
    kept = [move for move in moves if not move.is_count and move.occurred_ms <= counted.get(move.place, -1)]
    if gone := [{"of": move.sku} for move in moves if move not in kept]:
        await execute(session, delete(_MOVES).where(*mine, col(_MOVE.sku) == bindparam("of")), gone)
    return [(move.sku, move.units) for move in kept]


async def settle_till_events(session: AsyncSession, seller: str, connection: str, settled: Sequence[Settled]) -> None:
    """What became of events, and when what they did came into the ledger."""
    rows = [{"of": one.event_id, "to_state": one.state, "why": one.code, "at": one.booked_ms} for one in settled]
    if not rows:
        return
    event = [*_mine(_EVENT, seller, connection), col(_EVENT.event_id) == bindparam("of")]
    told = update(_EVENTS).where(*event).values(state=bindparam("to_state"), code=bindparam("why"))
    await execute(session, told, [{name: row[name] for name in ("of", "to_state", "why")} for row in rows])
    move = [*_mine(_MOVE, seller, connection), col(_MOVE.event_id) == bindparam("of")]
    booked = [{"of": row["of"], "at": row["at"]} for row in rows]
    await execute(session, update(_MOVES).where(*move).values(booked_ms=bindparam("at")), booked)


def _mine(row: Any, seller: str, connection: str) -> list[Any]:
    return [col(row.seller) == seller, col(row.connection) == connection]


def _there(seller: str, location: str, skus: Sequence[str]) -> list[Any]:
    return [col(_MOVE.seller) == seller, col(_MOVE.location) == location, col(_MOVE.sku).in_(skus)]


def _by_location(places: Collection[Place]) -> Iterator[tuple[str, Sequence[str]]]:
    skus: dict[str, list[str]] = {}
    for sku, location in sorted(set(places)):
        skus.setdefault(location, []).append(sku)
    for location, some in skus.items():
        for chunk in _chunks(some):
            yield location, chunk


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
