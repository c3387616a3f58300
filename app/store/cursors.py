"""How far readers have followed the ledgers of sellers, and which process reads for all of them."""

from dataclasses import dataclass

from sqlalchemy import case, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from .tables import LedgerCursor


@dataclass(frozen=True)
class Cursor:
    """
    `position` is the id of the last entry that was dealt with; `lease` is who reads until `lease_until_ms`.

    entries: how many of this ledger have been dealt with. failing: what keeps the reader from going on, '' when nothing
    does; failing_since_ms: since when.
    """

    position: str
    lease: str
    lease_until_ms: int
    entries: int = 0
    failing: str = ""
    failing_since_ms: int = 0


async def read_cursor(session: AsyncSession, seller: str, reader: str) -> Cursor | None:
    """How far this reader is, or None if it never began."""
    row = await session.get(LedgerCursor, (seller, reader))
    return None if row is None else _shown(row)


def _shown(row: LedgerCursor) -> Cursor:
    return Cursor(row.position, row.lease, row.lease_until_ms, row.entries, row.failing, row.failing_since_ms)


async def begin_at(session: AsyncSession, seller: str, reader: str, position: str) -> None:
    """
    Let this reader go on from this entry, wherever it was; whoever reads just now cannot finish.

    What it has dealt with is counted from here on.
    """
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    # One statement: of two that begin at the same moment the second would find the first one's row in its way.
    begun = dialect.insert(LedgerCursor).values(
        seller=seller, reader=reader, position=position, lease="", lease_until_ms=0, entries=0
    )
    anew = {"position": position, "entries": 0}
    await session.exec(begun.on_conflict_do_update(index_elements=["seller", "reader"], set_=anew))


def is_held(until_ms: int, now_ms: int, lease_ms: int) -> bool:
    """
    Whether somebody has the lease until then.

    A lease that ends much later than any that is taken now was taken by a clock that is far ahead. Nobody waits for
    that clock's time to come: what a cursor's lease saves is work, and the cursor alone keeps two from both writing.
    """
    return now_ms < until_ms <= now_ms + 2 * lease_ms


async def take_lease(
    session: AsyncSession, seller: str, reader: str, *, owner: str, now_ms: int, until_ms: int
) -> Cursor | None:
    """Read for all until then, unless somebody else does; the cursor as it was, or None."""
    row = await session.get(LedgerCursor, (seller, reader), with_for_update=True)
    if row is None or (row.lease != owner and is_held(row.lease_until_ms, now_ms, until_ms - now_ms)):
        return None
    before = _shown(row)
    row.lease, row.lease_until_ms = owner, until_ms
    session.add(row)
    await session.flush()
    return before


async def move(
    session: AsyncSession, seller: str, reader: str, *, owner: str, before: str, after: str, entries: int = 0
) -> bool:
    """
    Note that everything up to `after`, `entries` more, is dealt with, in the transaction that deals with it.

    False when the lease is lost or the cursor was moved: then this transaction must not write anything.
    """
    row = await session.get(LedgerCursor, (seller, reader), with_for_update=True)
    if row is None or row.lease != owner or row.position != before:
        return False
    row.position = after
    row.entries += entries
    session.add(row)
    await session.flush()
    return True


async def hold_still(session: AsyncSession, seller: str, reader: str) -> None:
    """Keep this reader from moving until the transaction ends: what it has read so far is what there is."""
    await session.get(LedgerCursor, (seller, reader), with_for_update=True)


async def give_back(session: AsyncSession, seller: str, reader: str, *, owner: str) -> None:
    """Let somebody else read at once."""
    row = await session.get(LedgerCursor, (seller, reader), with_for_update=True)
    if row is not None and row.lease == owner:
        row.lease_until_ms = 0
        session.add(row)
        await session.flush()


async def note_failure(
    session: AsyncSession, seller: str, reader: str, *, owner: str, failing: str, now_ms: int
) -> None:
    """Say what keeps the reader from going on, '' for nothing; only whoever reads for all knows."""
    since = case((col(LedgerCursor.failing) == "", now_ms), else_=col(LedgerCursor.failing_since_ms))
    mine = (
        col(LedgerCursor.seller) == seller,
        col(LedgerCursor.reader) == reader,
        col(LedgerCursor.lease) == owner,
    )
    values = {"failing": failing, "failing_since_ms": since if failing else 0}
    await session.exec(update(LedgerCursor).where(*mine).values(**values))
