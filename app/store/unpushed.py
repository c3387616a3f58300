"""What is wrong with connections, in a few numbers for each: asked often, so every one has an index."""

from typing import Any, Final, NamedTuple

from sqlalchemy import Table, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from .channel_tables import ShownRow
from .connections import list_connections
from .shown import STATES
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
