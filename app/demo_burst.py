"""
The demo's burst: 200 buyers within a few seconds for the last 100 bicycles, at every channel, and what became of each
unit.

A channel sells what it shows and refuses the others itself. What it sells before it hears that somebody else has sold
the last one is an order all the same: that waits for stock, and everybody sees it. Sales at the tills have left the
store, whatever was promised: what was not there any more is a deficit.
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, Final, NamedTuple

from .demo_circle import Buyers
from .replay.books import read_shelves
from .replay.calls import Caller
from .replay.tally import Tally

SKU: Final = "CITY-28-BLACK"
SHELF_UNITS: Final = 100
REFILLED_AT: Final = "utrecht"
REFILL_SECONDS_MAX: Final = 15.0

ONLINE: Final = {"shopify": 70, "woocommerce": 54, "amazon": 24, "ebay": 40}
TILLS: Final = {"till-1": 5, "till-2": 4, "till-3": 3}
ORDERS: Final = sum(ONLINE.values()) + sum(TILLS.values())
SECONDS: Final = 12.0
"""How long the burst lasts: numbers that were sold out reach the channels within it."""


class Wish(NamedTuple):
    """One buyer; `till` is where he stands, if it is a store."""

    code: str
    till: str


class State(NamedTuple):
    """The bicycle's units at a moment."""

    available: int
    committed: int
    backordered: int
    conflict: int
    deficits: int
    oversold: int


class Verdict(NamedTuple):
    """
    Every unit asked for, and every unit there was.

    shelf: units there were for sale. left: units that went over the tills; `deficit` of them were not there any more,
    or were an order's, which is in `conflict` since. refused: by the channels, because they were sold out. free: units
    nobody took; there may be some only while as many are owed, to rescue what was promised earlier. lost: orders of
    channels that are not exactly one order of ours. behind: channels that show another number than they should.
    """

    shelf: int
    committed: int
    left: int
    refused: int
    backordered: int
    deficit: int
    conflict: int
    free: int
    oversold: int
    lost: int
    behind: int

    @property
    def taken(self) -> int:
        """Units of orders that a shelf had."""
        return self.committed + self.left - self.deficit

    @property
    def is_right(self) -> bool:
        """Each unit went to one order at most, each order is one of ours, every channel shows what it should."""
        asked = self.committed + self.left + self.backordered + self.conflict + self.refused
        return (
            self.oversold == self.lost == self.behind == 0
            and asked == ORDERS
            and self.taken + self.free == self.shelf
            and self.free <= self.backordered + self.deficit + self.conflict
        )

    def lines(self) -> list[str]:
        """The verdict in words."""
        parts = f"{self.committed} + {self.left}, of them {self.deficit} a deficit: {self.taken} units had a shelf"
        return [
            f"units on the shelf      {self.shelf}",
            f"units committed + left  {parts}",
            f"refused by channels     {self.refused}",
            f"backordered             {self.backordered}",
            f"deficit                 {self.deficit}",
            f"in conflict             {self.conflict}",
            f"still free              {self.free}",
            f"oversold                {self.oversold}",
            f"orders lost or doubled  {self.lost}",
            f"channels that differ    {self.behind}",
            "VERDICT: right, no unit was sold twice and no order was lost" if self.is_right else "VERDICT: WRONG",
        ]


def make_wishes(run: str) -> list[Wish]:
    """The buyers in the order in which they come, another one in each `run`."""
    online = [Wish(code, "") for code, count in ONLINE.items() for _ in range(count)]
    tills = [Wish("pos", till) for till, count in TILLS.items() for _ in range(count)]
    wishes = online + tills
    Random(run).shuffle(wishes)
    return wishes


async def burst(buyers: Buyers, run: str, is_over: Callable[[], bool]) -> None:
    """Let them all come."""
    wishes = make_wishes(run)
    for wish in wishes:
        if is_over():
            return
        buyers.buy(wish.code, SKU, till=wish.till)
        await asyncio.sleep(SECONDS / len(wishes))


def judge(before: State, after: State, *, sold: int, refused: int, lost: int, behind: int) -> Verdict:
    """What the burst did to the stock; `sold`: units that went over the tills."""
    return Verdict(
        shelf=before.available,
        committed=after.committed - before.committed,
        left=sold,
        refused=refused,
        backordered=after.backordered - before.backordered,
        deficit=after.deficits - before.deficits,
        conflict=after.conflict - before.conflict,
        free=after.available + after.deficits - before.deficits,
        oversold=after.oversold,
        lost=lost,
        behind=behind,
    )


async def refill(caller: Caller, run: str) -> int:
    """Make it the last 100 again on a data folder that has seen a burst; the units that had to be received for it."""
    state = await state_of(caller)
    missing = SHELF_UNITS + state.backordered + state.conflict - state.available
    if missing <= 0:
        return 0
    lines: list[dict[str, Any]] = [{"sku": SKU, "location": REFILLED_AT, "units": missing}]
    await caller.receive(lines, f"demo:{run}:refill")
    for _ in range(int(REFILL_SECONDS_MAX)):
        state = await state_of(caller)
        if not state.backordered and not state.conflict:
            break
        await asyncio.sleep(1)
    return missing


async def state_of(caller: Caller) -> State:
    """The bicycle's units now."""
    shelves = await read_shelves(caller, [SKU], Tally(), 1)
    available = shelves.on_hand.total() - shelves.committed
    owed = shelves.backordered, shelves.conflict, shelves.deficits
    return State(available, shelves.committed, *owed, shelves.oversold.total())
