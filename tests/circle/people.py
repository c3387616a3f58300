"""Who trades: buyers on each channel, cashiers, and a warehouse that receives, counts and ships."""

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any, Final

from allocator import AdjustLine, Allocator, StockLine, errors
from tests.simulator.pipe import SimulatedPipe

from .judge import Purchase
from .shop import HOT, LOCATIONS, SELLER, SKUS

if TYPE_CHECKING:
    from .channel import Channel
    from .world import World

UNPAID: Final[dict[str, dict[str, Any]]] = {
    "shopify": {"financial": "PENDING"},
    "woocommerce": {"status": "on-hold"},
    "amazon": {"pending": True},
    "ebay": {"payment": "PENDING"},
}
"""How a buyer orders who pays later."""

EVERY_S: Final = 60.0
"""How often somebody comes to a channel, in the long run."""

BURSTS: Final = 0.03
"""How many visits are not one buyer's but many at once, who all want the same."""

HOT_SHARE: Final = 0.2
UNPAID_SHARE: Final = 0.12
CANCELS: Final = 0.08
OFFLINE_SHARE: Final = 0.03

DELIVERIES_S: Final = 45.0
COUNTS_S: Final = 240.0
SHIPMENTS_S: Final = 90.0

NOTED_S: Final = 5.0
"""In so long every worker has noted what changed."""

TOLD: Final = """
    SELECT sku FROM shown WHERE connection = :code AND told IS NULL AND changes > settled
    AND told_ms = (SELECT max(told_ms) FROM shown WHERE connection = :code) ORDER BY sku
"""
"""Of which skus numbers are on their way."""


class Buyers:
    """Those of one channel."""

    def __init__(self, world: "World", channel: "Channel") -> None:
        self.world, self.channel = world, channel
        self.chance = Random(f"buyers of {channel.name} {world.seed}")

    async def live(self) -> None:
        """Come again and again, as long as there is trade."""
        while True:
            await asyncio.sleep(self.chance.expovariate(self.world.pace / EVERY_S))
            if self.chance.random() < BURSTS:
                for _ in range(self.chance.randint(3, 8)):
                    self._visit(hot=True)
                    await asyncio.sleep(self.chance.random() * 4)
            else:
                self._visit(hot=self.chance.random() < HOT_SHARE)

    def _visit(self, *, hot: bool) -> None:
        """Somebody wants something; he gets it if it is shown."""
        among = [one for one in self.channel.stand.listings if (one.sku == HOT) == hot]
        listed, units = self.chance.choice(among), self.chance.choice((1, 1, 1, 2))
        shown = self.channel.shows(listed.listing)
        if not shown:
            return
        is_right = self.world.judge.is_right((self.channel.name, listed.listing))
        units, unpaid = min(units, shown), self.chance.random() < UNPAID_SHARE
        id = self.channel.sells(listed.listing, units, **(UNPAID.get(self.channel.name, {}) if unpaid else {}))
        judge = self.world.judge
        purchase = judge.bought(self.channel.name, str(id), listed.listing, units, is_right=is_right)
        if self.channel.name == "pos":
            self._at_a_till()
        elif unpaid:
            self.world.spawn(self._pays_or_not(purchase, id))
        elif self.chance.random() < CANCELS:
            self.world.spawn(self._cancels(purchase, id))

    async def _pays_or_not(self, purchase: Purchase, id: Any) -> None:
        await asyncio.sleep(self.chance.uniform(20, 400))
        if self.chance.random() < 0.6:
            # What was held for it may be gone by then, and its channel did not give it back.
            purchase.over = True
            self.channel.sandbox.pays(id)
        else:
            self._off(purchase, id)

    async def _cancels(self, purchase: Purchase, id: Any) -> None:
        await asyncio.sleep(self.chance.uniform(5, 300))
        self._off(purchase, id)

    def _off(self, purchase: Purchase, id: Any) -> None:
        if self.channel.may_cancel(id):
            purchase.is_wanted = False
            self.channel.sandbox.gives_up(id)

    def _at_a_till(self) -> None:
        """Tills lose their connection now and then, for some minutes."""
        till = self.chance.choice(list(self.channel.sandbox.tills))
        if self.chance.random() < OFFLINE_SHARE and not self.channel.sandbox.tills[till].is_offline:
            self.channel.sandbox.loses_connection(till)
            self.world.loop.call_later(self.chance.uniform(20, 240), self.channel.sandbox.is_back, till)


class Warehouse:
    """Receives, counts and ships."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.chance = Random(f"warehouse {world.seed}")
        self.allocator = Allocator(SimulatedPipe(world.wire), SELLER, world.epoch)
        self.number = 0

    async def live(self) -> None:
        """All of it, as long as there is trade."""
        await self.allocator.reload()
        await asyncio.gather(self._receives(), self._counts(), self._ships())

    def _op(self) -> str:
        self.number += 1
        return f"warehouse-{self.number}"

    async def _receives(self) -> None:
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / DELIVERIES_S))
            sku = HOT if self.chance.random() < HOT_SHARE else self.chance.choice(SKUS)
            line = StockLine(sku, self.chance.choice(LOCATIONS), self.chance.randint(2, 8))
            await self.allocator.receive([line], op=self._op())

    async def meets_push(self, channel: "Channel") -> None:
        """Something that a push is about arrives, and the service notes that before the push has its answer."""
        skus = [sku for (sku,) in self.world.sql.file.execute(TOLD, {"code": channel.name})]
        if skus:
            line = StockLine(self.chance.choice(skus), self.chance.choice(LOCATIONS), self.chance.randint(1, 3))
            await self.allocator.receive([line], op=self._op())
            await asyncio.sleep(NOTED_S)

    async def _counts(self) -> None:
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / COUNTS_S))
            sku, place = self.chance.choice(SKUS), self.chance.choice(LOCATIONS)
            [state] = await self.allocator.stock([sku])
            there = 0 if state is None or place not in state.places else state.places[place].available
            more = self.chance.choice((-1, 1)) if there > 0 else 1
            await self.allocator.adjust([AdjustLine(sku, place, more)], op=self._op(), why="counted")

    async def _ships(self) -> None:
        while True:
            await asyncio.sleep(self.chance.expovariate(1 / SHIPMENTS_S))
            orders = self.world.judge.numbers.orders
            ready = [key for key, order in orders.items() if order.state == "open" and key[0] != "pos"]
            if ready:
                channel, id = self.chance.choice(ready)
                try:
                    await self.allocator.ship(channel, id, op=self._op())
                except errors.Refusal as error:
                    self.world.note(f"{channel} {id} does not leave: {type(error).__name__}")
