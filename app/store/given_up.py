"""Listings whose number was given up (dead), and whether they are tried again by themselves."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Table, bindparam, text, update
from sqlmodel.ext.asyncio.session import AsyncSession

from .channel_tables import DEAD, ShownRow
from .shown import STATES, ShownFacts, facts_where, mine_of
from .statements import execute

NEVER_MS: Final = 0
"""The due_ms of one that is left alone until something changes."""

_TABLE: Final[Table] = ShownRow.__table__  # type: ignore[attr-defined] # SQLModel makes it
_C: Final = _TABLE.c


class Verdict(NamedTuple):
    """
    Of one listing, as far as no more than `changes` were known.

    outcome: failed for one that is to be pushed, or dead as before; due_ms: from when on, or when it is looked at next.
    """

    listing: str
    changes: int
    outcome: str
    due_ms: int


async def given_up(session: AsyncSession, seller: str, connection: str, *, now_ms: int, limit: int) -> list[ShownFacts]:
    """Those that are to be looked at now."""
    ready = [STATES["retried"], _C.due_ms <= now_ms]
    return await facts_where(session, [*mine_of(seller, connection), *ready], (_C.due_ms,), limit)


_JUDGE: Final = (
    update(_TABLE)
    .where(_C.seller == bindparam("of"), _C.connection == bindparam("by"), _C.listing == bindparam("one"))
    # What has changed since is looked at again, and what somebody has replayed goes anyway.
    .where(_C.changes == bindparam("seen"), text(DEAD))
    .values(outcome=bindparam("becomes"), due_ms=bindparam("then_ms"))
)


async def judge(session: AsyncSession, seller: str, connection: str, verdicts: Sequence[Verdict]) -> None:
    """Have these become so, but those that have changed since."""
    names = ("one", "seen", "becomes", "then_ms")
    rows: list[dict[str, Any]] = [
        {"of": seller, "by": connection, **dict(zip(names, verdict, strict=True))} for verdict in verdicts
    ]
    if rows:
        await execute(session, _JUDGE, rows)
