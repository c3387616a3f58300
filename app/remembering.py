"""What has left Valkey, asked of SQL: the allocator's memory of what is older than some days."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from allocator.errors import HistoryAway

from .store.database import Database, Session
from .store.remembered import answers_of, records_of

ASK_SECONDS: Final = 5.0
"""How long one question to SQL may take."""

Found = TypeVar("Found")

log = structlog.get_logger(__name__)


class SqlHistory:
    """Answers, holds and orders of one seller by name."""

    def __init__(self, database: Database, seller: str) -> None:
        self._database = database
        self._seller = seller

    async def answer(self, op: str) -> bytes | None:
        """What an op was answered, packed, or None. Raises HistoryAway."""
        return (await self._ask(lambda session: answers_of(session, self._seller, [op]))).get(op)

    async def record(self, kind: str, id: str) -> bytes | None:
        """A hold or an order, packed, or None. Raises HistoryAway."""
        found = (await self._ask(lambda session: records_of(session, self._seller, kind, [id]))).get(id)
        return found.packed if found else None

    async def _ask(self, question: Callable[[Session], Awaitable[Found]]) -> Found:
        try:
            async with asyncio.timeout(ASK_SECONDS), self._database.reading() as session:
                return await question(session)
        except Exception as error:
            log.error("history_away", seller=self._seller, says=type(error).__name__)  # noqa: TRY400 - the caller hears
            raise HistoryAway from error
