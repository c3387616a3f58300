"""
A walk over all that sellers have, without an end and in small steps, for the metrics that no single request knows.

A step reads a few hundred records, ten steps a second are the most, one a second while many requests come: a million
skus take some minutes a round and disturb nobody. The numbers of a round are published together when it ends.
"""

import asyncio
import time
from contextlib import suppress
from typing import Final

from redis.exceptions import RedisError

from allocator import census, errors
from allocator.gate import CHECKING, FROZEN, OPEN, SHUT, Gate

from . import families as f
from . import metrics as m
from .deps import State
from .lines import lag, mended
from .store.counts import waiting_counts
from .store.database import SqlError
from .store.errands import count_dead
from .store.heard import waiting_orders
from .store.recounts import waiting_recounts
from .store.rounds import last_round
from .store.unpushed import unpushed
from .times import now_ms

CHUNK: Final = 250
"""Records a step reads: 1.5 ms of this process's time on a slow machine, 1.5 % of it at ten steps a second."""

STEPS: Final = 10
PAUSE_S: Final = 0.08
"""A run of ten steps with these pauses ends before the next second begins."""

BUSY_PER_S: Final = 1_000
"""Requests a second from which on a run is one step."""

ROUND_S_MIN: Final = 10.0
"""A small shop is not counted more often than that."""

DAY_MS: Final = 86_400_000

GATES: Final = (OPEN, FROZEN, CHECKING, SHUT)
"""What the gauge counts from 0."""

LEDGER_CHUNK: Final = 500
LEDGER_CHUNKS: Final = 20
"""Reads of the ledger in one run, at most: 2,000 entries a second; what is left is read later."""


class Round:
    """One seller counted once, first its skus, then its orders."""

    def __init__(self, seller: str) -> None:
        self.seller = seller
        self.stock = census.StockTotals()
        self.orders = census.OrderTotals()
        self.started = time.monotonic()
        self._late_ms = now_ms() - DAY_MS
        self._cursor = 0
        self._in_stock = True

    async def step(self, state: State) -> bool:
        """Count some more; True when the round is over."""
        client, cursor = state.pipe.client, self._cursor
        if self._in_stock:
            low = state.settings.low_stock
            self._cursor = await census.count_stock(
                client, self.seller, self.stock, cursor=cursor, count=CHUNK, low_units=low
            )
            self._in_stock = self._cursor != 0
            return False
        self._cursor = await census.count_orders(
            client, self.seller, self.orders, cursor=cursor, count=CHUNK, late_ms=self._late_ms
        )
        return self._cursor == 0


class Survey:
    """What the walk remembers between runs."""

    def __init__(self) -> None:
        self._round: Round | None = None
        self._waiting: list[str] = []
        self._rest_until = 0.0
        self._requests = 0
        self._looked = time.monotonic()
        self._shipped_after: dict[str, str] = {}

    async def run(self, state: State, *, steps: int = STEPS, pause_s: float = PAUSE_S) -> None:
        """Some steps; fewer while the service is busy. Raises Unanswered: the next run goes on where this one broke."""
        steps = min(steps, 1) if self._is_busy(state) else steps
        try:
            for _ in range(steps):
                if not await self._step(state):
                    return
                await asyncio.sleep(pause_s)
        except (RedisError, OSError) as error:
            raise errors.Unanswered from error

    async def _step(self, state: State) -> bool:
        """One step; False when there is nothing to do before the rest is over."""
        round = self._round or self._begin(state)
        if round is None:
            return False
        if await round.step(state):
            self._round = None
            await _publish(state, round)
        return True

    def _begin(self, state: State) -> Round | None:
        if not self._waiting:
            if time.monotonic() < self._rest_until:
                return None
            self._waiting = sorted(state.allocators, reverse=True)
            self._rest_until = time.monotonic() + ROUND_S_MIN
        self._round = Round(self._waiting.pop())
        return self._round

    def _is_busy(self, state: State) -> bool:
        before, looked = self._requests, self._looked
        self._requests, self._looked = state.metrics.requests, time.monotonic()
        return self._requests - before > BUSY_PER_S * (self._looked - looked)

    async def look(self, state: State) -> None:
        """What the store keeps without counting, and what left the shelves since the last look. Raises Unanswered."""
        try:
            for seller in list(state.allocators):
                await self._look(state, seller)
        except (RedisError, OSError) as error:
            raise errors.Unanswered from error

    async def _look(self, state: State, seller: str) -> None:
        standing = await census.standing(state.pipe.client, seller)
        if standing.epoch != state.allocators[seller].epoch:
            _forget(state.metrics, seller)
            return
        state.metrics.set(m.CONFIG_VERSION, standing.config, seller)
        state.metrics.set(m.LEDGER, standing.ledger_entries, seller)
        state.metrics.set(m.OPEN_HOLDS, standing.open_holds, seller)
        state.metrics.set(m.WAITING, standing.backordered_lines, seller)
        await _tell_gate(state, seller)
        await _tell_check(state, seller)
        await _tell_waiting(state, seller)
        await _tell_channels(state, seller)
        await _tell_channel_orders(state, seller)
        await self._count_shipped(state, seller)

    async def _count_shipped(self, state: State, seller: str) -> None:
        """Only what ships while this process runs; a counter may begin anywhere."""
        client, known = state.pipe.client, self._shipped_after.get(seller)
        if known is None:
            self._shipped_after[seller] = await census.last_entry(client, seller)
            state.metrics.add(m.SHIPPED, seller, times=0)
            return
        for _ in range(LEDGER_CHUNKS):
            shipped = await census.shipped_after(client, seller, self._shipped_after[seller], LEDGER_CHUNK)
            self._shipped_after[seller] = shipped.last
            state.metrics.add(m.SHIPPED, seller, times=shipped.units)
            if shipped.read < LEDGER_CHUNK:
                return


