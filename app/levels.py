"""
How safe a change is when it is answered: who asks for which level, and what the service can give.

    memory      in the server's memory: where an operator allowed a server that does not fsync
    fsynced     on the server's disk: what every answer has that nobody asked more for
    replicated  and its replicas have it
    ledger      in SQL

The service, the channel and the request ask; what any of them asks for is waited for, and the strongest is named. No
answer ever names more than is true.
"""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from allocator import Replica, Unsafe, replicas_of, unsafe_reasons, why_unsafe
from allocator.errors import Unanswered

from .arrivals import Arrivals
from .errors import LevelUnreachable

TOLD: Final = "Allot-Acknowledged"
"""The header that names the level of an answer."""

LEVEL: Final = "allot.level"
"""Where a request keeps that level."""

IN_SQL: Final = frozenset(
    {"config:write", "counts:release", "counts:write", "keys:write", "seller:write", "webhooks:write"}
)
"""Scopes of changes that SQL is the master of: they are committed there before they are answered."""

REPLICATED: Final = 1
LEDGER: Final = 2

WISHES: Final = {"fsynced": 0, "replicated": REPLICATED, "ledger": LEDGER}
"""What may be asked for, as bits: whoever asks for `ledger` does not wait for replicas."""

FORGETFUL: Final = frozenset({"no-persistence", "appendfsync-everysec", "appendfsync-no", "unreadable"})
"""Why a server's word is not on its disk, or nobody knows."""

log = structlog.get_logger(__name__)


class Levels:
    """
    What this process knows of the levels.

    base: what an answer has without waiting. least: what the service waits for, as bits. replicas: how many must have
    it; replicas_there: how many the server had when it was last asked.
    """

    def __init__(
        self, client: Redis, url: str, arrivals: Arrivals, *, least: str = "fsynced", replicas: int = 1
    ) -> None:
        self.arrivals = arrivals
        self.base = "fsynced"
        self.least = WISHES[least]
        self.replicas = replicas
        self.replicas_there = 0
        self._client = client
        self._url = url
        self._server: list[Unsafe] = []
        self._database: list[Unsafe] = []
        self._known: dict[Replica, str] = {}

    def wanted(self, asked: int, raised: Mapping[str, str], channels: Iterable[str]) -> int:
        """What an answer must wait for; `raised` has the channels that ask for more."""
        want = self.least | asked
        if raised:
            for channel in channels:
                want |= WISHES[raised.get(channel, "fsynced")]
        return want

    def name(self, reached: int) -> str:
        """What such an answer names."""
        if reached & LEDGER:
            return "ledger"
        return "replicated" if reached & REPLICATED else self.base

    @property
    def of_sql(self) -> str:
        """The level of what SQL is the master of."""
        return "memory" if self._database else "ledger"

    async def refuse_unreachable(self, want: int) -> None:
        """Before anything is done. Raises LevelUnreachable."""
        self.refuse_forgetful(want)
        if want & REPLICATED and self.replicas_there < self.replicas:
            with suppress(RedisError, OSError):
                await self._count_replicas()
            if self.replicas_there < self.replicas:
                raise LevelUnreachable(f"replicated: {self.replicas_there} of {self.replicas} replicas are connected")

    def refuse_forgetful(self, want: int) -> None:
        """Raises LevelUnreachable where a store does not keep what it said it has."""
        if want & REPLICATED and self._server:
            raise LevelUnreachable(f"replicated: {_says(self._server)}")
        if want & LEDGER and self._database:
            raise LevelUnreachable(f"ledger: {_says(self._database)}")

    def know_server(self, reasons: Collection[Unsafe]) -> None:
        """Remember why the server could lose what it has."""
        self._server = [reason for reason in reasons if reason.name in FORGETFUL]
        base = "memory" if self._server else "fsynced"
        if base != self.base:
            log.warning("level_changed", before=self.base, now=base, says=_says(self._server))
        self.base = base

    def know_database(self, reasons: Collection[Unsafe]) -> None:
        """Remember why the database could lose what was committed."""
        self._database = list(reasons)

    async def look(self) -> None:
        """Ask again: settings change, and after a fail-over it is another server. Raises Unanswered."""
        try:
            self.know_server(await unsafe_reasons(self._client))
            await self._count_replicas()
        except (RedisError, OSError) as error:
            self.replicas_there = 0
            raise Unanswered from error

    async def _count_replicas(self) -> None:
        found = await replicas_of(self._client)
        self.replicas_there = len(found)
        for replica in found:
            await self._know_replica(replica)
        self._known = {replica: self._known[replica] for replica in found}

    async def _know_replica(self, replica: Replica) -> None:
        """Say once what is wrong with a replica; it is asked again when it was away."""
        if replica not in self._known:
            self._known[replica] = why = await why_unsafe(self._url, replica)
            if why:
                log.warning("replica_unsafe", replica=replica.address, says=why)


def _says(reasons: Iterable[Unsafe]) -> str:
    return "; ".join(reason.says for reason in reasons)
