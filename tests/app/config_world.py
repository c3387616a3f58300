"""A seller's config on a real store and database, without HTTP, and random things to wish for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import NamedTuple

from hypothesis import strategies as st
from redis.asyncio import Redis

from allocator import (
    Allocator,
    Carrier,
    Channel,
    ChannelLocation,
    Config,
    Location,
    Pipe,
    RejectReason,
    SkuConfig,
    StockLine,
    make_client,
)
from allocator.rules import compile_config
from app.config.compiling import winners
from app.config.engine import Engine, Plan, Verdict
from app.config.judging import ANY, Wish
from app.config.kinds import KINDS, Item, Listing, RuleConfig, Zone, to_ms
from app.config.picture import Picture, entry_of
from app.store import config as store
from app.store.config_changes import ChangeFacts, page_changes
from app.store.database import Database
from app.store.sellers import ensure_seller

CUP, TEE, PEN = "CUP", "TEE", "PEN"
SKUS, PLACES, CHANNELS = (CUP, TEE, PEN), ("oslo", "rome", "kyiv"), ("web", "amazon")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOON_MS = to_ms(NOON, 0)
HOUR = timedelta(hours=1)

_sellers = count(1)


class World(NamedTuple):
    """One seller. `another` makes engines like those of other processes."""

    url: str
    database: Database
    client: Redis
    allocator: Allocator
    engine: Engine

    @property
    def seller(self) -> str:
        return self.allocator.seller

    def another(self, *, now_ms: int = NOON_MS) -> Engine:
        allocator = Allocator(Pipe(self.client), self.seller, self.allocator.epoch)
        return Engine(self.database, allocator, self.client, now_ms=now_ms)

    async def save(self, *wishes: Wish, now_ms: int = NOON_MS) -> Verdict:
        """Carry out all of these wishes; a refused one is an error."""
        verdict = await self.another(now_ms=now_ms).change(Plan(wishes, "ann", together=True))
        for outcome in verdict.outcomes:
            if outcome.why:
                raise outcome.why
        return verdict

    async def fields(self) -> dict[str, bytes]:
        """The compiled config in force; what nobody has set yet is as in an empty config."""
        return compile_config(Config()) | await self.allocator._runner.config_fields()

    async def compiled_whole(self) -> dict[str, bytes]:
        """What the compiler makes of everything in SQL, at once."""
        async with self.database.reading() as session:
            found = {kind: await store.all_records(session, self.seller, kind) for kind in KINDS}
        picture = Picture(
            {kind: {key: entry_of(kind, row) for key, row in rows.items()} for kind, rows in found.items()}
        )
        rules = winners(picture.rules)
        config = Config(
            locations=picture.locations,
            channels=picture.channels,
            skus=picture.skus,
            rules=rules,
            zones=picture.zones,
            carriers=picture.carriers,
            reasons=picture.reasons,
        )
        return compile_config(config)

    async def history(self) -> list[ChangeFacts]:
        """Newest first."""
        async with self.database.reading() as session:
            return await page_changes(session, self.seller, before=None, limit=1_000)

    async def numbers(self) -> dict[tuple[str, str], tuple[int, int]]:
        """(sku, channel) -> (atp_now, published)."""
        levels = await self.another().allocator.availability(SKUS, CHANNELS)
        return {(level.sku, level.channel): (level.atp_now, level.published) for level in levels}


@asynccontextmanager
async def open_world(url: str, database_url: str, *items: Item) -> AsyncIterator[World]:
    """A new seller on the store at `url` and the database at `database_url`, with these items saved."""
    client, seller = make_client(url), f"seller-{next(_sellers)}"
    try:
        async with await Database.open(database_url) as database:
            async with database.writing() as session:
                await ensure_seller(session, seller, seller)
            allocator = Allocator(Pipe(client), seller, "epoch-1")
            await allocator.begin()
            world = World(url, database, client, allocator, Engine(database, allocator, client, now_ms=NOON_MS))
            if items:
                await world.save(*map(put, items))
            yield world
    finally:
        await client.aclose()


def put(item: Item, version: int = ANY) -> Wish:
    kind = next(kind for kind in KINDS.values() if isinstance(item, kind.item))
    return Wish(kind.name, kind.key_of(item), item, version)


def drop(kind: str, key: str, version: int = ANY) -> Wish:
    return Wish(kind, key, None, version)


def rule(id: str, kind: str = "buffer", **more: object) -> RuleConfig:
    return RuleConfig(id=id, kind=kind, **more)


def shop() -> list[Item]:
    """Three locations, two channels, three skus, no rules."""
    everywhere = [ChannelLocation(code=code) for code in PLACES]
    return [
        *(Location(code=code) for code in PLACES),
        Channel(code="web", rank=1, locations=everywhere),
        Channel(code="amazon", rank=2, kind="marketplace", demand="firm", locations=everywhere[:2]),
        SkuConfig(sku=CUP, category="kitchen"),
        SkuConfig(sku=TEE, category="cotton"),
        SkuConfig(sku=PEN),
    ]


async def stock_up(world: World, units: int = 10) -> None:
    lines = [StockLine(sku, place, units) for sku in SKUS for place in PLACES]
    await world.allocator.receive(lines, op="stock")


# --- random things -----------------------------------------------------------------------------------------------

skus = st.sampled_from(SKUS)
places = st.sampled_from(PLACES)
channels = st.sampled_from(CHANNELS)
categories = st.sampled_from(["", "kitchen", "cotton"])
ids = st.sampled_from([f"r{number}" for number in range(6)])
hours = st.none() | st.integers(-3, 3)


@st.composite
def rules(draw: st.DrawFn) -> RuleConfig:
    """A rule of any kind and scope, with any window around noon."""
    kind = draw(st.sampled_from(["safety_stock", "buffer", "buffer", "cutoff", "max_published"]))
    scope = draw(st.sampled_from(["global", "sku", "category"]))
    start, length = draw(hours), draw(st.none() | st.integers(1, 4))
    begin = None if start is None else NOON + start * HOUR
    return RuleConfig(
        id=draw(ids),
        kind=kind,
        sku=draw(skus) if scope == "sku" else "",
        category=draw(st.sampled_from(["kitchen", "cotton"])) if scope == "category" else "",
        location=draw(st.just("") | places) if kind == "safety_stock" else "",
        channel=draw(st.just("") | channels) if kind != "safety_stock" else "",
        units=draw(st.integers(0, 12)),
        percent_bp=draw(st.sampled_from([0, 0, 1_000, 3_333])) if kind == "buffer" else 0,
        valid_from=begin,
        valid_until=None if length is None else (begin or NOON - 2 * HOUR) + length * HOUR,
    )


@st.composite
def sellers(draw: st.DrawFn) -> Channel:
    shelves = draw(st.lists(places, unique=True))
    locations = [ChannelLocation(code=code, own_shelf=draw(st.booleans())) for code in shelves]
    return Channel(code=draw(channels), rank=draw(st.integers(1, 3)), locations=locations)


ITEMS: dict[str, st.SearchStrategy[Item]] = {
    "locations": st.builds(
        Location,
        code=places,
        active=st.booleans(),
        priority=st.integers(1, 3),
        costs=st.sampled_from([{}, {}, {"north": 5}]),
        carriers=st.sampled_from([(), (), ("dpd",)]),
    ),
    "channels": sellers(),
    "skus": st.builds(SkuConfig, sku=skus, category=categories),
    "listings": st.builds(Listing, channel=channels, listing=st.sampled_from(["a", "b"]), sku=skus),
    "rules": rules(),
    "carriers": st.builds(Carrier, code=st.sampled_from(["dpd", "ups"]), name=st.sampled_from(["", "quick"])),
    "reasons": st.builds(RejectReason, code=st.sampled_from(["lost", "damaged"]), recount=st.booleans()),
    "zones": st.builds(Zone, area=st.sampled_from(["NO", "SE"]), zone=st.sampled_from(["north", "south"])),
}


@st.composite
def wishes_of(draw: st.DrawFn, kind: str) -> list[Wish]:
    """Some things of one kind to put or to delete, sensible or not."""
    wished = draw(st.lists(st.tuples(ITEMS[kind], st.booleans() | st.just(True)), min_size=1, max_size=5))
    return [put(item) if keep else drop(kind, KINDS[kind].key_of(item)) for item, keep in wished]


batches = st.lists(st.sampled_from([*KINDS, "rules", "rules"]).flatmap(wishes_of), min_size=1, max_size=10)
