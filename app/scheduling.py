"""What is done once for a whole deployment, in whichever process schedules: shared jobs, webhooks, and the lease."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from .deps import State
from .leading import Lead, leading
from .schedule import OWN_JOBS, SHARED_JOBS, running
from .standing import Said
from .webhooks.jobs import Webhooks, delivering

SAY_SECONDS: Final = 10.0
"""How often the counts are told; what is wrong is told at once."""


OWN: Final = frozenset(job.run.__name__ for job in OWN_JOBS)


class Speaker:
    """What a scheduler has to say, when there is something new."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._wrong: object = None
        self._next = 0.0

    def say(self) -> str | None:
        """What others shall know, or None."""
        failing = {job: says for job, says in self._state.jobs_failing.items() if job not in OWN}
        jumps = dict(self._state.clock_jumps_ms)
        if self._wrong == (failing, jumps) and time.monotonic() < self._next:
            return None
        self._wrong, self._next = (failing, jumps), time.monotonic() + SAY_SECONDS
        return msgspec.json.encode(Said(jumps, failing, self._state.metrics.told(OWN))).decode()


@asynccontextmanager
async def scheduling(state: State, told: Callable[[str], None] = lambda _: None) -> AsyncIterator[Webhooks]:
    """Work, or stand by, until the block ends. `told` hears again and again what is wrong, '' for nothing."""
    lead = Lead(state.database)
    state.heard.own = lead.owner
    async with (
        leading(lead, Speaker(state).say, told),
        running(state, SHARED_JOBS, lead.may),
        delivering(state, lead.may) as webhooks,
    ):
        yield webhooks
