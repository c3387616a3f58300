"""
Follows one seller's ledger for all its subscriptions in this process: one reader and one asker, however many listen.

Why no last change can be missed:

1. A subscription is entered in one step with noting how far the follower has read (`join`): what lies up to that
   point and after the reader's own position it reads itself; everything later the follower marks for it.
2. A sku is marked before its number is asked, and asked after the entry was written. The number is therefore that of
   the entry or a newer one, and what is newer comes with an entry of its own, which marks the sku again.
3. One task asks, so an older answer never arrives after a newer one. A change of config raises no version, so versions
   alone could not tell them apart.
4. A position is told only when everything up to it has been asked about and taken from what waits, so who resumes there
   has seen it. When asking fails the marks stay.
"""

import asyncio
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from allocator import Allocator, Level, SellerKeys, ledger
from allocator.ledger import START, Gap, Row, place
from app.ending import end

from .asking import ask
from .subscription import Place, Subscription
from .touched import Known, SkusOf, Touched, resolved, touched_by

TICK_SECONDS: Final = 0.25
"""While something changes, numbers are asked this often; the first change after silence is told at once."""

RETRY_SECONDS: Final = 0.5
READ_COUNT: Final = 500
READS_MAX: Final = 20
"""Most reads of one tick, and of what a subscription has missed: 10,000 entries."""

GONE: Final = "what happened since is no longer known"

log = structlog.get_logger(__name__)


