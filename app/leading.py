"""
One of several processes works, the others stand by: one scheduler, and for each connection to a channel one worker.

It holds a lease in SQL and renews it every second or two. One that ends in order gives it back; one that dies is
followed when its lease is over. Whoever cannot renew stops believing in its lease before anybody may take it,
since it counts from before it asked. What a scheduler's job that was begun still does then is no harm: jobs are verbs
and changes of config, which are safe to do twice, and the lease only keeps them from being done twice all day long.
What a worker writes down checks its term.

SQL away: nobody can know who works, so every scheduler does what needs no SQL. Orders go on then, and holds still end.
"""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from .ending import end
from .schedule import LEASE, Job
from .store.database import Database
from .store.leases import NOBODY, LeaseFacts, give_up_lease, read_lease, renew_lease, take_lease

LEASE_SECONDS: Final = 6.0
BEATS: Final = 4
"""How often a lease is renewed while it lasts."""

ANSWER_SECONDS_MAX: Final = 3.0
"""SQL that has not answered by then counts as away."""

log = structlog.get_logger(__name__)


class Lead:
    """
    Whether this process is the one that works under the lease `name`, which lasts so many seconds.

    `who` is what logs call it. `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        database: Database,
        *,
        name: str = LEASE,
        seconds: float = LEASE_SECONDS,
        who: str = LEASE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.seconds, self.who = name, seconds, who
        self.owner = secrets.token_hex(8)
        self.term: int | None = None
        self._database = database
        self._clock = clock
        self._until = 0.0
        self._answered = clock()
        self._seen: LeaseFacts | None = None
        self._seen_at = 0.0

    def leads(self) -> bool:
        """Whether nobody else can work now."""
        return self._clock() < self._until

    def event(self, name: str) -> str:
        """What logs call something that happened to it."""
        return f"{self.who}_{name}"

    def is_cut_off(self) -> bool:
        """Whether SQL has not answered for as long as a lease lasts."""
        return self._clock() - self._answered > self.seconds

    def may(self, job: Job) -> bool:
        """Whether this job is ours to run."""
        return self.leads() or (job.without_sql and self.is_cut_off())

    async def beat(self, said: str | None = None) -> None:
        """Renew the lease, or take it if nobody works. Raises what SQL raises, or TimeoutError."""
        asked = self._clock()
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            if self.term is None or not await self._renew(self.term, said):
                self.term = await self._take()
        self._answered = asked
        self._until = 0.0 if self.term is None else asked + self.seconds

    async def give_up(self) -> None:
        """Let another one work at once. Raises what SQL raises, or TimeoutError."""
        self._until = 0.0
        if self.term is not None:
            async with asyncio.timeout(ANSWER_SECONDS_MAX), self._database.writing() as session:
                await give_up_lease(session, self.name, owner=self.owner, term=self.term)

    async def _renew(self, term: int, said: str | None) -> bool:
        async with self._database.writing() as session:
            renewed = await renew_lease(session, self.name, owner=self.owner, term=term, said=said)
        if not renewed:
            log.warning(self.event("lost_its_lease"), lease=self.name, term=term)
        return renewed

    async def _take(self) -> int | None:
        async with self._database.reading() as session:
            found = await read_lease(session, self.name)
        if not self._is_free(found):
            return None
        async with self._database.writing() as session:
            term = await take_lease(session, self.name, owner=self.owner, host=socket.gethostname(), seen=found)
        if term is not None:
            after = found.host if found and found.owner else "nobody"
            log.info(self.event("works"), lease=self.name, term=term, after=after)
        return term

    def _is_free(self, found: LeaseFacts | None) -> bool:
        """Whether nobody has the lease, or whoever has it has not written for as long as it lasts."""
        if found is None or found.owner == NOBODY:
            return True
        if found != self._seen:
            self._seen, self._seen_at = found, self._clock()
        return self._clock() - self._seen_at >= self.seconds


@asynccontextmanager
async def leading(
    lead: Lead, say: Callable[[], str | None], told: Callable[[str], None] = lambda _: None
) -> AsyncIterator[None]:
    """
    Hold or await the lease until the block ends.

    `say` gives what others shall know, None for what they know already; `told` hears after each try what was wrong
    with it, '' for nothing.
    """
    said = await _try(lead, say, told, "")
    keeper = asyncio.create_task(_keep(lead, say, told, said))
    try:
        yield
    finally:
        await end(keeper)
        try:
            await lead.give_up()
        except Exception as error:  # noqa: BLE001 - the lease ends by itself; SQL being away must not keep us
            log.warning(lead.event("lease_kept"), says=type(error).__name__)


async def _keep(lead: Lead, say: Callable[[], str | None], told: Callable[[str], None], said: str) -> None:
    while True:
        await asyncio.sleep(lead.seconds / BEATS)
        said = await _try(lead, say, told, said)


async def _try(lead: Lead, say: Callable[[], str | None], told: Callable[[str], None], said: str) -> str:
    """Beat once. What is wrong is logged when it is new; `said` is what was wrong before."""
    says = ""
    try:
        await lead.beat(say() if lead.leads() else None)
    except Exception as error:  # noqa: BLE001 - whatever the driver says, the next try must come
        says = f"SQL does not answer: {type(error).__name__}"
    if says and says != said:
        log.error(lead.event("cut_off"), says=says)
    told(says)
    return says
