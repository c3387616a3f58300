"""A connection of the shop to a channel's sandbox: everything between them is real but the wire."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx

from allocator import Allocator, OrderRequest, Placed, StockLine
from allocator.model import Line as OrderLine
from app.config.engine import Engine as ConfigEngine
from app.config.engine import Plan
from app.config.judging import ANY, Wish
from app.config.kinds import Listing as ListingConfig
from app.deps import State
from app.draining.drain import Drain
from app.lines.lines import Line, secrets_purpose
from app.lines.means import Account, SharedPaces, SharedToken, SqlLog
from app.store.connections import ConnectionFacts, find_connection, put_connection
from app.store.shown import ShownFacts, change_shown, page_shown
from app.sync.steps import Step, Work
from app.times import now_ms
from channels.amazon import Amazon
from channels.breaker import OwnBreaker
from channels.ebay import Ebay
from channels.engine import Engine, Means
from channels.sandbox.amazon import AmazonSandbox
from channels.sandbox.ebay import EbaySandbox
from channels.sandbox.shopify import ShopifySandbox
from channels.shopify import Shopify
from tests.channels import amazon, ebay, test_shopify
from tests.channels.contract import Breaking, courier_of

CODE = "there"
SETTLED_ROUNDS_MAX = 20


class SandboxClock:
    """The channel's: ours, and what a test has let pass."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return now_ms() + self.ahead_ms


def shopify(clock: SandboxClock, state: State) -> tuple[Any, Any]:
    sandbox = ShopifySandbox(courier_of([]), clock, test_shopify.SECRETS, test_shopify.OSLO)
    sandbox.sells(11, "CUP", 10)
    sandbox.sells(12, "PLATE", 10)
    return sandbox, Shopify(test_shopify.SETTINGS, test_shopify.SECRETS)


def ebay_shop(clock: SandboxClock, state: State) -> tuple[Any, Any]:
    sandbox = EbaySandbox(courier_of([]), clock, ebay.SECRETS)
    sandbox.sells("CUP", 10)
    sandbox.sells("PLATE", 10)
    return sandbox, Ebay(ebay.SETTINGS, ebay.SECRETS)


def amazon_shop(clock: SandboxClock, state: State) -> tuple[Any, Any]:
    sandbox = AmazonSandbox(courier_of([]), clock, amazon.SECRETS, amazon.SETTINGS)
    sandbox.sells("CUP", 10)
    sandbox.sells("PLATE", 10)
    return sandbox, Amazon(amazon.SETTINGS, amazon.SECRETS)


KINDS = {"shopify": shopify, "ebay": ebay_shop, "amazon": amazon_shop}


