"""
Statements past the session, whose objects nobody needs where rows are read by the thousand.

Where a statement runs often it is made once, with names for its values: to make it costs more than to run it.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel.ext.asyncio.session import AsyncSession


async def execute(session: AsyncSession, statement: Any, values: Any = None) -> Any:
    """Run a statement with these values, or once with each row of a list; what SQLAlchemy found."""
    connection = await session.connection()
    return await connection.execute(statement, values)


async def all_rows(session: AsyncSession, query: Any) -> Sequence[Any]:
    """Everything a question over columns finds."""
    return (await execute(session, query)).all()  # type: ignore[no-any-return] # rows of the columns asked for


def dialect(session: AsyncSession) -> ModuleType:
    """The module whose `insert` knows ON CONFLICT as this database has it."""
    return postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
