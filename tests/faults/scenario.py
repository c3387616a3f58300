"""
A scenario: what it needs, how it breaks it, how that ends. Everything else is the same for all and here.

A new one is a class with `start`, `disturb` and `heal`, and a test that plays it.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from pathlib import Path
from random import Random
from typing import ClassVar, Final

from allocator import make_client

from .crowd import Crowd
from .doors import Door
from .judge import judge
from .places import Place
from .verdict import Fault, Verdict

CALLERS: Final = 12
OPS_BROKEN: Final = 2_000
OPS_HEALED: Final = 1_000
"""Most ops of a round, until it is healed and afterwards."""


class Scenario(ABC):
    """
    One kind of breakage. `place` is there once `start` has run.

    warm_s, after_s: how long the crowd works before the breakage and after its end. rounds_max: how often one place is
    broken before everything is judged and a new one is made.
    """

    name: ClassVar[str]
    warm_s: ClassVar[float] = 0.6
    after_s: ClassVar[float] = 0.4
    rounds_max: ClassVar[int] = 10
    back_s_max: ClassVar[float] = 15.0
    """How soon orders must be accepted again; nothing is repeated afterwards when it is 0."""

    place: Place | None = None

    def __init__(self, home: Path, chance: Random, *, is_long: bool = False) -> None:
        self.home = home
        self.chance = chance
        self.is_long = is_long
        """Whether there is time for breakages of any length."""
        self.faults: list[Fault] = []
        """What the scenario itself found wrong."""

    @abstractmethod
    async def start(self) -> None:
        """Make the place and open it."""

    @abstractmethod
    async def disturb(self, crowd: Crowd) -> None:
        """Break something, and wait while it is broken."""

    async def heal(self) -> None:  # noqa: B027 - some breakages end by themselves
        """Put it right, as an operator or the operating system would."""

    async def stop(self) -> None:
        """End everything that was started, whatever state it is in."""
        if self.place is not None:
            await self.place.close()


async def play(scenario: Scenario, rounds: int = 1) -> Verdict:
    """Start, let the crowd work while it is broken and healed again and again, and judge."""
    verdict, began = Verdict(scenario.name, rounds), time.monotonic()
    try:
        await scenario.start()
        doors = scenario.place.doors(CALLERS)
        try:
            await _play(scenario, doors, verdict)
        finally:
            for door in doors:
                await door.close()
    finally:
        await scenario.stop()
    verdict.seconds = time.monotonic() - began
    return verdict


async def _play(scenario: Scenario, doors: list[Door], verdict: Verdict) -> None:
    async with Crowd(doors, scenario.chance.randrange(2**32)) as crowd:
        for _ in range(verdict.rounds):
            await _round(scenario, crowd, verdict)
    if scenario.back_s_max:
        await crowd.settle()
    client = make_client(scenario.place.url, timeout_s=10.0)
    try:
        await judge(crowd.diary, client, doors[0], verdict, scenario.place.books)
        verdict.faults += await scenario.place.examine(client)
    finally:
        await client.aclose()
    verdict.done += scenario.place.done
    verdict.faults += scenario.faults


async def _round(scenario: Scenario, crowd: Crowd, verdict: Verdict) -> None:
    crowd.allow(OPS_BROKEN)
    await asyncio.sleep(scenario.warm_s)
    await scenario.disturb(crowd)
    await scenario.heal()
    crowd.allow(OPS_HEALED)
    limit_s = scenario.back_s_max
    back_s = await crowd.hear_again(limit_s)
    if back_s is None:
        verdict.faults.append(
            Fault("away", scenario.name, f"nothing was accepted for {limit_s:g} s after it was healed")
        )
    verdict.back_s = max(verdict.back_s, limit_s if back_s is None else back_s)
    await asyncio.sleep(scenario.after_s)
