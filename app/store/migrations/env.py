"""Run by Alembic for every command; the connection comes from `app.store.migrations`."""

from typing import Any, Literal

from alembic import context
from sqlmodel import AutoString

from app.store import (  # noqa: F401 - part of the metadata
    announced_tables,
    channel_tables,
    count_tables,
    ledger_tables,
    recount_tables,
    till_tables,
)
from app.store.tables import metadata


def plain_strings(kind: str, item: Any, _: object) -> str | Literal[False]:
    """Write SQLModel's string type as what it is in SQL, so that revisions need no SQLModel."""
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String(length={item.length})"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by making a new one
    render_item=plain_strings,
    compare_type=True,
    transactional_ddl=True,  # on SQLite too: app.store.database begins transactions itself
)
with context.begin_transaction():
    context.run_migrations()
