"""Writes down what came of a worker's step, unless somebody else works for the connection by now."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from app.store.database import Database, Session
from app.store.leases import holds_lease
from app.store.shown import change_shown

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
    work: Work, changes: Mapping[str, Mapping[str, Any]], *, told_ms: Mapping[str, int] | None = None
) -> None:
    """Change these fields of these listings; with `told_ms` only of those that were told nothing since then."""
    if changes:
        async with recording(work) as session:
            await change_shown(session, work.facts.seller, work.facts.code, changes, told_ms=told_ms)
