"""Every follower of events in this process: one `Follower` for each seller that somebody listens to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from allocator import Allocator, errors, make_client
from app.ending import end
from app.errors import TooManyStreams
from app.store.config import skus_of
from app.store.database import Database

from .follower import Follower
from .subscription import Filters, Subscription
from .touched import CONFIG_SKUS_MAX

WATCH_SECONDS: Final = 0.25


class Hub:
    """Where streams begin and end. A seller is followed from its first subscription to its last."""

    def __init__(self, database: Database, reader: Redis, blocking: Redis, *, streams_max: int) -> None:
        self._database = database
        self._reader = reader
        self._blocking = blocking
        self._streams_max = streams_max
        self._followers: dict[str, Follower] = {}
        self._ended = False

    @property
    def streams(self) -> int:
        """How many follow now."""
        return sum(len(follower.subscriptions) for follower in self._followers.values())

    @asynccontextmanager
    async def following(self, allocator: Allocator, filters: Filters, after: str = "") -> AsyncIterator[Subscription]:
        """
        A subscription to what changes after the entry `after`, or from now on without one; it ends with the block.

        Raises TooManyStreams, Unanswered, ledger.Damaged.
        """
        if self.streams >= self._streams_max:
            raise TooManyStreams(f"this process has {self._streams_max} streams, and no more may begin")
        follower = self._follower(allocator)
        subscription = Subscription(filters)
        # From here on it counts: while it waits to join, others may come.
        follower.subscriptions.add(subscription)
        try:
            await _join(follower, subscription, after)
            if self._ended:
                subscription.end()
            yield subscription
        finally:
            follower.leave(subscription)
            await self._let_go(allocator.seller, follower)

    def end(self) -> None:
        """Let every stream come to its end; new ones end at once."""
        self._ended = True
        for follower in self._followers.values():
            for subscription in list(follower.subscriptions):
                subscription.end()

    async def close(self) -> None:
        """Stop following."""
        self.end()
        for follower in list(self._followers.values()):
            await follower.close()

    def _follower(self, allocator: Allocator) -> Follower:
        if allocator.seller not in self._followers:
            skus_of = partial(self._skus_of, allocator.seller)
            self._followers[allocator.seller] = Follower(allocator, self._reader, self._blocking, skus_of)
        return self._followers[allocator.seller]

    async def _let_go(self, seller: str, follower: Follower) -> None:
        if not follower.subscriptions and self._followers.get(seller) is follower:
            del self._followers[seller]
            await follower.close()

    async def _skus_of(self, seller: str, categories: list[str]) -> list[str]:
        async with self._database.reading() as session:
            return await skus_of(session, seller, categories, limit=CONFIG_SKUS_MAX + 1)


async def _join(follower: Follower, subscription: Subscription, after: str) -> None:
    try:
        await follower.join(subscription, after)
    except (RedisError, OSError) as error:
        raise errors.Unanswered from error


@asynccontextmanager
async def telling(
    database: Database, redis_url: str, *, streams_max: int, is_draining: Callable[[], bool]
) -> AsyncIterator[Hub]:
    """
    A hub, with connections of its own: reads that wait must not take those that orders travel on.

    `is_draining` is asked a few times a second; once it is true every stream comes to its end.
    """
    reader, blocking = make_client(redis_url, connections_max=8), make_client(redis_url, timeout_s=None)
    hub = Hub(database, reader, blocking, streams_max=streams_max)
    watcher = asyncio.create_task(_end_when(is_draining, hub))
    try:
        yield hub
    finally:
        await end(watcher)
        await hub.close()
        await blocking.aclose()
        await reader.aclose()


async def _end_when(is_draining: Callable[[], bool], hub: Hub) -> None:
    while not is_draining():  # noqa: ASYNC110 a signal handler makes it true
        await asyncio.sleep(WATCH_SECONDS)
    hub.end()
