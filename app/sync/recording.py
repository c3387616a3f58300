"""Writes down what came of a worker's step, unless somebody else works for the connection by now."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from app.store.database import Database, Session
from app.store.leases import holds_lease
from app.store.shown import ShownFacts, change_shown

from .steps import Tenure, Work


class NotOurs(Exception):
    """Somebody else works for this connection: what we found out is not written down."""


@asynccontextmanager
async def during(database: Database, tenure: Tenure | None) -> AsyncIterator[Session]:
    """A transaction that only goes with this turn (None: always). Raises NotOurs, DatabaseAway."""
    async with database.writing() as session:
        if tenure is not None and not await holds_lease(session, tenure.lease, owner=tenure.owner, term=tenure.term):
            raise NotOurs(f"{tenure.lease} has another worker")
        yield session


@asynccontextmanager
async def recording(work: Work) -> AsyncIterator[Session]:
    """A transaction of whoever works for the connection. Raises NotOurs, DatabaseAway; keep it short, talk before."""
    async with during(work.state.database, work.tenure) as session:
        yield session


async def write_down(
    work: Work, changes: Mapping[str, Mapping[str, Any]], rows: Iterable[ShownFacts], *, untold: bool = False
) -> None:
    """Change these fields of these listings, whose `rows` were read before; `untold` as in `change_shown`."""
    if changes:
        mine, read = (work.facts.seller, work.facts.code), {row.listing: row for row in rows}
        async with recording(work) as session:
            await change_shown(session, *mine, changes, rows=read, untold=untold)
