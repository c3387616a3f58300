"""
How a key that ends here ends everywhere: its id on a channel of Valkey that every process listens to.

A message can be lost with its connection, so whoever connects again checks all keys once, and the schedule does it
every two seconds whatever happens here.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from allocator import make_client

CHANNEL: Final = "allot:keys"
"""The message is a key's id: ask SQL about it again."""

RECONNECT_S: Final = 1.0
LISTEN_S: Final = 10.0

log = structlog.get_logger(__name__)


async def announce(client: Redis, id: str) -> bool:
    """Tell every process to forget this key; False when Valkey could not be told."""
    try:
        await client.publish(CHANNEL, id)
    except (RedisError, OSError, TimeoutError) as error:
        log.warning("key_signal_not_sent", key=id, says=type(error).__name__)
        return False
    return True


@asynccontextmanager
async def listening(
    redis_url: str, forget: Callable[[str], None], refresh: Callable[[], Awaitable[None]]
) -> AsyncIterator[None]:
    """Forget the keys that others end, until the block ends."""
    client = make_client(redis_url, timeout_s=None, connections_max=1)
    listener = asyncio.create_task(_listen_for_ever(client, forget, refresh))
    try:
        yield
    finally:
        listener.cancel()
        with suppress(asyncio.CancelledError):
            await listener
        await client.aclose()


async def _listen_for_ever(
    client: Redis, forget: Callable[[str], None], refresh: Callable[[], Awaitable[None]]
) -> None:
    while True:
        try:
            await _listen(client, forget, refresh)
        except Exception as error:  # noqa: BLE001 - whatever ends one connection, there must be a next one
            log.info("key_signals_interrupted", says=type(error).__name__)
        await asyncio.sleep(RECONNECT_S)


async def _listen(client: Redis, forget: Callable[[str], None], refresh: Callable[[], Awaitable[None]]) -> None:
    async with client.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        while True:
            message = await pubsub.get_message(timeout=LISTEN_S)
            if message is None:
                continue
            if message["type"] == "subscribe":
                # What was said while nobody listened here.
                await refresh()
            elif message["type"] == "message":
                forget(message["data"].decode("ascii", "replace"))
