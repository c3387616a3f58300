"""
How long numbers take from the ledger to channels, kept where every process can read it.

Workers have no page for Prometheus, so the counts are in Valkey, by connection, and every API process shows them.
"""

from collections.abc import Awaitable, Iterable
from contextlib import suppress
from typing import Final, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.metrics import LATE, Timing

from .means import Account

STAGES: Final = ("accepted", "applied")
KEEP_S: Final = 30 * 86_400
"""How long the counts of a connection are kept that nothing is pushed to."""

Arrival = tuple[str, int]
"""A stage that a number has reached, and how long after its change, in ms."""


async def keep(client: Redis, seller: str, code: str, arrivals: Iterable[Arrival]) -> None:
    """Count these. When the store does not answer they are not counted: nothing else must wait for that."""
    timings = {stage: Timing(LATE) for stage in STAGES}
    for stage, lag_ms in arrivals:
        timings[stage].add(max(0, lag_ms) / 1_000)
    key = _key(seller, code)
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
