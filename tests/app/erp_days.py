"""
Days of a shop whose ERP hears of sales late, each day on a sku of its own.

The ERP is where goods are delivered and booked; the warehouse ships what the shop sells, at once, and the ERP hears of
it 5 to 40 minutes later, in order. Every hour the ERP counts: it sends its own book. There is more demand than supply,
and nothing is lost, so whatever is sold beyond what was ever delivered was sold because of a count.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from redis.asyncio import Redis

from allocator import Channel, ChannelLocation, Config, Location, SkuConfig
from allocator.errors import Short
from allocator.model import Line, OrderRequest
from app.store.database import Database
from tests.app.counting import Counted, counted

OPENING, MINUTES, EVERY = 20, 480, 60
LINES = 1_000
TOGETHER = 500

WAYS = {"seen": 0, "before": 0, "time": 60, "time, doubtful": 2_400}
"""How the ERP says what its number contains, and by how many seconds it says its clock may be off."""


@dataclass
class Day:
    """One sku on one day. truth: on the shelf; book: what the ERP thinks; heard: the version it has booked."""

    way: str
    number: int
    truth: int = OPENING
    book: int = OPENING
    heard: int = 0
    sold: int = 0
    wanted: int = 0
    oversold: int = 0
    under_way: deque[tuple[int, int, int]] = field(default_factory=deque)
    orders: dict[int, list[int]] = field(default_factory=dict)
    deliveries: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = Random(self.number)
        for _ in range(self.chance.randint(20, 30)):
            self.orders.setdefault(self.chance.randrange(1, MINUTES), []).append(self.chance.randint(1, 3))
        for _ in range(2):
            self.deliveries[self.chance.randrange(1, MINUTES)] = self.chance.randint(3, 10)

    @property
    def sku(self) -> str:
        return f"{self.way}-{self.number}"

    def ship(self, minute: int, units: int, version: int) -> None:
        self.sold += units
        self.truth -= units
        self.oversold += min(units, max(0, -self.truth))
        last = self.under_way[-1][0] if self.under_way else 0
        self.under_way.append((max(last, minute + self.chance.randint(5, 40)), units, version))

    def hear(self, minute: int) -> None:
        """The ERP books its deliveries, and the sales that have come to it by now."""
        arrived = self.deliveries.get(minute, 0)
        self.truth += arrived
        self.book += arrived
        while self.under_way and self.under_way[0][0] <= minute:
            _, units, self.heard = self.under_way.popleft()
            self.book -= units


@dataclass
class Outcome:
    """What became of all days of one way."""

    days: int = 0
    oversold_days: int = 0
    oversold_units: int = 0
    sold: int = 0
    wrong: int = 0
    """Units by which our books differ from the shelf at the end, the last hour's deliveries aside."""
    reviewed: int = 0
    lines: int = 0

    def says(self, way: str) -> str:
        return (
            f"{way}: oversold on {self.oversold_days} of {self.days} days, {self.oversold_units} units; "
            f"{self.sold} units sold; {self.wrong} units between books and shelves at the end; "
            f"{self.reviewed} of {self.lines} lines for a person"
        )


class ErpDays:
    """All ways at once, with the same deliveries and demand."""

    def __init__(self, redis: Redis, database: Database, days: int) -> None:
        self.shop = Counted(redis, database)
        self.shop.opened_ms -= 24 * 3_600_000
        self.days = [Day(way, number) for way in WAYS for number in range(days)]
        self.ids: dict[str, list[str]] = {way: [] for way in WAYS}

    async def live(self) -> dict[str, Outcome]:
        await self.shop.open(self._config())
        await self._count(0)
        for minute in range(1, MINUTES + 1):
            self.shop.at(minute)
            for day in self.days:
                day.hear(minute)
            await self._sell(minute)
            if minute % EVERY == 0:
                await self._count(minute)
        # The last sales come to the ERP when nobody sells any more, and it counts once more.
        for day in self.days:
            day.hear(MINUTES + 40)
        self.shop.at(MINUTES + 100)
        await self._count(MINUTES + 100)
        return {way: await self._outcome(way) for way in WAYS}

    def _config(self) -> Config:
        channel = Channel(code="web", demand="promise", locations=[ChannelLocation(code="oslo")])
        skus = [SkuConfig(sku=day.sku) for day in self.days]
        return Config(locations=[Location(code="oslo")], channels=[channel], skus=skus)

    async def _sell(self, minute: int) -> None:
        wishes = [(day, units, place) for day in self.days for place, units in enumerate(day.orders.get(minute, ()))]
        for start in range(0, len(wishes), TOGETHER):
            await asyncio.gather(*(self._order(minute, *wish) for wish in wishes[start : start + TOGETHER]))

    async def _order(self, minute: int, day: Day, units: int, place: int) -> None:
        id = f"{day.sku}-{minute}-{place}"
        day.wanted += units
        try:
            await self.shop.allocator.order(
                OrderRequest(channel="web", external_id=id, lines=[Line("1", day.sku, units)])
            )
        except Short:
            return
        shipped = await self.shop.allocator.ship("web", id, op="parcel")
        day.ship(minute, units, shipped.versions[0].version)

    async def _count(self, minute: int) -> None:
        for way, seconds in WAYS.items():
            days = [day for day in self.days if day.way == way]
            for start in range(0, len(days), LINES):
                lines = [self._line(day, minute) for day in days[start : start + LINES]]
                id = await self.shop.send(*lines, source=way.partition(",")[0], uncertainty_seconds=seconds)
                await self.shop.desk().finish(id, 100)
                self.ids[way].append(id)

    def _line(self, day: Day, minute: int) -> Any:
        said: dict[str, Any] = {}
        if day.way == "seen":
            said = {"seen_up_to": day.heard}
        elif day.way != "before" and minute:
            said = {"as_of": datetime.fromtimestamp(self.shop.ms(minute) / 1_000, UTC)}
        return counted(day.book, sku=day.sku, **said)

    async def _outcome(self, way: str) -> Outcome:
        outcome, days = Outcome(), [day for day in self.days if day.way == way]
        for day in days:
            outcome.days += 1
            outcome.oversold_days += day.oversold > 0
            outcome.oversold_units += day.oversold
            outcome.sold += day.sold
            outcome.wrong += abs(await self.shop.on_hand(sku=day.sku) - day.truth)
        for states in await self._states(self.ids[way]):
            outcome.lines += len(states)
            outcome.reviewed += states.count("review")
        return outcome

    async def _states(self, ids: Sequence[str]) -> list[list[str]]:
        return [await self.shop.states(id) for id in ids]
