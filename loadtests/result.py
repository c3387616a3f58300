"""What a benchmark was asked, what it found, and how rounds become rows."""

from dataclasses import dataclass, field
from statistics import median
from typing import Any

from .burst import Burst
from .measure import Sample, middle_of
from .memory import Memory
from .scenarios import HELLO


@dataclass
class Options:
    """What is sent: requests of the lightest scenarios in a round, and how many at a time, to shops of these sizes."""

    rounds: int = 5
    requests: int = 4_000
    in_flight: int = 32
    sizes: tuple[int, ...] = (1_000,)
    only: tuple[str, ...] = ()

    def wants(self, name: str) -> bool:
        """Whether a scenario is asked for: by a part of its name, or because none was named."""
        return not self.only or any(word in name for word in self.only)


@dataclass
class Row:
    """
    One scenario on one size of shop: medians of the rounds.

    skus: 0 for the yardstick. to_hello: requests a second against the yardstick's in the same round. to_smallest: the
    same against the smallest shop of the run, where there are several.
    """

    scenario: str
    skus: int
    speed: Sample
    to_hello: float
    lines_per_second: float | None = None
    to_smallest: float | None = None


@dataclass
class Result:
    """Everything measured in one run. left_out: scenarios that this service cannot do, and why."""

    machine: dict[str, Any]
    settings: str
    options: Options
    rows: list[Row] = field(default_factory=list)
    bursts: dict[int, list[Burst]] = field(default_factory=dict)
    memory: list[Memory] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def is_exact(self) -> bool:
        """Whether every burst was."""
        return all(one.is_exact for bursts in self.bursts.values() for one in bursts)


Samples = dict[tuple[str, int], list[Sample]]
"""By scenario and size of shop, one of each round."""


def make_rows(samples: Samples, lines: dict[str, int]) -> list[Row]:
    """The rows, in the order of the first round; `lines` has the order lines of a request, by scenario."""
    yardstick, smallest = samples[HELLO, 0], min(skus for _, skus in samples if skus) if len(samples) > 1 else 0
    rows = []
    for (name, skus), found in samples.items():
        row = Row(name, skus, middle_of(found), ratio(found, yardstick))
        if lines.get(name):
            row.lines_per_second = round(row.speed.requests_per_second * lines[name])
        if skus > smallest > 0:
            row.to_smallest = ratio(found, samples[name, smallest])
        rows.append(row)
    return rows


def ratio(these: list[Sample], those: list[Sample]) -> float:
    """Requests a second of these against those: the median of the rounds, each compared within itself."""
    pairs = zip(these, those, strict=True)
    return round(median(one.requests_per_second / other.requests_per_second for one, other in pairs), 3)
