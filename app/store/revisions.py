"""Whether the database has the tables this code was written for."""

from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import Connection, inspect, text
from sqlmodel.ext.asyncio.session import AsyncSession

VERSIONS: Final = Path(__file__).parent / "migrations" / "versions"


class Revisions(NamedTuple):
    """The newest revision this code knows, and the one the database is at; '' for none."""

    code: str
    database: str


async def revisions(session: AsyncSession) -> Revisions:
    """Both revisions; a newer process may have migrated the database after this one started."""
    return Revisions(newest_known(), await (await session.connection()).run_sync(current))


@cache
def newest_known() -> str:
    """The newest revision among the files of this code, whose names begin with their revision."""
    return max(path.stem.partition("_")[0] for path in VERSIONS.glob("[0-9]*_*.py"))


def current(connection: Connection) -> str:
    """The revision the database is at; '' for none."""
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""
