"""Alembic without a configuration file: the service migrates its database when it starts."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from app.store import (  # noqa: F401 - part of the metadata
    announced_tables,
    channel_tables,
    count_tables,
    ledger_tables,
    recount_tables,
    till_tables,
)
from app.store.tables import metadata

LOCK_ID = 7_243_001
"""Any number, the same in every process of the service."""


def config(connection: Connection) -> Config:
    """What Alembic needs to work on an open connection."""
    made = Config()
    made.set_main_option("script_location", "app.store:migrations")
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def upgrade(connection: Connection) -> None:
    """Bring the database to the newest revision, inside the connection's transaction."""
    if connection.dialect.name == "postgresql":
        # Several processes start at once; the others find the work done.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_ID})")
    command.upgrade(config(connection), "head")


def differences(connection: Connection) -> list[object]:
    """What the tables in the code have that the database has not, and the other way round."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


def new_revision(connection: Connection, message: str) -> None:
    """Write a revision file with what the code has and an up-to-date database has not."""
    command.revision(config(connection), message, autogenerate=True)
