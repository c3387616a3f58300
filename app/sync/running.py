"""
Workers at channels: every connection has one at a time, in whichever process gets its lease.

A process tries for every connection's lease. Where it has one, each step runs again and again in a task of its own,
so that a channel that is slow in one thing goes on with the others, and a run that takes long is followed by the next
and not overtaken. A connection that fails says so, is tried again ever more seldom, and keeps no other from going on.
"""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec
import structlog

from allocator.errors import AllocatorError
from app.deps import State
from app.ending import end
from app.errors import Unsealable
from app.leading import Lead, leading
from app.store.connections import ConnectionFacts, all_connections
from app.store.database import SqlError
from channels.errors import ChannelError

from .in_steps import IN_STEPS
from .memory import forget
from .out_steps import OUT_STEPS, WHILE_PAUSED
from .recording import NotOurs
from .steps import Step, Tenure, Work
from .trouble import Trouble

STEPS: Final = (*OUT_STEPS, *IN_STEPS)

LEASE_SECONDS: Final = 15.0
"""After so long a worker that died is followed."""

LOOK_SECONDS: Final = 1.0
"""How often connections are looked at: what was changed of one holds from then on."""

RETRY_SECONDS: Final = 1.0
RETRY_SECONDS_MAX: Final = 60.0

EXPECTED: Final = (ChannelError, AllocatorError, Unsealable, msgspec.ValidationError, *SqlError)
"""What can go wrong without a mistake of ours."""

Key = tuple[str, str]
"""A seller and the code of a connection."""

log = structlog.get_logger(__name__)


def lease_of(seller: str, code: str) -> str:
    """The name of a connection's lease; names of leases are short."""
    return f"channel:{hashlib.sha256(f'{seller}/{code}'.encode()).hexdigest()[:32]}"


class Runner:
    """Works for all connections it can get. `seconds`: how long a lease lasts."""

    def __init__(self, state: State, steps: Sequence[Step] = STEPS, *, seconds: float = LEASE_SECONDS) -> None:
        self._state = state
        self._steps = steps
        self._seconds = seconds
        self._facts: dict[Key, ConnectionFacts] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}

    async def look(self) -> None:
        """See which connections there are. Raises what SQL raises."""
        async with self._state.database.reading() as session:
            found = await all_connections(session)
        before = self._facts
        self._facts = {(facts.seller, facts.code): facts for facts in found if facts.seller in self._state.allocators}
        # In the order of the connections: sets have another one in every process.
        for key in [key for key in self._tasks if not _is_still_there(before.get(key), self._facts.get(key))]:
            await end(self._tasks.pop(key))
            await self._state.lines.drop(*key)
        for key in [key for key in self._facts if key not in self._tasks]:
            self._tasks[key] = asyncio.create_task(self._keep(key))

    async def close(self) -> None:
        """Let others go on."""
        await end(*self._tasks.values())
        self._tasks.clear()

    # --- one connection ----------------------------------------------------------------------------------------

    async def _keep(self, key: Key) -> None:
        """Work for a connection whenever its lease is ours."""
        lead = Lead(self._state.database, name=lease_of(*key), seconds=self._seconds, who="channel")
        async with leading(lead, lambda: None):
            while True:
                if lead.term is not None and lead.leads():
                    await self._work(key, lead, lead.term)
                await asyncio.sleep(LOOK_SECONDS)

    async def _work(self, key: Key, lead: Lead, term: int) -> None:
        """Every step again and again, as long as this term lasts."""
        stay = _Stay(lead, term)
        trouble = Trouble(self._state.database, key, stay.tenure)
        with suppress(*EXPECTED):
            forget(await self._work_of(key, stay))
        tasks = [asyncio.create_task(self._repeat(step, key, stay, trouble)) for step in self._steps]
        try:
            # Each of them ends with the term, unless it is in the middle of something.
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(*tasks)

    async def _repeat(self, step: Step, key: Key, stay: "_Stay", trouble: Trouble) -> None:
        failures = 0
        while stay.is_ours() and (facts := self._facts.get(key)):
            rest_s = step.every_s
            if not facts.paused or step.name in WHILE_PAUSED:
                try:
                    more = await self._once(step, key, stay, trouble)
                except NotOurs:
                    log.warning("channel_result_too_late", seller=key[0], connection=key[1], step=step.name)
                    return
                failures = failures + 1 if more is None else 0
                rest_s = _rest_s(step, more, failures)
            await asyncio.sleep(rest_s)

    async def _once(self, step: Step, key: Key, stay: "_Stay", trouble: Trouble) -> bool | None:
        """Run a step; whether there is more to do, None when it failed. Raises NotOurs."""
        version = self._facts[key].version
        try:
            more = await step.run(await self._work_of(key, stay))
        except NotOurs:
            raise
        except Exception as error:  # noqa: BLE001 - whatever one run does, the next one must come
            if (facts := self._facts.get(key)) is None or facts.version != version:
                # Its line was closed under it: the connection is another one now.
                return True
            await trouble.has(step.name, error, expected=isinstance(error, EXPECTED))
            return None
        await trouble.over(step.name)
        return more

    async def _work_of(self, key: Key, stay: "_Stay") -> Work:
        """What a step works with, as the connection stands now. Raises Unsealable, msgspec.ValidationError."""
        facts = self._facts[key]
        line = await self._state.lines.line(facts)
        allocator = self._state.allocators[facts.seller]
        return Work(self._state, facts, line, allocator, stay.is_ours, stay.tenure)


class _Stay:
    """One term of ours."""

    def __init__(self, lead: Lead, term: int) -> None:
        self._lead = lead
        self.tenure = Tenure(lead.name, lead.owner, term)

    def is_ours(self) -> bool:
        return self._lead.leads() and self._lead.term == self.tenure.term


def _is_still_there(before: ConnectionFacts | None, now: ConnectionFacts | None) -> bool:
    """Whether it is there and was not made again: that is another one, whose steps have not rested yet."""
    return before is not None and now is not None and now.created_ms == before.created_ms


def _rest_s(step: Step, more: bool | None, failures: int) -> float:
    """How long until the next run: none while there is more to do, longer after each failure."""
    if failures:
        longest: float = min(RETRY_SECONDS_MAX, RETRY_SECONDS * 2.0 ** min(failures - 1, 10))
        return max(step.every_s, longest) * (1 + random.random() * 0.1)
    return 0.0 if more else step.every_s


@asynccontextmanager
async def syncing(
    state: State, steps: Sequence[Step] = STEPS, *, seconds: float = LEASE_SECONDS
) -> AsyncIterator[Runner]:
    """Channels and stock kept together until the block ends, as far as no other process does it."""
    runner = Runner(state, steps, seconds=seconds)
    looking = asyncio.create_task(_look(runner))
    try:
        yield runner
    finally:
        await end(looking)
        await runner.close()


async def _look(runner: Runner) -> None:
    said = ""
    while True:
        try:
            await runner.look()
            said = ""
        except Exception as error:  # noqa: BLE001 - whatever the driver says, the next look must come
            says = f"{type(error).__name__}: {error}"
            if says != said:
                log.error("connections_unread", says=says)  # noqa: TRY400 it is not ours
            said = says
        await asyncio.sleep(LOOK_SECONDS)
