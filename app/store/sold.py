"""What a channel sells by itself changes the number it shows: which listings, and what it shows no longer."""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Table, bindparam, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from .channel_tables import ShownRow
from .comparing import words
from .statements import all_rows, execute

CHUNK: Final = 500
"""Values of one statement; databases limit its variables."""

_TABLE: Final[Table] = ShownRow.__table__  # type: ignore[attr-defined] # SQLModel makes it
_C: Final = _TABLE.c


async def listings_of(session: AsyncSession, seller: str, connection: str, skus: Collection[str]) -> list[str]:
    """All listings of these skus."""
    named, found = sorted(map(words, skus)), list[str]()
    for start in range(0, len(named), CHUNK):
        mine = [_C.seller == seller, _C.connection == words(connection), _C.sku.in_(named[start : start + CHUNK])]
        found += [listing for (listing,) in await all_rows(session, select(_C.listing).where(*mine))]
    return found


_DOUBT: Final = (
    update(_TABLE)
    .where(_C.seller == bindparam("of"), _C.connection == bindparam("by"), _C.listing == bindparam("one"))
    .where(_C.changes > bindparam("seen"))
    .values(told=None, shown_ms=0)
)


async def doubt_told(session: AsyncSession, seller: str, connection: str, seen: Mapping[str, int]) -> None:
    """
    Of listings that have changed since (`seen`: the `changes` a push had seen) nobody knows what is shown.

    The change may be a sale of the channel's own, from before the push arrived there or from after it.
    """
    rows = [{"of": seller, "by": connection, "one": listing, "seen": changes} for listing, changes in seen.items()]
    if rows:
        await execute(session, _DOUBT, rows)
