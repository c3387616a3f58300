"""Which listings of a connection are of which skus."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Table, select
from sqlmodel.ext.asyncio.session import AsyncSession

from .channel_tables import ShownRow
from .comparing import words
from .statements import all_rows

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
