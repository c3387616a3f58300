"""
What processes tell each other at once, on channels of Valkey: a key has ended; somebody waits for the drain.

A message can be lost with its connection, so nothing rests on it: whoever connects again checks what he may have
missed, all keys are checked every two seconds whatever happens here, and the drain looks by itself too.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from allocator import make_client

from .ending import end

CHANNEL: Final = "allot:keys"
"""The message is a key's id: ask SQL about it again."""

WAKE_DRAIN: Final = "allot:drain"
"""The message is a seller: somebody waits until his ledger is in SQL."""

RECONNECT_S: Final = 1.0
LISTEN_S: Final = 10.0

Refresh = Callable[[], Awaitable[None]]

log = structlog.get_logger(__name__)


async def announce(client: Redis, said: str, *, channel: str = CHANNEL) -> bool:
    """Tell every process that listens; False when Valkey could not be told."""
    try:
        await client.publish(channel, said)
    except (RedisError, OSError, TimeoutError) as error:
        log.warning("signal_not_sent", channel=channel, said=said, says=type(error).__name__)
        return False
    return True


@asynccontextmanager
async def listening(
    redis_url: str, hear: Callable[[str], None], refresh: Refresh, *, channel: str = CHANNEL
) -> AsyncIterator[None]:
    """Hear what others announce, until the block ends; `refresh` makes up for what was said while nobody listened."""
    client = make_client(redis_url, timeout_s=None, connections_max=1)
    listener = asyncio.create_task(_listen_for_ever(client, channel, hear, refresh))
    try:
        yield
    finally:
        await end(listener)
        await client.aclose()


async def _listen_for_ever(client: Redis, channel: str, hear: Callable[[str], None], refresh: Refresh) -> None:
    while True:
        try:
            await _listen(client, channel, hear, refresh)
        except Exception as error:  # noqa: BLE001 - whatever ends one connection, there must be a next one
            log.info("signals_interrupted", channel=channel, says=type(error).__name__)
        await asyncio.sleep(RECONNECT_S)


async def _listen(client: Redis, channel: str, hear: Callable[[str], None], refresh: Refresh) -> None:
    async with client.pubsub() as pubsub:
        await pubsub.subscribe(channel)
        while True:
            message = await pubsub.get_message(timeout=LISTEN_S)
            if message is None:
                continue
            if message["type"] == "subscribe":
                await refresh()
            elif message["type"] == "message":
                hear(message["data"].decode("ascii", "replace"))
