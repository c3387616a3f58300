"""What was said with channels: one row for each request, kept for a while."""

from typing import Any, NamedTuple

from sqlalchemy import delete
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from .channel_tables import ExchangeRow
from .comparing import number, words


class ExchangeFacts(NamedTuple):
    """One request and its answer, masked. status 0: there was no answer, `error` says why."""

    id: int
    connection: str
    at_ms: int
    operation: str
    attempt: int
    request: str
    sent: str
    status: int
    answered: str
    took_ms: int
    error: str


async def add_exchange(session: AsyncSession, seller: str, connection: str, at_ms: int, **said: Any) -> None:
    """One more; `said` are the fields of an exchange."""
    session.add(ExchangeRow(seller=seller, connection=connection, at_ms=at_ms, **said))


async def page_exchanges(
    session: AsyncSession,
    seller: str,
    connection: str,
    *,
    before: int | None,
    limit: int,
    operation: str | None = None,
    failed: bool = False,
) -> list[ExchangeFacts]:
    """The newest first, from before this id; of one operation; only what failed."""
    mine: list[Any] = [ExchangeRow.seller == seller, col(ExchangeRow.connection) == words(connection)]
    if before is not None:
        mine.append(col(ExchangeRow.id) < number(before))
    if operation is not None:
        mine.append(col(ExchangeRow.operation) == words(operation))
    if failed:
        mine.append(col(ExchangeRow.error) != "")
    rows = await session.exec(select(ExchangeRow).where(*mine).order_by(col(ExchangeRow.id).desc()).limit(limit))
    return [ExchangeFacts(*(getattr(row, name) for name in ExchangeFacts._fields)) for row in rows]


async def drop_exchanges(session: AsyncSession, *, before_ms: int) -> int:
    """Forget what was said before then; how many there were."""
    return (await session.exec(delete(ExchangeRow).where(col(ExchangeRow.at_ms) < before_ms))).rowcount
