"""What a repair writes into the ledger's tables: columns and derived rows again, as their entries say."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, tuple_, update
from sqlmodel.ext.asyncio.session import AsyncSession

from .inspecting import ENTRIES, KEYS, MOVES, SUBJECTS
from .ledger import Rows
from .statements import execute


async def mend_columns(session: AsyncSession, seller: str, number: int, columns: Mapping[str, Any]) -> None:
    """Let an entry's columns say what its body says."""
    mine = ENTRIES.c.seller == seller, ENTRIES.c.number == number
    await execute(session, update(ENTRIES).where(*mine).values(**columns))


async def mend_derived(session: AsyncSession, seller: str, number: int, moves: Rows, subjects: Rows) -> None:
    """Let the moves and subjects of one entry be these."""
    for table, rows in ((MOVES, moves), (SUBJECTS, subjects)):
        await execute(session, delete(table).where(table.c.seller == seller, table.c.number == number))
        if rows:
            await execute(session, insert(table), list(rows))


async def remove_rows(session: AsyncSession, seller: str, kind: str, keys: Sequence[tuple[str, ...]]) -> None:
    """Remove all rows of a derived table that are about these things."""
    table, names = KEYS[kind]
    key = tuple_(*(table.c[name] for name in names)) if len(names) > 1 else table.c[names[0]]
    wanted = [one if len(names) > 1 else one[0] for one in keys]
    await execute(session, delete(table).where(table.c.seller == seller, key.in_(wanted)))