class World:
    """The shop, one connection, and its channel. `facts` are the connection's as of the last `look`."""

    def __init__(self, state: State, kind: str) -> None:
        self.state, self.kind, self.clock = state, kind, SandboxClock()
        self.sandbox, self.connector = KINDS[kind](self.clock, state)
        account = Account("main", CODE)
        client = state.pipe.client
        self.http = httpx.AsyncClient(transport=Breaking(self.sandbox.app), trust_env=False)
        means = Means(
            self.http,
            SharedPaces(client, account),
            SharedToken(state.database, client, state.sealer, account),
            SqlLog(state.database, account),
            OwnBreaker(now_ms),
            now_ms,
        )
        self.engine = Engine(self.connector, means)
        self.facts: ConnectionFacts = None
        self.is_ours = True
        self._drain = Drain(state.database, client)

    @property
    def allocator(self) -> Allocator:
        return self.state.allocators["main"]

    async def connect(self, **more: Any) -> None:
        """Make the connection, of our channel `shop`."""
        given = {"channel": "shop", "counts": self.connector.facts.counts, "locations": {}, **more}
        facts = ConnectionFacts(
            seller="main",
            code=CODE,
            connector=self.kind,
            settings={},
            secrets=self.state.sealer.seal(secrets_purpose("main", CODE), {}),
            created_ms=now_ms(),
            reconciled_ms=now_ms(),
            **given,
        )
        async with self.state.database.writing() as session:
            await put_connection(session, facts)
        await self.look()

    async def look(self) -> ConnectionFacts:
        async with self.state.database.reading() as session:
            self.facts = await find_connection(session, "main", CODE)
        self.state.lines._open["main", CODE] = self.line
        return self.facts

    @property
    def line(self) -> Line:
        return Line(self.facts, self.engine, self.http)

    async def work(self, **more: Any) -> Work:
        await self.look()
        return Work(self.state, self.facts, self.line, self.allocator, lambda: self.is_ours, **more)

    async def do(self, *steps: Step) -> None:
        """Each of these once, and again as long as there is more to do."""
        for step in steps:
            for _ in range(SETTLED_ROUNDS_MAX):
                if not await step.run(await self.work()):
                    break

    async def lists(self, channel: str = "shop", **listings: tuple[str, int] | None) -> None:
        """Put listings into the config: `_11=("CUP", 1)` is listing 11, of CUP, a pack of one; None takes it out."""
        wishes = []
        for name, given in listings.items():
            listing = name.removeprefix("_").replace("_", "/")
            item = None
            if given is not None:
                item = ListingConfig(channel=channel, listing=listing, sku=given[0], pack_size=given[1])
            wishes.append(Wish("listings", f"{channel}/{listing}", item, ANY))
        engine = ConfigEngine(self.state.database, self.allocator, self.state.pipe.client)
        verdict = await engine.change(Plan(wishes, "test"))
        assert verdict.version is not None, verdict

    async def sells(self, sku: str, units: int, channel: str = "till", **more: Any) -> Placed:
        """Somebody buys elsewhere."""
        number = time.monotonic_ns()
        lines = [OrderLine("1", sku, units)]
        return await self.allocator.order(
            OrderRequest(channel=channel, external_id=f"o-{number}", lines=lines, **more), "test"
        )

    async def ships(self, order: Placed) -> None:
        await self.allocator.ship(order.channel, order.external_id, op=f"parcel-{time.monotonic_ns()}")

    async def drain(self) -> None:
        """What happened is in SQL."""
        await self._drain.run()

    async def receives(self, sku: str, units: int, location: str = "oslo") -> None:
        await self.allocator.receive([StockLine(sku, location, units)], op=f"truck-{time.monotonic_ns()}")

    async def rows(self) -> dict[str, ShownFacts]:
        """What is known of every listing."""
        async with self.state.database.reading() as session:
            found = await page_shown(session, "main", CODE, state="", sku="", after="", limit=100_000)
        return {row.listing: row for row in found}

    async def row(self, listing: str) -> ShownFacts:
        return (await self.rows())[listing]

    async def change(self, listing: str, **fields: Any) -> None:
        async with self.state.database.writing() as session:
            await change_shown(session, "main", CODE, {listing: fields})

    async def later(self, seconds: float) -> None:
        """Time passes at the channel and for what is written down; nobody sleeps."""
        ms = round(seconds * 1_000)
        self.clock.ahead_ms += ms
        names = ("told_ms", "due_ms", "shown_ms", "changed_ms", "falling_ms")
        past = {
            row.listing: {name: max(0, getattr(row, name) - ms) for name in names}
            for row in (await self.rows()).values()
        }
        async with self.state.database.writing() as session:
            await change_shown(session, "main", CODE, past)

    async def reopened(self, **changes: Any) -> None:
        """The connection has other fields."""
        async with self.state.database.writing() as session:
            await put_connection(session, replace(await self.look(), **changes))
        await self.look()


@asynccontextmanager
async def world_of(state: State, kind: str, **more: Any) -> AsyncIterator[World]:
    world = World(state, kind)
    await world.connect(**more)
    try:
        yield world
    finally:
        await world.http.aclose()
