"""
The demo's burst: 200 orders at once for the last 100 bicycles, from every channel, and what became of every unit.

Web shop orders are promises and are refused when nothing is left. Marketplace orders have been sold already, so they
wait. Sales at the tills have left the store, whatever was promised: what was not there any more is a deficit.
"""

import asyncio
from collections.abc import Iterable
from random import Random
from typing import Any, Final, NamedTuple

from .replay.books import read_shelves
from .replay.calls import Answer, Caller
from .replay.play import CREATED, OK
from .replay.tally import Tally

SKU: Final = "CITY-28-BLACK"
SHELF_UNITS: Final = 100
REFILLED_AT: Final = "utrecht"
REFILL_SECONDS_MAX: Final = 15.0

ONLINE: Final = {"shop": 108, "amazon": 50, "ebay": 30}
TILLS: Final = {"amsterdam": 5, "antwerpen": 4, "koeln": 3}
ORDERS: Final = sum(ONLINE.values()) + sum(TILLS.values())


class Wish(NamedTuple):
    """One order of the burst; `at` is the till's store."""

    channel: str
    id: str
    at: str


class Verdict(NamedTuple):
    """
    Every unit asked for, and every unit there was.

    shelf: units there were for sale. left: units that went over the tills; `deficit` of them were not there any more,
    or were an order's, which is in `conflict` since. free: units nobody took; there may be some only while as many
    are owed, to rescue what was promised earlier.
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
    failed: int

    @property
    def taken(self) -> int:
        """Units of accepted orders that a shelf had."""
        return self.committed + self.left - self.deficit

    @property
    def is_right(self) -> bool:
        """Each unit went to one order at most, each order got one answer, no unit for sale was refused."""
        asked = self.committed + self.left + self.backordered + self.conflict + self.refused
        return (
            self.oversold == 0
            and self.failed == 0
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
            f"refused cleanly         {self.refused}",
            f"backordered             {self.backordered}",
            f"deficit                 {self.deficit}",
            f"in conflict             {self.conflict}",
            f"still free              {self.free}",
            f"oversold                {self.oversold}",
            f"orders answered         {ORDERS - self.failed} of {ORDERS}",
            "VERDICT: right, no unit was sold twice and no order was lost" if self.is_right else "VERDICT: WRONG",
        ]


def make_wishes(run: str) -> list[Wish]:
    """The orders, `run` makes their ids new: online ones in a mixed order, and the tills at the end of the queue."""
    online = [Wish(channel, f"{run}-{channel}-{n}", "") for channel, count in ONLINE.items() for n in range(count)]
    Random(run).shuffle(online)
    tills = [Wish("tills", f"{run}-{store}-{n}", store) for store, count in TILLS.items() for n in range(count)]
    return online + tills


async def burst(caller: Caller, run: str) -> Verdict:
    """Send all orders at once, and count."""
    before = await _state(caller)
    answers = await asyncio.gather(*(_place(caller, wish) for wish in make_wishes(run)))
    after = await _state(caller)
    left = sum(_units(said, "shipped") for said in answers)
    return Verdict(
        shelf=before.available,
        committed=after.committed - before.committed,
        left=left,
        refused=sum(said.type == "/problems/short" for said in answers),
        backordered=after.backordered - before.backordered,
        deficit=after.deficits - before.deficits,
        conflict=after.conflict - before.conflict,
        free=after.available + after.deficits - before.deficits,
        oversold=after.oversold,
        failed=sum(said.status not in {OK, CREATED} and said.type != "/problems/short" for said in answers),
    )


async def refill(caller: Caller, run: str) -> int:
    """Make it the last 100 again on a data folder that has seen a burst; the units that had to be received for it."""
    state = await _state(caller)
    missing = SHELF_UNITS + state.backordered + state.conflict - state.available
    if missing <= 0:
        return 0
    await caller.receive([{"sku": SKU, "location": REFILLED_AT, "units": missing}], f"demo:{run}:refill")
    for _ in range(int(REFILL_SECONDS_MAX)):
        state = await _state(caller)
        if not state.backordered and not state.conflict:
            break
        await asyncio.sleep(1)
    return missing


class _State(NamedTuple):
    available: int
    committed: int
    backordered: int
    conflict: int
    deficits: int
    oversold: int


async def _state(caller: Caller) -> _State:
    shelves = await read_shelves(caller, [SKU], Tally(), 1)
    available = shelves.on_hand.total() - shelves.committed
    owed = shelves.backordered, shelves.conflict, shelves.deficits
    return _State(available, shelves.committed, *owed, shelves.oversold.total())


async def _place(caller: Caller, wish: Wish) -> Answer:
    asked: dict[str, Any] = {"lines": [{"sku": SKU, "units": 1}]}
    return await caller.place(wish.channel, wish.id, {**asked, "at": wish.at} if wish.at else asked)


def _units(said: Answer, bucket: str) -> int:
    lines: Iterable[dict[str, Any]] = said.body.get("lines", [])
    return sum(line[bucket] for line in lines)
