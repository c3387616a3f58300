"""What a replay counts while it runs: answers by channel, units article by article, time by verb."""

from collections import Counter
from collections.abc import Iterable
from math import ceil
from typing import Any, Final

import msgspec

from .order_file import FileLine
from .split import SHARES

SAMPLES_MAX: Final = 10
"""Errors that are told in full."""

REFUSALS: Final = {"/problems/short": "short", "/problems/unroutable": "unroutable"}
"""Types of problem that are an answer to an order."""


class ChannelTally(msgspec.Struct):
    """
    One channel's orders and units.

    in_full and partly are accepted orders. Units asked = taken + backordered + forgone + refused; deficit is the part
    of taken that no shelf had.
    """

    channel: str
    kind: str
    orders: int = 0
    in_full: int = 0
    partly: int = 0
    short: int = 0
    unroutable: int = 0
    units_asked: int = 0
    units_taken: int = 0
    units_backordered: int = 0
    units_forgone: int = 0
    units_refused: int = 0
    units_deficit: int = 0

    @property
    def fill_rate(self) -> float:
        """The part of the units asked for that was there at once."""
        return (self.units_taken - self.units_deficit) / self.units_asked if self.units_asked else 1.0


class VerbTime(msgspec.Struct, frozen=True):
    """How long callers waited for one verb's answers, repetitions included."""

    verb: str
    requests: int
    p50_ms: float
    p99_ms: float
    max_ms: float


class Tally:
    """Everything a replay has seen so far."""

    def __init__(self) -> None:
        self.channels = {share.channel: ChannelTally(share.channel, share.kind) for share in SHARES}
        self.parcels: Counter[int] = Counter()
        self.received: Counter[str] = Counter()
        self.kept: Counter[str] = Counter()
        self.counted: Counter[str] = Counter()
        self.mishaps: Counter[str] = Counter()
        self.scrapped = 0
        self.returns = 0
        self.resent = 0
        self.resent_same = 0
        self.retries = 0
        self.errors = 0
        self.samples: list[str] = []
        self.lines_wrong = 0
        self._shipped: dict[str, Counter[str]] = {}
        self._wanted: dict[str, int] = {}
        self._seconds: dict[str, list[float]] = {}

    def timed(self, verb: str, seconds: float) -> None:
        """One answer came after so long."""
        self._seconds.setdefault(verb, []).append(seconds)

    def failed(self, what: str) -> None:
        """An answer that is none of those a healthy service gives."""
        self.errors += 1
        if len(self.samples) < SAMPLES_MAX:
            self.samples.append(what)

    def accepted(self, channel: str, order: str, lines: list[dict[str, Any]]) -> None:
        """An order was taken, these are its lines."""
        tally = self.channels[channel]
        taken = sum(line["committed"] + line["shipped"] for line in lines)
        asked, waiting = _sum(lines, "ordered"), _sum(lines, "backordered")
        tally.orders += 1
        tally.units_asked += asked
        tally.units_taken += taken
        tally.units_backordered += waiting
        tally.units_forgone += _sum(lines, "cancelled")
        tally.units_deficit += _deficit(lines)
        if taken == asked:
            tally.in_full += 1
        else:
            tally.partly += 1
        places = len({take["location"] for line in lines for take in line["takes"]})
        self.parcels[places] += 1
        self.moved(order, lines)

    def refused(self, channel: str, reason: str, lines: Iterable[FileLine]) -> None:
        """An order was refused, for one of REFUSALS."""
        tally = self.channels[channel]
        units = sum(line.units for line in lines)
        tally.orders += 1
        tally.units_asked += units
        tally.units_refused += units
        setattr(tally, reason, getattr(tally, reason) + 1)

    def moved(self, order: str, lines: list[dict[str, Any]]) -> None:
        """An order's lines are like this now: what has left of them has left its shelf."""
        shipped: Counter[str] = Counter()
        for line in lines:
            shipped[line["sku"]] += line["shipped"]
            self.lines_wrong += not _adds_up(line)
        self._shipped[order] = shipped
        self._wanted[order] = _sum(lines, "ordered") - _sum(lines, "cancelled")

    def shipped(self) -> Counter[str]:
        """Units that have left, by article."""
        total: Counter[str] = Counter()
        for units in self._shipped.values():
            total.update(units)
        return total

    def wanted(self) -> int:
        """Units of accepted orders that were not given up."""
        return sum(self._wanted.values())

    def requests(self) -> int:
        """Answers in all."""
        return sum(map(len, self._seconds.values()))

    def times(self) -> list[VerbTime]:
        """The waiting times of every verb."""
        return [_times(verb, sorted(seconds)) for verb, seconds in self._seconds.items()]


def percentile(ordered: list[float], share: float) -> float:
    """The smallest value that `share` of them do not exceed (nearest rank); `ordered` is sorted and not empty."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def _times(verb: str, ordered: list[float]) -> VerbTime:
    p50, p99, most = (round(1_000 * percentile(ordered, share), 2) for share in (0.5, 0.99, 1))
    return VerbTime(verb, len(ordered), p50, p99, most)


def _sum(lines: list[dict[str, Any]], bucket: str) -> int:
    return sum(line[bucket] for line in lines)


def _deficit(lines: list[dict[str, Any]]) -> int:
    parts = (part for line in lines for take in line["takes"] for part in take["parts"])
    return sum(part["units"] for part in parts if part["source"] == "deficit")


def _adds_up(line: dict[str, Any]) -> bool:
    buckets = ("committed", "shipped", "backordered", "conflict", "cancelled")
    return bool(sum(line[bucket] for bucket in buckets) == line["ordered"] and line["returned"] <= line["shipped"])
