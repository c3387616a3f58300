"""
How long numbers take from the ledger to a channel, kept where every process can read it.

A change that came while a push was under way was not in it; it counts from the end of that push. The counts are in
Valkey, by connection: workers have no page for Prometheus, and every API process shows the counts of all workers.
"""

from collections.abc import Awaitable, Iterable, Iterator
from contextlib import suppress
from typing import Final, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.lines.means import Account
from app.metrics import LATE, Timing
from app.store.connections import ConnectionFacts
from app.store.shown import ShownFacts

from .outcomes import Fields

ARRIVED: Final = frozenset({"accepted", "applied"})
STAGES: Final = ("accepted", "applied")
KEEP_S: Final = 30 * 86_400
"""How long the counts of a connection are kept that nothing is pushed to."""

Arrival = tuple[str, int]
"""A stage that a number has reached, and how long after its change, in ms."""


def since_ms(row: ShownFacts) -> int:
    """Since when the number of a listing that is to be pushed is another one than the channel has."""
    return max(row.changed_ms, row.told_ms) if row.outcome in ARRIVED else row.changed_ms


def of_push(row: ShownFacts, became: Fields, at_ms: int) -> Iterator[Arrival]:
    """A push of this row was answered at `at_ms`, by which it `became` something else."""
    if became.get("outcome") in ARRIVED:
        yield "accepted", at_ms - since_ms(row)
    if became.get("outcome") == "applied":
        yield "applied", at_ms - since_ms(row)


def of_bulk(row: ShownFacts, became: Fields, at_ms: int) -> Iterator[Arrival]:
    """A bulk push that carried this row is through; a number counts that has not changed since it was sent."""
    if became.get("outcome") in ARRIVED and row.changes == row.settled:
        yield "accepted", at_ms - row.changed_ms
        if became["outcome"] == "applied":
            yield "applied", at_ms - row.changed_ms


def of_look(row: ShownFacts, became: Fields, at_ms: int) -> Iterator[Arrival]:
    """The channel was seen at `at_ms`; a number counts that was accepted before, and has not changed since."""
    if row.outcome == "accepted" and became.get("outcome") == "applied" and row.changes == row.settled:
        yield "applied", at_ms - row.changed_ms


async def keep(client: Redis, facts: ConnectionFacts, arrivals: Iterable[Arrival]) -> None:
    """Count these. When the store does not answer they are not counted: nothing else must wait for that."""
    timings = {stage: Timing(LATE) for stage in STAGES}
    for stage, lag_ms in arrivals:
        timings[stage].add(max(0, lag_ms) / 1_000)
    key = _key(facts.seller, facts.code)
    pipe = client.pipeline(transaction=False)
    for stage, timing in timings.items():
        for number, count in enumerate(timing.counts):
            if count:
                pipe.hincrby(key, f"{stage}:{number}", count)
        if timing.seconds:
            pipe.hincrbyfloat(key, f"{stage}:seconds", round(timing.seconds, 3))
    if len(pipe):
        pipe.expire(key, KEEP_S)
        with suppress(RedisError, OSError):
            await pipe.execute()


async def kept(client: Redis, seller: str, code: str) -> dict[str, Timing]:
    """What was counted for a connection, by stage. Raises RedisError, OSError."""
    found = await cast(Awaitable[dict[bytes, bytes]], client.hgetall(_key(seller, code)))
    timings: dict[str, Timing] = {}
    for field, value in found.items():
        stage, _, name = field.decode().partition(":")
        timing = timings.setdefault(stage, Timing(LATE))
        if name == "seconds":
            timing.seconds = float(value)
        elif int(name) < len(timing.counts):
            timing.counts[int(name)] = int(value)
    return timings


def _key(seller: str, code: str) -> str:
    return f"{Account(seller, code).prefix}:lag"
