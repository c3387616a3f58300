"""How many webhooks of a connection had to be made or woken: counted in Valkey, for workers have no page to show it."""

from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from .means import Account


async def keep(client: Redis, seller: str, code: str, times: int) -> None:
    """Count so many more. When the store does not answer they are not counted."""
    if times:
        with suppress(RedisError, OSError):
            await client.incrby(_key(seller, code), times)


async def kept(client: Redis, seller: str, code: str) -> int:
    """What was counted for a connection. Raises RedisError, OSError."""
    return int(await client.get(_key(seller, code)) or 0)


def _key(seller: str, code: str) -> str:
    return f"{Account(seller, code).prefix}:mended"
