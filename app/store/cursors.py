"""How far readers have followed the ledgers of sellers, and which process reads for all of them."""

from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, Final, NamedTuple

from sqlalchemy import Table, bindparam, case, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from .statements import dialect, execute
from .tables import LedgerCursor

_TABLE: Final[Table] = LedgerCursor.__table__  # type: ignore[attr-defined] # SQLModel makes it
_C: Final = _TABLE.c
_ONE: Final = _C.seller == bindparam("of"), _C.reader == bindparam("by")
_MINE: Final = *_ONE, _C.lease == bindparam("owner")
_CURSOR: Final = select(_C.position, _C.lease, _C.lease_until_ms, _C.entries, _C.failing, _C.failing_since_ms).where(
    *_ONE
)
_LOCKED: Final = _CURSOR.with_for_update()
_LEASE: Final = update(_TABLE).where(*_ONE).values(lease=bindparam("owner"), lease_until_ms=bindparam("until_ms"))
_MOVE: Final = (
    update(_TABLE)
    .where(*_MINE, _C.position == bindparam("before"))
    .values(position=bindparam("after"), entries=_C.entries + bindparam("more"), lease_until_ms=bindparam("until_ms"))
)
_LET_GO: Final = update(_TABLE).where(*_MINE).values(lease_until_ms=0)
_SINCE: Final = case((_C.failing == "", bindparam("now_ms")), else_=_C.failing_since_ms)
_FAILING: Final = update(_TABLE).where(*_MINE).values(failing=bindparam("failing"), failing_since_ms=_SINCE)
_WELL: Final = update(_TABLE).where(*_MINE).values(failing="", failing_since_ms=0)


class Lease(NamedTuple):
    """Who reads for all, and until when."""

    owner: str
    until_ms: int


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
    return await _read(session, _CURSOR, seller, reader)


async def _read(session: AsyncSession, query: Any, seller: str, reader: str) -> Cursor | None:
    found = (await execute(session, query, _named(seller, reader))).first()
    return None if found is None else Cursor(*found)


def _named(seller: str, reader: str, **values: Any) -> dict[str, Any]:
    return {"of": seller, "by": reader, **values}


async def begin_at(session: AsyncSession, seller: str, reader: str, position: str) -> None:
    """
    Let this reader go on from this entry, wherever it was; whoever reads just now cannot finish.

    What it has dealt with is counted from here on.
    """
    await execute(session, _beginning(dialect(session), anew=True), _new(seller, reader, position))


async def begin_once(session: AsyncSession, seller: str, reader: str, position: str) -> None:
    """Let this reader begin at this entry, unless it has begun already."""
    await execute(session, _beginning(dialect(session), anew=False), _new(seller, reader, position))


def _new(seller: str, reader: str, position: str) -> dict[str, Any]:
    return {"seller": seller, "reader": reader, "position": position, "lease": "", "lease_until_ms": 0, "entries": 0}


@cache
def _beginning(dialect: ModuleType, *, anew: bool) -> Any:
    # One statement: of two that begin at the same moment the second would find the first one's row in its way.
    begun, keys = dialect.insert(_TABLE), ["seller", "reader"]
    if not anew:
        return begun.on_conflict_do_nothing(index_elements=keys)
    return begun.on_conflict_do_update(index_elements=keys, set_={"position": begun.excluded.position, "entries": 0})


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
    before = await _read(session, _LOCKED, seller, reader)
    if before is None or (before.lease != owner and is_held(before.lease_until_ms, now_ms, until_ms - now_ms)):
        return None
    await execute(session, _LEASE, _named(seller, reader, owner=owner, until_ms=until_ms))
    return before


async def move(
    session: AsyncSession, seller: str, reader: str, mine: Lease, *, before: str, after: str, entries: int = 0
) -> bool:
    """
    Note that everything up to `after`, `entries` more, is dealt with, in the transaction that deals with it.

    The lease then ends as `mine` says. False when it is lost or the cursor was moved: this transaction must not write
    anything.
    """
    values = _named(seller, reader, **mine._asdict(), before=before, after=after, more=entries)
    return bool((await execute(session, _MOVE, values)).rowcount)


async def hold_still(session: AsyncSession, seller: str, reader: str) -> None:
    """Keep this reader from moving until the transaction ends: what it has read so far is what there is."""
    await _read(session, _LOCKED, seller, reader)


async def give_back(session: AsyncSession, seller: str, reader: str, *, owner: str) -> None:
    """Let somebody else read at once."""
    await execute(session, _LET_GO, _named(seller, reader, owner=owner))


async def note_failure(
    session: AsyncSession, seller: str, reader: str, *, owner: str, failing: str, now_ms: int
) -> None:
    """Say what keeps the reader from going on, '' for nothing; only whoever reads for all knows."""
    if not failing:
        await execute(session, _WELL, _named(seller, reader, owner=owner))
        return
    await execute(session, _FAILING, _named(seller, reader, owner=owner, failing=failing, now_ms=now_ms))
