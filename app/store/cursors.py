"""How far readers have followed the ledgers of sellers, and which process reads for all of them."""

from dataclasses import dataclass

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel.ext.asyncio.session import AsyncSession

from .tables import LedgerCursor


@dataclass(frozen=True)
class Cursor:
    """`position` is the id of the last entry that was dealt with; `lease` is who reads until `lease_until_ms`."""

    position: str
    lease: str
    lease_until_ms: int


async def read_cursor(session: AsyncSession, seller: str, reader: str) -> Cursor | None:
    """How far this reader is, or None if it never began."""
    row = await session.get(LedgerCursor, (seller, reader))
    return None if row is None else Cursor(row.position, row.lease, row.lease_until_ms)


async def begin_at(session: AsyncSession, seller: str, reader: str, position: str) -> None:
    """Let this reader go on from this entry, wherever it was; whoever reads just now cannot finish."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    # One statement: of two that begin at the same moment the second would find the first one's row in its way.
    begun = dialect.insert(LedgerCursor).values(
        seller=seller, reader=reader, position=position, lease="", lease_until_ms=0
    )
    await session.exec(begun.on_conflict_do_update(index_elements=["seller", "reader"], set_={"position": position}))


async def take_lease(
    session: AsyncSession, seller: str, reader: str, *, owner: str, now_ms: int, until_ms: int
) -> Cursor | None:
    """Read for all until then, unless somebody else does; the cursor as it was, or None."""
    row = await session.get(LedgerCursor, (seller, reader), with_for_update=True)
    if row is None or (row.lease != owner and row.lease_until_ms > now_ms):
        return None
    before = Cursor(row.position, row.lease, row.lease_until_ms)
    row.lease, row.lease_until_ms = owner, until_ms
    session.add(row)
    await session.flush()
    return before


async def move(session: AsyncSession, seller: str, reader: str, *, owner: str, before: str, after: str) -> bool:
    """
    Note that everything up to `after` is dealt with, in the transaction that deals with it.

    False when the lease is lost or the cursor was moved: then this transaction must not write anything.
    """
    row = await session.get(LedgerCursor, (seller, reader), with_for_update=True)
    if row is None or row.lease != owner or row.position != before:
        return False
    row.position = after
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
