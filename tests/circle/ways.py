"""The way from a worker process to a channel and back, on which a channel can be away, slow, or of yesterday."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx

from app.lines.lines import Line, Lines, connector_of
from app.store.connections import ConnectionFacts
from app.times import now_ms
from channels.breaker import OwnBreaker
from channels.engine import TIMEOUT, Engine, Exchange, Means
from channels.pacing import OwnPaces
from tests.channels.contract import Breaking
from tests.channels.shop import OwnTokens

if TYPE_CHECKING:
    from .channel import Channel
    from .processes import Process

READS = ("/graphql.json", "/products", "/inventory_item", "/items/", "/stock", "/bulk_get_inventory_item")


class Shared(OwnTokens):
    """What all processes share of an account: its token, and how often it may ask."""

    def __init__(self) -> None:
        super().__init__()
        self.paces = OwnPaces(now_ms)
        self.turn = asyncio.Lock()

    async def renew(self, worn, ask):
        async with self.turn:
            return await super().renew(worn, ask)


class Counting:
    """Counts what was said, by operation."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    async def add(self, exchange: Exchange) -> None:
        self.calls[exchange.operation] += 1


class Way(httpx.AsyncBaseTransport):
    """One process's way to one channel."""

    def __init__(self, process: "Process", channel: "Channel") -> None:
        self.process, self.channel = process, channel
        self.there = Breaking(channel.sandbox.app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        trouble = self.channel.trouble
        self.process.must_live()
        if trouble.is_away():
            raise httpx.ConnectError("nobody answers")
        if trouble.is_broken():
            return httpx.Response(503, text="the service is unavailable", request=request)
        is_push = self.channel.is_push(request)
        if is_push and trouble.loses():
            raise httpx.ReadError("the connection was reset")
        if is_push and trouble.meets():
            await self.process.world.warehouse.meets_push(self.channel)
        held_s = self.process.holds_push_s(self.channel) if is_push else 0.0
        answer = await self._ask(request)
        await asyncio.sleep(held_s)
        if is_push:
            self.process.has_pushed(self.channel)
        self.process.must_live()
        return answer

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        trouble, key = self.channel.trouble, f"{request.method} {request.url} {request.content!r}"
        if not self._is_read(request):
            return await self.there.handle_async_request(request)
        if trouble.is_of_yesterday() and key in self.channel.seen:
            status, headers, body = self.channel.seen[key]
            return httpx.Response(status, headers=headers, content=body, request=request)
        answer = await self.there.handle_async_request(request)
        body = await answer.aread()
        if answer.status_code == 200:
            self.channel.seen[key] = answer.status_code, answer.headers, body
        return httpx.Response(answer.status_code, headers=answer.headers, content=body, request=request)

    def _is_read(self, request: httpx.Request) -> bool:
        if self.channel.name == "shopify":
            return b'"Levels"' in request.content
        if self.channel.name == "ebay":
            return "bulk_get_inventory_item" in request.url.path
        return request.method == "GET" and any(part in request.url.path for part in READS)


class CircleLines(Lines):
    """The lines of a process, which lead to sandboxes of this very process."""

    def __init__(self, process: "Process", channel_of: "Callable[[str], Channel]") -> None:
        world = process.world
        super().__init__(world.sql.database, process.client, world.sealer, allow_private=True)
        self.process, self.channel_of = process, channel_of

    def _dial(self, facts: ConnectionFacts) -> Line:
        channel = self.channel_of(facts.code)
        http = httpx.AsyncClient(transport=Way(self.process, channel), timeout=TIMEOUT, trust_env=False)
        shared = channel.shared
        means = Means(http, shared.paces, shared, channel.counting, OwnBreaker(now_ms), now_ms)
        return Line(facts, Engine(connector_of(facts, self._sealer), means), http)
