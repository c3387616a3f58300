"""
Turns the ledger into deliveries: one process reads for all, and nothing is told twice or left out.

The deliveries of a group of entries and the cursor that says they were read are one SQL transaction. Who crashes before
it leaves no trace; who lost the lease, or finds the cursor elsewhere, writes nothing. A lease only saves the others the
work: it is the cursor that keeps two readers from both writing.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Final, NamedTuple

import structlog
from redis.asyncio import Redis

from allocator import Allocator, Level, ledger
from allocator.ledger import Gap, Row, config_of
from app.events.asking import ask
from app.events.touched import CONFIG_SKUS_MAX, Known, Touched, resolved, touched_by
from app.store.config import skus_of
from app.store.cursors import Lease, give_back, move
from app.store.database import Database
from app.store.leasing import keep_lease
from app.store.webhooks import EndpointFacts, NewDelivery, active_endpoints, add_deliveries
from app.times import now_ms

from . import happenings
from .happenings import Happening

READER: Final = "webhooks"
"""The name of our cursor."""

LEASE_MS: Final = 30_000
READ_COUNT: Final = 2_000
READS_MAX: Final = 5
"""Most groups of entries in one run; the rest is for the next one."""

TOLD_MAX: Final = 100_000
"""Most published numbers that are remembered; forgetting one costs a needless event."""

AVAILABILITY: Final = "availability.changed"
CONFIG: Final = "config.changed"
FOR_ALL: Final = "events.lost"

log = structlog.get_logger(__name__)


class News(NamedTuple):
    """What a group of entries meant, up to `position`; `levels` are the numbers that differ from what was told."""

    position: str
    at_ms: int
    happenings: list[Happening]
    touched: Touched
    version: int
    levels: list[Level]
    known: Known


class Told:
    """
    The numbers a seller's endpoints were told last: what is published as before is no news.

    It holds for as long as this process alone reads, and the same endpoints want the same; then it begins anew.
    """

    def __init__(self, wishes: object) -> None:
        self.wishes = wishes
        self.known: Known = {}
        self._published: dict[tuple[str, str], int] = {}

    def is_news(self, level: Level) -> bool:
        """Whether this number was not the last that was told."""
        return level.version >= 0 and self._published.get((level.sku, level.channel)) != level.published

    def remember(self, levels: Sequence[Level]) -> None:
        """These have been told."""
        for level in levels:
            self._published.pop((level.sku, level.channel), None)
            self._published[level.sku, level.channel] = level.published
        while len(self._published) > TOLD_MAX:
            del self._published[next(iter(self._published))]


def wants(endpoint: EndpointFacts, happening: Happening) -> bool:
    """Whether this event is sent to this endpoint."""
    if happening.type != FOR_ALL and happening.type not in endpoint.events:
        return False
    if endpoint.channels is None or happening.channels is None:
        return True
    return not happening.channels.isdisjoint(endpoint.channels)


class Reader:
    """Reads for every seller that has an active endpoint; `kick` is called when there is something to send."""

    def __init__(
        self, database: Database, allocators: Mapping[str, Allocator], client: Redis, kick: Callable[[], None]
    ) -> None:
        self._database = database
        self._allocators = allocators
        self._client = client
        self._kick = kick
        self._owner = secrets.token_hex(8)
        self._told: dict[str, Told] = {}

    async def run(self) -> None:
        """Read what is new. Raises what the store, the ledger and SQL raise."""
        async with self._database.reading() as session:
            endpoints = await active_endpoints(session)
        by_seller = sorted(endpoints, key=lambda endpoint: endpoint.seller)
        for seller, group in groupby(by_seller, lambda endpoint: endpoint.seller):
            if seller in self._allocators:
                await self._follow(self._allocators[seller], list(group))

    async def stop(self) -> None:
        """Let another process read at once."""
        async with self._database.writing() as session:
            for seller in self._told:
                await give_back(session, seller, READER, owner=self._owner)

    # --- one seller --------------------------------------------------------------------------------------------

    async def _follow(self, allocator: Allocator, endpoints: list[EndpointFacts]) -> None:
        position = await self._lease(allocator.seller)
        if position is None:
            return
        told = self._told_to(allocator.seller, endpoints)
        for _ in range(READS_MAX):
            news = await self._news(allocator, position, endpoints, told)
            if news is None:
                return
            if not await self._write(allocator.seller, position, news, endpoints):
                del self._told[allocator.seller]
                return
            told.remember(news.levels)
            told.known = news.known
            position = news.position

    async def _lease(self, seller: str) -> str | None:
        """Where to read on, or None while another process reads."""
        newest = partial(ledger.last_id, self._client, seller)
        before = await keep_lease(
            self._database, seller, READER, owner=self._owner, now_ms=now_ms(), lease_ms=LEASE_MS, first=newest
        )
        if before is None or before.lease != self._owner:
            # Whoever read in between may have told other numbers.
            self._told.pop(seller, None)
        return before.position if before else None

    def _told_to(self, seller: str, endpoints: list[EndpointFacts]) -> Told:
        wishes = [(endpoint.id, endpoint.events, endpoint.channels) for endpoint in endpoints]
        if seller not in self._told or self._told[seller].wishes != wishes:
            self._told[seller] = Told(wishes)
        return self._told[seller]

    async def _write(self, seller: str, position: str, news: News, endpoints: list[EndpointFacts]) -> bool:
        """Deliveries and cursor together; False when another process has moved it."""
        deliveries = [delivery for endpoint in endpoints for delivery in _deliveries(news, endpoint)]
        mine = Lease(self._owner, now_ms() + LEASE_MS)
        async with self._database.writing() as session:
            moved = await move(session, seller, READER, mine, before=position, after=news.position)
            if moved and deliveries:
                await add_deliveries(session, deliveries, now_ms=now_ms())
        if moved and deliveries:
            log.debug("webhooks_written", seller=seller, count=len(deliveries), until=news.position)
            self._kick()
        return moved

    # --- what it means -----------------------------------------------------------------------------------------

    async def _news(
        self, allocator: Allocator, position: str, endpoints: list[EndpointFacts], told: Told
    ) -> News | None:
        """What the next entries mean, or None when there are none."""
        try:
            rows = await ledger.read(self._client, allocator.seller, position, READ_COUNT)
        except Gap as gap:
            log.error("webhook_events_lost", seller=allocator.seller, after=gap.after, until=gap.last)  # noqa: TRY400
            at_ms = now_ms()
            return News(gap.last, at_ms, [happenings.lost(gap.last, at_ms, gap.after)], Touched(), 0, [], {})
        if not rows:
            return None
        known = dict(told.known)
        touched = await resolved(touched_by(rows, known), partial(self._skus_of, allocator.seller))
        if touched.configured:
            await allocator.reload()
        levels = [level for level in await _levels(allocator, touched, endpoints) if told.is_news(level)]
        last, entry = rows[-1]
        return News(last, entry.at_ms, list(happenings.happenings_of(rows)), touched, _version(rows), levels, known)

    async def _skus_of(self, seller: str, categories: list[str]) -> list[str]:
        async with self._database.reading() as session:
            return await skus_of(session, seller, categories, limit=CONFIG_SKUS_MAX + 1)


async def _levels(allocator: Allocator, touched: Touched, endpoints: list[EndpointFacts]) -> list[Level]:
    """The numbers of what was touched, in the channels that some endpoint wants to hear of."""
    filters = [endpoint.channels for endpoint in endpoints if AVAILABILITY in endpoint.events]
    known = [channel.code for channel in allocator.config.channels]
    channels = known if None in filters else [code for code in known if any(code in some for some in filters if some)]
    found: list[Level] = []
    if channels:
        async for _, levels in ask(allocator, touched.skus, channels):
            found += levels
    return found


def _version(rows: list[Row]) -> int:
    """The config version after these entries; 0 when none of them changed it."""
    records = [config_of(entry) for _, entry in rows]
    return max((record.version for record in records if record), default=0)


def _deliveries(news: News, endpoint: EndpointFacts) -> Iterator[NewDelivery]:
    for happening in news.happenings:
        if wants(endpoint, happening):
            yield happenings.delivery(endpoint, happening)
    for happening in _own(news, endpoint):
        yield happenings.delivery(endpoint, happening)


def _own(news: News, endpoint: EndpointFacts) -> Iterator[Happening]:
    """The events whose content depends on the channels that the endpoint sees."""
    seen = endpoint.channels
    if AVAILABILITY in endpoint.events:
        levels = [level for level in news.levels if seen is None or level.channel in seen]
        yield from happenings.availability(news.position, news.at_ms, levels)
    if CONFIG in endpoint.events and news.touched.configured:
        yield happenings.config_changed(news.position, news.at_ms, news.touched, news.version, seen)
