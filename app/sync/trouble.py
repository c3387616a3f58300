"""
What keeps a connection from going on: said once when it is new, and written where operators see it.

Only as long as the turn lasts: whoever works next says how things stand by then.
"""

from contextlib import suppress
from typing import Final

import structlog

from app.store.connections import change_connection
from app.store.database import Database, SqlError
from app.times import now_ms

from .recording import during
from .steps import Tenure

SAYS_MAX: Final = 500

log = structlog.get_logger(__name__)


class Trouble:
    """Of one connection, by step. What only concerns our own stores is no trouble of the channel's."""

    def __init__(self, database: Database, key: tuple[str, str], tenure: Tenure) -> None:
        self._database, self._tenure = database, tenure
        self._seller, self._code = key
        self._said: dict[str, str] = {}
        self._written: str | None = None
        self._since_ms = 0

    async def has(self, step: str, error: Exception, *, expected: bool) -> None:
        """A step failed. Raises NotOurs."""
        says = f"{type(error).__name__}: {error}"
        if self._said.get(step) != says:
            names = {"seller": self._seller, "connection": self._code, "step": step, "says": says}
            log.error("channel_step_failed", **names, exc_info=None if expected else error)
        self._said[step] = says
        if not isinstance(error, SqlError):
            await self._write()

    async def over(self, step: str) -> None:
        """A step went well. Raises NotOurs."""
        if self._said.pop(step, None) is not None:
            log.info("channel_step_recovered", seller=self._seller, connection=self._code, step=step)
        await self._write()

    async def _write(self) -> None:
        """Say in SQL what is wrong, when that is something else than before."""
        says = "; ".join(f"{step}: {says}" for step, says in sorted(self._said.items()))[:SAYS_MAX]
        if says == self._written:
            return
        self._since_ms = (self._since_ms or now_ms()) if says else 0
        with suppress(*SqlError):
            async with during(self._database, self._tenure) as session:
                await change_connection(
                    session, self._seller, self._code, failing=says, failing_since_ms=self._since_ms
                )
            self._written = says
