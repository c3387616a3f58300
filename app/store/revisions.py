"""Whether the database has the tables this code was written for."""

from functools import cache
from typing import NamedTuple

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlmodel.ext.asyncio.session import AsyncSession


class Revisions(NamedTuple):
    """The newest revision this code knows, and the one the database is at; '' for none."""

    code: str
    database: str


async def revisions(session: AsyncSession) -> Revisions:
    """Both revisions; a newer process may have migrated the database after this one started."""
    return Revisions(newest_known(), await (await session.connection()).run_sync(_current))


@cache
def newest_known() -> str:
    """The newest revision among the files of this code."""
    known = Config()
    known.set_main_option("script_location", "app.store:migrations")
    known.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(known).get_current_head() or ""


def _current(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""
