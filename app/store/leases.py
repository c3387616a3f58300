"""
Who works for a deployment, of several processes that could: one row, which the one at work changes every few seconds.

Nobody compares clocks. A process that waits takes the lease over when the row has not changed for a while by its own
monotonic clock, and only if the row is still as it saw it. `term` rises with every take-over: whoever has an older one
renews nothing and writes nothing.
"""

from typing import NamedTuple

from sqlmodel.ext.asyncio.session import AsyncSession

from .statements import dialect
from .tables import Lease

NOBODY = ""


class LeaseFacts(NamedTuple):
    """
    A lease as it stands. owner: the process at work, NOBODY when it gave the lease back; host: where it runs.

    term: how often the lease changed hands. beat: how often it was written. said: what the owner lets others know.
    """

    owner: str
    host: str
    term: int
    beat: int
    said: str


async def read_lease(session: AsyncSession, name: str) -> LeaseFacts | None:
    """The lease, or None when nobody ever had it."""
    row = await session.get(Lease, name)
    return None if row is None else _facts(row)


async def take_lease(session: AsyncSession, name: str, *, owner: str, host: str, seen: LeaseFacts | None) -> int | None:
    """Work from now on if the lease is still as it was seen, or free. The new term, or None: somebody else works."""
    # One statement: of two that come first the second would find the first one's row in its way.
    new = dialect(session).insert(Lease).values(name=name, owner=NOBODY, host="", term=0, beat=0, said="")
    await session.exec(new.on_conflict_do_nothing(index_elements=["name"]))
    row = await session.get_one(Lease, name, with_for_update=True)
    if row.owner != NOBODY and _facts(row) != seen:
        return None
    row.owner, row.host, row.term, row.beat, row.said = owner, host, row.term + 1, row.beat + 1, ""
    session.add(row)
    await session.flush()
    return row.term


async def renew_lease(session: AsyncSession, name: str, *, owner: str, term: int, said: str | None = None) -> bool:
    """Go on working, and say something new if `said` is given; False when somebody else has taken over."""
    row = await session.get(Lease, name, with_for_update=True)
    if row is None or (row.owner, row.term) != (owner, term):
        return False
    row.beat += 1
    row.said = row.said if said is None else said
    session.add(row)
    await session.flush()
    return True


async def holds_lease(session: AsyncSession, name: str, *, owner: str, term: int) -> bool:
    """Whether this is still the owner's term; nobody can take over until the transaction ends."""
    row = await session.get(Lease, name, with_for_update={"read": True}, populate_existing=True)
    return row is not None and (row.owner, row.term) == (owner, term)


async def give_up_lease(session: AsyncSession, name: str, *, owner: str, term: int) -> None:
    """Let another process work at once; nothing when one already does."""
    row = await session.get(Lease, name, with_for_update=True)
    if row is not None and (row.owner, row.term) == (owner, term):
        row.owner, row.said, row.beat = NOBODY, "", row.beat + 1
        session.add(row)
        await session.flush()


def _facts(row: Lease) -> LeaseFacts:
    return LeaseFacts(row.owner, row.host, row.term, row.beat, row.said)
