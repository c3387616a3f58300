"""The jobs of webhooks, and everything they stand on: what `main` opens and closes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog

from app.deps import State
from app.ending import end
from app.schedule import Job, Memory, running
from app.store.webhooks import all_endpoint_ids, delete_deliveries
from app.times import now_ms

from .courier import Courier
from .reader import Reader
from .sending import Postman

DAY_MS: Final = 24 * 3_600_000
DELETE_COUNT: Final = 1_000
DELETES_MAX: Final = 100
"""Most transactions of one run of the retention."""

log = structlog.get_logger(__name__)


class Webhooks:
    """Reads, sends and forgets. Its jobs have the form of the schedule."""

    def __init__(self, state: State) -> None:
        settings = state.settings
        self.courier = Courier(state.database, Postman(allow_private=settings.webhooks_allow_private), state.metrics)
        self.reader = Reader(state.database, state.allocators, state.pipe.client, self.courier.kick)

    async def read_for_webhooks(self, state: State, memory: Memory) -> None:  # noqa: ARG002 every job has the same form
        """Turn what happened into deliveries."""
        await self.reader.run()

    async def send_webhooks(self, state: State, memory: Memory) -> None:  # noqa: ARG002 every job has the same form
        """Begin to send what is due."""
        await self.courier.run()

    async def forget_deliveries(self, state: State, memory: Memory) -> None:  # noqa: ARG002 every job has the same form
        """Delete deliveries that are older than anybody asks for."""
        before_ms = now_ms() - state.settings.webhook_log_days * DAY_MS
        async with state.database.reading() as session:
            endpoints = await all_endpoint_ids(session)
        left = DELETES_MAX
        for endpoint in endpoints:
            while left:
                left -= 1
                async with state.database.writing() as session:
                    if await delete_deliveries(session, endpoint, before_ms=before_ms, limit=DELETE_COUNT) == 0:
                        break

    def jobs(self) -> tuple[Job, ...]:
        """What runs, and how often."""
        return Job(self.read_for_webhooks, 1), Job(self.send_webhooks, 1), Job(self.forget_deliveries, 3_600)

    async def send_when_kicked(self) -> None:
        """Send what was just written without waiting for the next second."""
        while True:
            await self.courier.kicked.wait()
            self.courier.kicked.clear()
            with suppress(Exception):
                # The job says it when the same thing fails there.
                await self.courier.run()

    async def close(self) -> None:
        """Let others go on."""
        await self.courier.close()
        try:
            await self.reader.stop()
        except Exception as error:  # noqa: BLE001 - a lease ends by itself; SQL being away must not keep us
            log.warning("webhook_lease_kept", says=type(error).__name__)


@asynccontextmanager
async def delivering(state: State, may: Callable[[Job], bool] = lambda _: True) -> AsyncIterator[Webhooks]:
    """Webhooks at work until the block ends; their jobs run when they `may`."""
    webhooks = Webhooks(state)
    kicked = asyncio.create_task(webhooks.send_when_kicked())
    try:
        async with running(state, webhooks.jobs(), may):
            yield webhooks
    finally:
        await end(kicked)
        await webhooks.close()