class Follower:
    """
    One seller's. `reader` answers at once, `blocking` is for reads that wait.

    position: everything up to here has been marked in the subscriptions.
    """

    def __init__(self, allocator: Allocator, reader: Redis, blocking: Redis, skus_of: SkusOf) -> None:
        self.subscriptions: set[Subscription] = set()
        self.position = START
        self._known: Known = {}
        self._is_stale = False
        self._allocator = allocator
        self._reader = reader
        self._blocking = blocking
        self._skus_of = skus_of
        self._nudged = asyncio.Event()
        self._begun: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiting: asyncio.Task[bool] | None = None

    # --- coming and going --------------------------------------------------------------------------------------

    async def join(self, subscription: Subscription, after: str) -> None:
        """
        Let a subscription hear what happens from now on, and what happened after the entry `after` ('' for nothing).

        Raises Damaged, and what redis-py raises.
        """
        await self._begin()
        self.subscriptions.add(subscription)
        if after:
            await self._make_up(subscription, after, self.position)
        elif subscription.filters.skus:
            subscription.dirty |= subscription.filters.skus
        else:
            subscription.position = self.position
        subscription.behind = False
        self._nudged.set()

    def leave(self, subscription: Subscription) -> None:
        """The subscription hears no more."""
        self.subscriptions.discard(subscription)
        subscription.end()

    async def close(self) -> None:
        """Stop following and end every subscription."""
        for subscription in list(self.subscriptions):
            self.leave(subscription)
        tasks = [task for task in (self._begun, self._task, self._waiting) if task]
        await end(*tasks)
        for task in tasks:
            if task.done() and not task.cancelled():
                # Subscribers have heard of it.
                task.exception()

    async def _begin(self) -> None:
        """Whoever comes first finds out where the ledger ends; all others wait for that."""
        if self._begun is None or (self._begun.done() and self._begun.exception()):
            self._begun = asyncio.create_task(self._start())
        await asyncio.shield(self._begun)

    async def _start(self) -> None:
        # In this order: what is known of the config may be older than the position, never newer.
        await self._allocator.reload()
        self._known = await self._fields(["ranks", "locations", *(f"channel:{code}" for code in self._own_channels())])
        self.position = await ledger.last_id(self._reader, self._allocator.seller)
        self._task = asyncio.create_task(self._run())

    async def _fields(self, fields: list[str]) -> Known:
        [name] = SellerKeys(self._allocator.seller).named("config")
        values: Any = await self._reader.hmget(name, fields)
        return {field: value or b"" for field, value in zip(fields, values, strict=True)}

    def _own_channels(self) -> list[str]:
        return [channel.code for channel in self._allocator.config.channels]

    async def _make_up(self, subscription: Subscription, position: str, until: str) -> None:
        """Mark what happened in between; with a gap, or too much of it, everything is to be read again."""
        try:
            for _ in range(READS_MAX):
                rows = await self._read(position)
                subscription.mark(await resolved(touched_by(rows), self._skus_of))
                if not rows or place(rows[-1][0]) >= place(until):
                    subscription.position = position
                    return
                position = rows[-1][0]
            subscription.reload((), "too much has happened since")
        except Gap:
            subscription.reload((), GONE)

    # --- following ---------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        failing = False
        while True:
            try:
                self._nudged.clear()
                busy = await self._tick()
                await self._pause(TICK_SECONDS if busy else 0)
                failing = False
            except Exception as error:
                if not failing:
                    log.exception("events_failing", seller=self._allocator.seller, says=str(error))
                failing = True
                await asyncio.sleep(RETRY_SECONDS)

    async def _tick(self) -> bool:
        """Whether anything had changed."""
        known = dict(self._known)
        touched, position = await self._news(known)
        for subscription in self.subscriptions:
            subscription.mark(touched)
        self.position, self._known = position, known
        self._is_stale |= touched.configured
        if self._is_stale:
            await self._allocator.reload()
            self._is_stale = False
        await self._ask()
        for subscription in self.subscriptions:
            subscription.settle(position)
        return bool(touched.skus or touched.configured)

    async def _news(self, known: Known) -> tuple[Touched, str]:
        """What the entries since the last tick touched, and the last of them."""
        rows: list[Row] = []
        position = self.position
        try:
            for _ in range(READS_MAX):
                more = await self._read(position)
                rows += more
                position = more[-1][0] if more else position
                if len(more) < READ_COUNT:
                    break
        except Gap as gap:
            known.clear()
            return Touched(everything=GONE, configured=True), gap.last
        return await resolved(touched_by(rows, known), self._skus_of), position

    async def _read(self, after: str) -> list[Row]:
        return await ledger.read(self._reader, self._allocator.seller, after, READ_COUNT)

    async def _pause(self, least_s: float) -> None:
        """Wait for the next entry or the next subscription, and not less than this long."""
        await asyncio.sleep(least_s)
        if self._waiting is None:
            waiting = ledger.wait(self._blocking, self._allocator.seller, self.position)
            self._waiting = asyncio.create_task(waiting)
        nudge = asyncio.create_task(self._nudged.wait())
        try:
            await asyncio.wait({self._waiting, nudge}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            nudge.cancel()
        if self._waiting.done():
            done, self._waiting = self._waiting, None
            done.result()

    # --- asking ------------------------------------------------------------------------------------------------

    async def _ask(self) -> None:
        """
        Read the numbers of everything marked, and hand them on to whoever had it marked.

        Who joins while that lasts has to wait: its channels are perhaps not among those that are asked about.
        """
        marked = {subscription: set(subscription.dirty) for subscription in self.subscriptions}
        async for part, levels in ask(self._allocator, set[str]().union(*marked.values()), self._channels()):
            _hand_on(marked, part, levels)

    def _channels(self) -> list[str]:
        """Every channel that some subscription wants and the seller has."""
        own = self._own_channels()
        filters = [subscription.filters.channels for subscription in self.subscriptions]
        if None in filters:
            return own
        wanted = frozenset[str]().union(*(channels for channels in filters if channels is not None))
        return [code for code in own if code in wanted]


def _hand_on(marked: dict[Subscription, set[str]], skus: list[str], levels: list[Level]) -> None:
    rows: dict[str, list[tuple[Place, Level]]] = {}
    for level in levels:
        rows.setdefault(level.sku, []).append(((level.sku, level.channel), level))
    for subscription, wanted in marked.items():
        for sku in wanted.intersection(skus):
            subscription.offer(sku, rows.get(sku, ()))
