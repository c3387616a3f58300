"""A small shop that is counted: its store, its database, and a desk that has the drain at hand."""

import time
from typing import Any

from redis.asyncio import Redis

from allocator import Allocator, Config, Pipe
from allocator.model import StockLine
from allocator.records import Place, decode_state
from app.audit import By
from app.counts import taking
from app.counts.desk import Desk
from app.counts.forms import CountAsked, PlaceCounted, SnapshotAsked
from app.counts.plausibility import Brakes
from app.draining.drain import Drain
from app.store.counts import CountFacts, LineFacts, WantedLines, find_count, list_lines
from app.store.database import Database
from app.store.sellers import ensure_seller
from tests.allocator.town import CUP, EPOCH, SELLER, town

MINUTE_MS = 60_000
BRAKES = Brakes(10, 50, 10)


class Counted:
    """Times are minutes after the shop opened, which was an hour ago."""

    def __init__(self, redis: Redis, database: Database) -> None:
        self.redis, self.database = redis, database
        self.pipe = Pipe(redis)
        self.allocator = Allocator(self.pipe, SELLER, EPOCH)
        self.drain = Drain(database, redis)
        self.opened_ms = time.time_ns() // 1_000_000 - 60 * MINUTE_MS
        self.made = 0

    async def open(self, config: Config | None = None) -> "Counted":
        async with self.database.writing() as session:
            await ensure_seller(session, SELLER, "Shop")
        self.at(0)
        await self.allocator.begin()
        await self.allocator.configure_all(config or town())
        return self

    def at(self, minute: float) -> int:
        """What happens from now on happens at this minute; in ms."""
        self.allocator.now_ms = self.ms(minute)
        return self.allocator.now_ms

    def ms(self, minute: float) -> int:
        return self.opened_ms + round(minute * MINUTE_MS)

    def desk(self, *, arrives: bool = True) -> Desk:
        async def arrive() -> bool:
            # One run copies 20,000 entries; more happen between the counts of a large shop.
            while arrives and (await self.drain.run()).more:
                pass
            return arrives

        return Desk(self.database, self.allocator, arrive, BRAKES)

    async def receive(self, units: int, location: str = "oslo", sku: str = CUP, actor: str = "") -> int:
        """Units arrive; the sku's version after that."""
        self.made += 1
        line = StockLine(sku, location, units)
        moved = await self.allocator.receive([line], op=f"delivery-{self.made}", actor=actor)
        return moved.versions[0].version

    async def on_hand(self, location: str = "oslo", sku: str = CUP) -> int:
        return (await self.place(location, sku)).on_hand

    async def deficit(self, location: str = "oslo", sku: str = CUP) -> int:
        return (await self.place(location, sku)).deficit

    async def place(self, location: str, sku: str) -> Place:
        state = decode_state(await self.redis.hget(f"{{{SELLER}}}:stock", sku))
        return state.places.get(location, Place())

    # --- counting ----------------------------------------------------------------------------------------------

    async def send(self, *lines: PlaceCounted, id: str = "", by: str = "key:erp", **head: Any) -> str:
        """A count that is in SQL and nothing more."""
        self.made += 1
        id = id or f"count-{self.made}"
        asked = CountAsked(**{"source": "erp", **head}, lines=list(lines))
        async with self.database.writing() as session:
            await taking.take(session, By(SELLER, by), id, asked)
        return id

    async def count(self, *lines: PlaceCounted, **head: Any) -> list[LineFacts]:
        """A count, taken as far as it goes; its lines."""
        id = await self.send(*lines, **head)
        await self.desk().finish(id, 20)
        return await self.lines(id)

    async def lines(self, id: str) -> list[LineFacts]:
        async with self.database.reading() as session:
            return await list_lines(session, SELLER, id, WantedLines(), 1_000)

    async def states(self, id: str) -> list[str]:
        return [line.state for line in await self.lines(id)]

    async def find(self, id: str) -> CountFacts:
        async with self.database.reading() as session:
            found = await find_count(session, SELLER, id)
        assert found is not None
        return found

    async def snapshot(self, *lines: PlaceCounted, id: str = "snapshot", by: str = "key:erp", **head: Any) -> str:
        """A snapshot of one part, closed."""
        async with self.database.writing() as session:
            await taking.begin(session, By(SELLER, by), id, SnapshotAsked(**{"source": "erp", **head}))
            await taking.add(session, By(SELLER, by), id, 1, list(lines))
            await taking.close(session, By(SELLER, by), id, 1)
        return id


def counted(units: int, location: str = "oslo", sku: str = CUP, **more: Any) -> PlaceCounted:
    return PlaceCounted(sku=sku, location=location, counted=units, **more)
