"""
The callers: they order, hold, release, ship, cancel and receive, as fast as they are answered, within bounds.

Who is left without an answer sometimes asks again at once, as impatient callers do, and otherwise after the breakage:
always with the same id.
"""

import asyncio
import time
from collections import deque
from random import Random
from typing import Final, Self

from app.times import now_ms

from .doors import Door
from .ops import Diary, Op, Said, Want
from .shop import HOT, LOCATIONS, SKUS

PER_SECOND_MAX: Final = 800
"""The rest of the machine has other work."""

AT_ONCE_SHARE: Final = 0.3
"""How many repeat an unknown call before they do anything else."""

SPENT_S: Final = 0.02
"""How often a caller who may send nothing more looks whether he may again."""

SETTLE_SECONDS_MAX: Final = 30.0
SETTLE_PAUSE_S: Final = 0.25
REPEATED_MAX: Final = 300
"""Answered ops that are sent once more at the end."""

VERBS: Final = {"order": 45, "hold": 20, "release": 8, "ship": 12, "cancel": 4, "receive": 11}
CHANNELS: Final = {"shop": 70, "amazon": 20, "till": 10}


class Script:
    """Makes up one op after the other; the same seed makes the same ones up to what callers have heard."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._number = 0
        self._orders: deque[Op] = deque(maxlen=200)
        self._holds: deque[Op] = deque(maxlen=50)

    def next(self) -> Op:
        """The next op. Later ones may name earlier orders and holds, whatever became of them."""
        self._number += 1
        verb = self._pick(VERBS)
        if verb in {"ship", "cancel"} and self._orders:
            order = self._chance.choice(self._orders)
            return Op(verb, order.subject, order.channel, name=f"op-{self._number}")
        if verb == "release" and self._holds:
            return Op("release", self._chance.choice(self._holds).subject)
        if verb == "hold":
            self._holds.append(Op("hold", f"hold-{self._number}", lines=self._wants()))
            return self._holds[-1]
        if verb == "receive":
            return Op("receive", name=f"op-{self._number}", lines=(self._arrival(),))
        return self._order()

    def _order(self) -> Op:
        channel, hold, lines = self._pick(CHANNELS), "", self._wants()
        if channel == "shop" and self._holds and self._chance.random() < 0.3:
            taken = self._holds.popleft()
            hold, lines = taken.subject, taken.lines
        self._orders.append(Op("order", f"{self._number}", channel, lines=lines, hold=hold))
        return self._orders[-1]

    def _pick(self, shares: dict[str, int]) -> str:
        return self._chance.choices(list(shares), list(shares.values()))[0]

    def _wants(self) -> tuple[Want, ...]:
        skus = {HOT if self._chance.random() < 0.3 else self._chance.choice(SKUS) for _ in range(3)}
        return tuple(Want(sku, self._chance.randint(1, 3)) for sku in sorted(skus)[: self._chance.randint(1, 3)])

    def _arrival(self) -> Want:
        sku = HOT if self._chance.random() < 0.3 else self._chance.choice(SKUS)
        return Want(sku, self._chance.randint(1, 12), self._chance.choice(LOCATIONS))


class Crowd:
    """Callers at their doors, who send as many ops as they are allowed to; what they hear is in `diary`."""

    def __init__(self, doors: list[Door], seed: int) -> None:
        self.diary = Diary()
        self._doors = doors
        self._chance = Random(seed)
        self._script = Script(self._chance)
        self._ops_left = 0
        self._working = 0
        self._stopping = False
        self._accepted_since = -1.0
        """When the newest op was sent that was accepted."""

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._caller(door)) for door in self._doors]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        await asyncio.gather(*self._tasks)

    def allow(self, ops: int) -> None:
        """From now on this many, whatever was left. The judge reads them all, so there is a bound to them."""
        self._ops_left = ops

    async def rest(self) -> None:
        """Send nothing more, and wait until nobody waits for an answer."""
        self.allow(0)
        while self._working:
            await asyncio.sleep(SPENT_S)

    async def spend(self) -> None:
        """Wait until everything that is allowed has been sent."""
        while self._ops_left > 0:
            await asyncio.sleep(SPENT_S)

    async def hear_again(self, seconds_max: float) -> float | None:
        """Wait until an op that is sent from now on is accepted; the seconds it took, or None."""
        began = time.monotonic()
        while self._accepted_since < began:
            if time.monotonic() > began + seconds_max:
                return None
            # Quick answers that nothing is sold yet must not use up what is allowed.
            self._ops_left = max(self._ops_left, len(self._doors))
            await asyncio.sleep(0.005)
        return time.monotonic() - began

    async def settle(self) -> None:
        """Repeat what is unknown until it is known, and some of what is known; both with the ids they had."""
        unknown = [heard.op for heard in self.diary.of("unknown")]
        await self._repeat_all(deque(unknown))
        known = [heard.op for heard in self.diary.ops.values() if heard.decided]
        await self._repeat_all(deque(self._chance.sample(known, min(REPEATED_MAX, len(known)))))

    async def _repeat_all(self, ops: deque[Op]) -> None:
        until = time.monotonic() + SETTLE_SECONDS_MAX
        await asyncio.gather(*(self._repeat(door, ops, until) for door in self._doors))

    async def _caller(self, door: Door) -> None:
        while not self._stopping:
            if self._ops_left > 0:
                self._ops_left -= 1
                self._working += 1
                await self._work(door, self._script.next())
                self._working -= 1
            else:
                await asyncio.sleep(SPENT_S)

    async def _work(self, door: Door, op: Op) -> None:
        began = time.monotonic()
        said = await self._send(door, op)
        if not said.decides and self._chance.random() < AT_ONCE_SHARE and not self._stopping:
            await self._send(door, op)
        pause_s = len(self._doors) / PER_SECOND_MAX - (time.monotonic() - began)
        await asyncio.sleep(max(0.0, pause_s))

    async def _send(self, door: Door, op: Op) -> Said:
        began, sent_ms = time.monotonic(), now_ms()
        said = self.diary.note(op, await door.send(op), sent_ms)
        if said.outcome == "accepted":
            self._accepted_since = max(self._accepted_since, began)
        return said

    async def _repeat(self, door: Door, ops: deque[Op], until: float) -> None:
        while ops and time.monotonic() < until:
            op, sent_ms = ops.popleft(), now_ms()
            if not self.diary.note(op, await door.send(op), sent_ms).decides:
                ops.append(op)
                await asyncio.sleep(SETTLE_PAUSE_S)
