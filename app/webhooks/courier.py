"""
Sends what is due, and keeps trying.

One worker for each endpoint that something is due for: it claims a few deliveries, posts them side by side, writes down
what came of all of them, and goes on until nothing is due. An endpoint that hangs keeps its own worker waiting and
nobody else's. Any number of processes may send: a claimed delivery belongs to one of them for a minute.
"""

import asyncio
import random
from collections.abc import Iterable
from typing import Final, NamedTuple

import structlog

from app.ending import end
from app.metrics import Metrics
from app.store.database import Database, Session
from app.store.webhooks import (
    DELIVERED,
    FAILED,
    WAITING,
    DeliveryFacts,
    EndpointFacts,
    active_endpoints,
    change_delivery,
    change_endpoint,
    claim,
    due_endpoints,
    find_endpoint,
    put_off,
)
from app.times import now_ms

from .sending import Outcome, Postman

RETRY_SECONDS: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
"""How long after each failed attempt the next one is made, about; after the last of them it has failed for good."""

JITTER: Final = 0.1
"""How much later than planned an attempt may be, as a share: a receiver that comes back is not run over."""

GIVE_UP_MS: Final = 5 * 24 * 3_600_000
"""An endpoint to which nothing could be delivered for so long is disabled."""

BATCH: Final = 20
CLAIM_MS: Final = 60_000
WORKERS_MAX: Final = 50
GRACE_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)


class Attempt(NamedTuple):
    """One attempt and what came of it."""

    delivery: DeliveryFacts
    outcome: Outcome


class Courier:
    """Sends for every seller."""

    def __init__(self, database: Database, postman: Postman, metrics: Metrics) -> None:
        self._database = database
        self._postman = postman
        self._metrics = metrics
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self.kicked = asyncio.Event()

    def kick(self) -> None:
        """Something may be due before the next look."""
        self.kicked.set()

    async def run(self) -> None:
        """Let workers begin for what is due now; they go on by themselves. Raises what SQL raises."""
        self._workers = {id: task for id, task in self._workers.items() if not task.done()}
        async with self._database.reading() as session:
            due = await due_endpoints(session, now_ms=now_ms())
        for id in due:
            if id not in self._workers and len(self._workers) < WORKERS_MAX and not self._stopping:
                self._workers[id] = asyncio.create_task(self._work(id))

    async def idle(self) -> None:
        """Wait until no worker is at work."""
        while working := [task for task in self._workers.values() if not task.done()]:
            await asyncio.wait(working)

    async def close(self) -> None:
        """Let attempts under way end, for a moment; what has not ended is tried again by whoever sends next."""
        self._stopping = True
        tasks = list(self._workers.values())
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE_SECONDS)
        await end(*tasks)
        await self._postman.close()

    # --- one endpoint ------------------------------------------------------------------------------------------

    async def _work(self, endpoint_id: str) -> None:
        try:
            while not self._stopping and await self._send_some(endpoint_id):
                pass
        except Exception:
            log.exception("webhook_worker_failed", webhook=endpoint_id)

    async def _send_some(self, endpoint_id: str) -> bool:
        """Try what is due now; whether there may be more that is worth trying at once."""
        endpoint, claimed = await self._claim(endpoint_id)
        if endpoint is None or not claimed:
            return False
        try:
            attempts = await asyncio.gather(*(self._attempt(endpoint, delivery) for delivery in claimed))
        except asyncio.CancelledError:
            async with self._database.writing() as session:
                await put_off(session, [delivery.id for delivery in claimed], now_ms=now_ms())
            raise
        async with self._database.writing() as session:
            await settle(session, endpoint, attempts, now_ms=now_ms())
        # While nothing arrives the rest waits for the next look, a second later.
        return any(not attempt.outcome.error for attempt in attempts)

    async def _claim(self, endpoint_id: str) -> tuple[EndpointFacts | None, list[DeliveryFacts]]:
        now = now_ms()
        async with self._database.writing() as session:
            active = {endpoint.id: endpoint for endpoint in await active_endpoints(session)}
            endpoint = active.get(endpoint_id)
            if endpoint is None:
                return None, []
            # One that fails is asked with one delivery whether it works again.
            limit = BATCH if endpoint.failing_since_ms is None else 1
            return endpoint, await claim(session, endpoint_id, now_ms=now, until_ms=now + CLAIM_MS, limit=limit)

    async def _attempt(self, endpoint: EndpointFacts, delivery: DeliveryFacts) -> Attempt:
        outcome = await self._postman.deliver(endpoint, delivery)
        self._metrics.delivery(delivered=not outcome.error)
        say = log.info if outcome.error else log.debug
        say(
            "webhook_sent" if not outcome.error else "webhook_not_delivered",
            webhook=endpoint.id,
            delivery=delivery.id,
            event_type=delivery.event,
            attempt=delivery.attempts,
            status=outcome.status,
        )
        return Attempt(delivery, outcome)


async def settle(session: Session, endpoint: EndpointFacts, attempts: Iterable[Attempt], *, now_ms: int) -> None:
    """Write down what came of these attempts, and what that says of the endpoint."""
    attempts = list(attempts)
    # Before its deliveries, as everybody locks them who changes both.
    await find_endpoint(session, endpoint.seller, endpoint.id, lock=True)
    for delivery, outcome in attempts:
        await change_delivery(session, delivery.id, **_after(delivery, outcome, now_ms))
    if any(outcome.is_gone for _, outcome in attempts):
        await _disable(session, endpoint, "the receiver answered 410 Gone")
    elif any(not outcome.error for _, outcome in attempts):
        if endpoint.failing_since_ms is not None:
            await change_endpoint(session, endpoint.id, failing_since_ms=None)
    elif endpoint.failing_since_ms is None:
        await change_endpoint(session, endpoint.id, failing_since_ms=now_ms)
    elif now_ms - endpoint.failing_since_ms >= GIVE_UP_MS:
        days = GIVE_UP_MS // 86_400_000
        await _disable(session, endpoint, f"nothing was delivered for {days} days: {attempts[-1].outcome.error}"[:300])


def _after(delivery: DeliveryFacts, outcome: Outcome, now: int) -> dict[str, object]:
    """What becomes of a delivery after an attempt."""
    last: dict[str, object] = {"last_status": outcome.status, "last_error": outcome.error[:500], "last_ms": now}
    if not outcome.error:
        return {**last, "state": DELIVERED}
    if outcome.is_gone or delivery.attempts > len(RETRY_SECONDS):
        return {**last, "state": FAILED}
    planned_s = RETRY_SECONDS[delivery.attempts - 1]
    return {**last, "state": WAITING, "next_ms": now + int(1000 * planned_s * (1 + random.random() * JITTER))}


async def _disable(session: Session, endpoint: EndpointFacts, why: str) -> None:
    log.warning("webhook_disabled", webhook=endpoint.id, seller=endpoint.seller, why=why)
    await change_endpoint(session, endpoint.id, active=False, disabled_why=why)
