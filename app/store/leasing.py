"""Reading a ledger for all processes: who may, for a while, and from where."""

from collections.abc import Awaitable, Callable

from .cursors import Cursor, begin_once, is_held, read_cursor, take_lease
from .database import Database


async def keep_lease(
    database: Database,
    seller: str,
    reader: str,
    *,
    owner: str,
    now_ms: int,
    lease_ms: int,
    first: Callable[[], Awaitable[str]],
) -> Cursor | None:
    """
    Read for all, from the cursor as it was before; None while another process does.

    A lease is renewed when half of it is over, so that mostly one read is enough. `first` says where a reader that
    never was begins. The cursor's own lease says who read before: somebody else may have told other things.
    """
    async with database.reading() as session:
        cursor = await read_cursor(session, seller, reader)
    if cursor and cursor.lease == owner and cursor.lease_until_ms > now_ms + lease_ms // 2:
        return cursor
    if cursor and cursor.lease != owner and is_held(cursor.lease_until_ms, now_ms, lease_ms):
        return None
    async with database.writing() as session:
        if cursor is None:
            # Somebody may have begun since we looked, and be further by now.
            await begin_once(session, seller, reader, await first())
        return await take_lease(session, seller, reader, owner=owner, now_ms=now_ms, until_ms=now_ms + lease_ms)
