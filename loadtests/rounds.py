"""
The rounds of a benchmark: each sends every scenario once, to each size of shop in turn.

Whatever slows the machine down for a while then slows down all of them, and what is compared was measured within
seconds of each other.
"""

import gc
from typing import NamedTuple

from rich.console import Console

from allocator import Allocator
from app.replay.progress import Progress

from .burst import Burst, burst
from .measure import Plan, Sample, Target, measure, measure_raw
from .memory import Memory
from .result import Options, Samples
from .scenarios import HELLO, YARDSTICK, RawScenario, Scenario
from .shop import hot_sku

BURST = "burst"

AnyScenario = Scenario | RawScenario


class Place(NamedTuple):
    """One running service with its shop, and a way of our own to its store."""

    target: Target
    allocator: Allocator
    memory: Memory
    server: str


class Rounds:
    """Runs the rounds and keeps what they found."""

    def __init__(self, options: Options, yardstick: Target, places: list[Place], chosen: list[AnyScenario]) -> None:
        self._options = options
        self._plan = Plan(options.requests, options.in_flight)
        self._yardstick = yardstick
        self._places = places
        self._chosen = chosen
        self.samples: Samples = {}
        self.bursts: dict[int, list[Burst]] = {}

    async def run(self, notes: Console) -> None:
        """All rounds. Raises Wrong, Broken."""
        steps = self._options.rounds * (1 + len(self._chosen) * len(self._places))
        # A collection in the middle of a round would be measured as waiting.
        gc.disable()
        try:
            with Progress("measuring:", steps, notes) as progress:
                for number in range(self._options.rounds):
                    await self._round(number, progress)
                    gc.collect()
        finally:
            gc.enable()

    async def _round(self, number: int, progress: Progress) -> None:
        self._keep(HELLO, 0, await measure(self._yardstick, YARDSTICK, self._plan, number))
        progress.step()
        # Every other round the other way round: who comes second may find the machine warmer.
        places = self._places[:: -1 if number % 2 else 1]
        for scenario in self._chosen:
            for place in places:
                self._keep(scenario.name, place.target.shop.skus, await self._measure(place, scenario, number))
                progress.step()
        if self._options.wants(BURST):
            for place in places:
                await self._burst(place.target, number)

    async def _measure(self, place: Place, scenario: AnyScenario, number: int) -> Sample:
        if isinstance(scenario, RawScenario):
            return await measure_raw(place.target, place.allocator, scenario, self._plan, number)
        return await measure(place.target, scenario, self._plan, number)

    async def _burst(self, target: Target, number: int) -> None:
        found = await burst(target.url, target.shop.key, hot_sku(number))
        self.bursts.setdefault(target.shop.skus, []).append(found)

    def _keep(self, scenario: str, skus: int, sample: Sample) -> None:
        self.samples.setdefault((scenario, skus), []).append(sample)
