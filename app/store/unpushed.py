"""How connections stand, in a few numbers for each: asked often, so every one has an index."""

from typing import Any, Final, NamedTuple

from sqlalchemy import Table, func, select, text
from sqlmodel.ext.asyncio.session import AsyncSession

from .channel_tables import TICKET, ShownRow
from .connections import list_connections
from .shown import OURS, STATES, mine_of
from .statements import all_rows

_TABLE: Final[Table] = ShownRow.__table__  # type: ignore[attr-defined] # SQLModel makes it
_C: Final = _TABLE.c


class Unpushed(NamedTuple):
    """
    Of one connection: since when its oldest change is not pushed (ms, None for none), how many listings are given up,
    how many show another number than they were told, and what keeps it from going on.
    """

    oldest_ms: int | None
    dead: int
    drift: int
    failing: str


class Count(NamedTuple):
    """
    Listings of a connection by what there is to say of them.

    due: to be pushed now; waiting: later, after a failure or for the budget's sake; held_back: those of them that the
    budget keeps; on_their_way: in a bulk push; retried: those of the dead that are tried again by themselves.
    oldest_ms: since when the oldest change is not pushed, None for none.
    """

    listed: int
    due: int
    waiting: int
    held_back: int
    on_their_way: int
    dead: int
    retried: int
    drift: int
    unmapped: int
    oldest_ms: int | None


async def unpushed(session: AsyncSession, seller: str) -> dict[str, Unpushed]:
    """Every connection of the seller, by code."""
    oldest = await _by_connection(session, seller, "due", func.min(_C.changed_ms))
    dead = await _by_connection(session, seller, "dead", func.count())
    drift = await _by_connection(session, seller, "drift", func.count())
    return {
        facts.code: Unpushed(oldest.get(facts.code), dead.get(facts.code, 0), drift.get(facts.code, 0), facts.failing)
        for facts in await list_connections(session, seller)
    }


async def _by_connection(session: AsyncSession, seller: str, state: str, value: Any) -> dict[str, int]:
    query = select(_C.connection, value).where(_C.seller == seller, STATES[state]).group_by(_C.connection)
    return {code: int(found) for code, found in await all_rows(session, query)}


async def count_shown(session: AsyncSession, seller: str, connection: str, *, now_ms: int) -> Count:
    """How many listings are in which state."""
    mine = mine_of(seller, connection)
    ours = await _count(session, mine, OURS)
    every = await _count(session, mine)
    waits = [STATES["due"]]
    oldest = select(func.min(_C.changed_ms)).where(*mine, *waits)
    [(oldest_ms,)] = await all_rows(session, oldest)
    unpushed = await _count(session, mine, *waits)
    now = await _count(session, mine, *waits, _C.due_ms <= now_ms)
    return Count(
        listed=ours,
        due=now,
        waiting=unpushed - now,
        held_back=await _count(session, mine, STATES["held_back"]),
        on_their_way=await _count(session, mine, text(TICKET)),
        dead=await _count(session, mine, STATES["dead"]),
        retried=await _count(session, mine, STATES["retried"]),
        drift=await _count(session, mine, STATES["drift"]),
        unmapped=every - ours,
        oldest_ms=oldest_ms,
    )


async def _count(session: AsyncSession, mine: list[Any], *where: Any) -> int:
    [(count,)] = await all_rows(session, select(func.count()).select_from(_TABLE).where(*mine, *where))
    return int(count)
