"""Measures one scenario in one round: requests a second, waiting times, and the processor time of each process."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, fields
from statistics import median
from typing import NamedTuple, TypeVar

from allocator import Allocator

from .http import Load, run_load
from .processes import cpu_seconds
from .scenarios import RawScenario, Scenario, Shop

WARM_UP = 8
"""One in so many requests is sent before the measuring begins."""


class Wrong(Exception):
    """The service did not answer as the scenario expects, so its speed means nothing."""


class Target(NamedTuple):
    """What is measured: an address, the shop behind it, and whose processor time is read; a pid of 0 is nobody's."""

    url: str
    shop: Shop
    api: int = 0
    valkey: int = 0


@dataclass
class Sample:
    """One scenario in one round. Times of processors are in µs a request; None where the system does not tell."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    api_us: float | None
    valkey_us: float | None
    generator_us: float | None


def middle_of(samples: list[Sample]) -> Sample:
    """The median of each figure over the rounds."""
    return Sample(*(_middle([getattr(sample, field.name) for sample in samples]) for field in fields(Sample)))


def _middle(values: list[float | None]) -> float:
    known = [value for value in values if value is not None]
    return round(median(known), 2) if known else None  # type: ignore[return-value] # each field keeps its kind


class _Clock:
    """Processor time of these processes, and last of this one, from its making on."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self._before = self._read()

    def _read(self) -> list[float | None]:
        return [*(cpu_seconds(pid) if pid else None for pid in self._pids), time.process_time()]

    def us_each(self, requests: int) -> list[float | None]:
        """µs a request of each process, and of this one."""
        pairs = zip(self._before, self._read(), strict=True)
        return [None if a is None or b is None else (b - a) * 1e6 / requests for a, b in pairs]


@dataclass
class Plan:
    """How much is sent in a round: requests of a scenario whose share is 1, and how many at a time."""

    requests: int
    in_flight: int

    def count(self, share: float, in_flight: int) -> int:
        """Requests a round, at least two for everybody in flight."""
        return max(2 * in_flight, round(self.requests * share))


async def measure(target: Target, scenario: Scenario, plan: Plan, number: int) -> Sample:
    """One round, the `number`-th, of requests that were never sent before. Raises Wrong, Broken."""
    in_flight = scenario.in_flight or plan.in_flight
    count = plan.count(scenario.share, in_flight)
    warm_up, ready = _make(count, number, lambda one: scenario.make(target.shop, one))
    await _send(target, scenario, warm_up, in_flight)
    clock = _Clock(target.api, target.valkey)
    load = await _send(target, scenario, ready, in_flight)
    return Sample(load.per_second, load.wait_ms(0.5), load.wait_ms(0.99), *clock.us_each(count))


Made = TypeVar("Made")


def _make(count: int, number: int, make: Callable[[int], Made]) -> tuple[list[Made], list[Made]]:
    """What warms up and what is measured in this round; no two rounds have a number in common."""
    first, warm_up = number * 2 * count, max(1, count // WARM_UP)
    made = [make(one) for one in range(first, first + warm_up + count)]
    return made[:warm_up], made[warm_up:]


async def _send(target: Target, scenario: Scenario, requests: list[bytes], in_flight: int) -> Load:
    load = await run_load(target.url, requests, in_flight, keep_bodies=scenario.is_right is not None)
    _judge(scenario, load)
    return load


def _judge(scenario: Scenario, load: Load) -> None:
    if set(load.statuses) != {scenario.status}:
        raise Wrong(f"{scenario.name}: answered {dict(load.statuses)}, expected {scenario.status} only")
    wrong = [body for body in load.bodies or () if scenario.is_right and not scenario.is_right(body)]
    if wrong:
        raise Wrong(f"{scenario.name}: {len(wrong)} answers are wrong, the first begins {wrong[0][:300]!r}")


async def measure_raw(target: Target, allocator: Allocator, scenario: RawScenario, plan: Plan, number: int) -> Sample:
    """One round of calls from this process, which is then both generator and api. Raises what the verbs raise."""
    count = plan.count(scenario.share, plan.in_flight)
    warm_up, ready = _make(count, number, int)

    async def call(one: int) -> None:
        await scenario.call(allocator, target.shop, one)

    await _call(call, warm_up, plan.in_flight)
    clock = _Clock(target.valkey)
    load = await _call(call, ready, plan.in_flight)
    of_valkey, own = clock.us_each(count)
    return Sample(load.per_second, load.wait_ms(0.5), load.wait_ms(0.99), own, of_valkey, None)


Call = Callable[[int], Awaitable[None]]


async def _call(call: Call, numbers: list[int], in_flight: int) -> Load:
    load, queue = Load(), iter(numbers)
    began = time.perf_counter()
    await asyncio.gather(*(_work(call, queue, load) for _ in range(in_flight)))
    load.seconds = time.perf_counter() - began
    return load


async def _work(call: Call, queue: Iterator[int], load: Load) -> None:
    for number in queue:
        began = time.perf_counter()
        await call(number)
        load.waits.append(time.perf_counter() - began)