async def _tell_check(state: State, seller: str) -> None:
    """The last round of the running check; nothing while SQL does not answer, which has an alert of its own."""
    with suppress(*SqlError):
        async with state.database.reading() as session:
            last = await last_round(session, seller)
        if last is not None:
            state.metrics.set(m.CHECKED_TIME, last.ended_ms / 1000, seller)
            state.metrics.set(m.CHECKED_SECONDS, (last.ended_ms - last.started_ms) / 1000, seller)
            state.metrics.set(m.CHECKED_RECORDS, last.records, seller)
            state.metrics.set(m.VIOLATIONS, last.violations, seller)


async def _tell_waiting(state: State, seller: str) -> None:
    """What waits for people: recounts, and counts that are parked. Nothing while SQL does not answer."""
    with suppress(*SqlError):
        async with state.database.reading() as session:
            recounts, parked = await waiting_recounts(session, seller), await waiting_counts(session, seller)
        for waiting, number, age in (
            (recounts, m.OPEN_RECOUNTS, m.RECOUNT_AGE),
            (parked, m.PARKED_COUNTS, m.PARKED_AGE),
        ):
            state.metrics.set(number, waiting.number, seller)
            since_ms = now_ms() if waiting.since_ms is None else waiting.since_ms
            state.metrics.set(age, max(0, now_ms() - since_ms) / 1000, seller)


async def _tell_channels(state: State, seller: str) -> None:
    """How far channels are behind the stock. Nothing while SQL does not answer."""
    with suppress(*SqlError):
        async with state.database.reading() as session:
            found = await unpushed(session, seller)
        for family in f.SYNC.values():
            state.metrics.forget(family, seller)
        for code, one in found.items():
            age_s = 0.0 if one.oldest_ms is None else max(0, now_ms() - one.oldest_ms) / 1000
            state.metrics.set(f.SYNC["unpushed_age_seconds"], age_s, seller, code)
            state.metrics.set(f.SYNC["dead_listings"], one.dead, seller, code)
            state.metrics.set(f.SYNC["drifted_listings"], one.drift, seller, code)
            state.metrics.set(f.SYNC["connection_failing"], int(bool(one.failing)), seller, code)
        client = state.pipe.client
        with suppress(RedisError, OSError):
            state.metrics.arrived(seller, {code: await lag.kept(client, seller, code) for code in found})
            state.metrics.mended(seller, {code: await mended.kept(client, seller, code) for code in found})


async def _tell_channel_orders(state: State, seller: str) -> None:
    """What of the channels' orders is not done. Nothing while SQL does not answer."""
    with suppress(*SqlError):
        async with state.database.reading() as session:
            found, dead = await waiting_orders(session, seller), await count_dead(session, seller)
        age_s = (now_ms() - found.oldest_ms) / 1000 if found.oldest_ms else 0
        state.metrics.set(f.ORDERS_WAITING, found.waiting, seller)
        state.metrics.set(f.ORDERS_WAITING_AGE, max(0, age_s), seller)
        state.metrics.set(f.ORDERS_PARKED, found.parked, seller)
        state.metrics.set(f.ERRANDS_DEAD, dead, seller)


async def _tell_gate(state: State, seller: str) -> None:
    gate = Gate(state.pipe.client, seller, state.epoch)
    standing = (await gate.standing()).gate
    state.metrics.set(m.GATE, GATES.index(standing), seller)
    state.metrics.set(m.FROZEN, 0 if standing == OPEN else len(await gate.frozen()), seller)


async def _publish(state: State, round: Round) -> None:
    """The round's numbers, unless they are those of a store that is not ours."""
    metrics, seller, orders = state.metrics, round.seller, round.orders
    if (await census.standing(state.pipe.client, seller)).epoch != state.allocators[seller].epoch:
        _forget(metrics, seller)
        return
    metrics.set(m.SKUS, round.stock.skus, seller)
    metrics.set(m.SKUS_LOW, round.stock.low, seller)
    metrics.set(m.SKUS_OUT, round.stock.sold_out, seller)
    for bucket, family in m.UNITS.items():
        metrics.set(family, getattr(round.stock, bucket), seller)
    metrics.set(m.OPEN_ORDERS, orders.open, seller)
    metrics.set(m.LATE_ORDERS, orders.late, seller)
    metrics.forget(m.OPEN_UNITS, seller)
    for source, units in orders.units.items():
        metrics.set(m.OPEN_UNITS, units, seller, source)
    metrics.set(m.UNREADABLE, round.stock.unreadable + orders.unreadable, seller)
    metrics.set(m.SURVEY_SECONDS, time.monotonic() - round.started, seller)
    metrics.set(m.SURVEY_TIME, time.time(), seller)


def _forget(metrics: m.Metrics, seller: str) -> None:
    """Say nothing rather than something about another data set."""
    for family in m.SURVEYED:
        metrics.forget(family, seller)
