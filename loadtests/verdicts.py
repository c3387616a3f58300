"""The targets, and whether a run met them."""

from dataclasses import dataclass
from statistics import median
from typing import Final

from .result import Result, Row
from .scenarios import AVAILABILITY, AVAILABILITY_50, BULK, BULK_TEN, ORDER, TEN_LINES

ORDER_TO_HELLO: Final = 0.75
ORDER_P99_MS: Final = 8.0
AVAILABILITY_TO_HELLO: Final = 0.95
AVAILABILITY_50_PER_SECOND: Final = 4_000
LINES_PER_SECOND: Final = 30_000
BURST_MS: Final = 60.0
SIZE_SHARE: Final = 0.9
BYTES_PER_SKU: Final = 150

MEMORY_SKUS_MIN: Final = 100_000
"""Among fewer, what the server keeps for itself is a large part of each sku's share."""


@dataclass
class Verdict:
    """One target: what was found, what was wanted, whether that is met."""

    what: str
    found: float
    wanted: str
    met: bool


def verdicts(result: Result) -> list[Verdict]:
    """Every target this run has figures for."""
    found = [verdict for row in result.rows for verdict in _of_row(row, several=len(result.options.sizes) > 1)]
    return [*found, *_of_bursts(result), *_of_sizes(result.rows), *_of_memory(result)]


def at_least(what: str, found: float, least: float) -> Verdict:
    """A target that more is better for."""
    return Verdict(what, found, f"≥ {least:,g}", found >= least)


def below(what: str, found: float, limit: float) -> Verdict:
    """A target that less is better for."""
    return Verdict(what, found, f"< {limit:,g}", found < limit)


def _of_row(row: Row, *, several: bool) -> list[Verdict]:
    name = f"{row.scenario} ({row.skus:,} skus)" if several else row.scenario
    if row.scenario == ORDER:
        return [
            at_least(f"{name}, × hello", row.to_hello, ORDER_TO_HELLO),
            below(f"{name}, p99 ms", row.speed.p99_ms, ORDER_P99_MS),
        ]
    if row.scenario == AVAILABILITY:
        return [at_least(f"{name}, × hello", row.to_hello, AVAILABILITY_TO_HELLO)]
    if row.scenario == AVAILABILITY_50:
        return [at_least(f"{name}, requests/s", row.speed.requests_per_second, AVAILABILITY_50_PER_SECOND)]
    if row.scenario in {TEN_LINES, BULK, BULK_TEN}:
        return [at_least(f"{name}, lines/s", row.lines_per_second or 0, LINES_PER_SECOND)]
    return []


def _of_bursts(result: Result) -> list[Verdict]:
    found = []
    for skus, bursts in result.bursts.items():
        exact = sum(one.is_exact for one in bursts)
        ms = round(1_000 * median(one.seconds for one in bursts), 1)
        found.append(below(f"200 orders at once, ms ({skus:,} skus)", ms, BURST_MS))
        what = f"200 orders at once, exact ({skus:,} skus)"
        found.append(Verdict(what, exact, f"{len(bursts)} of {len(bursts)}", exact == len(bursts)))
    return found


def _of_sizes(rows: list[Row]) -> list[Verdict]:
    """Of all scenarios the one that suffers most from the larger shop."""
    larger = [row for row in rows if row.to_smallest is not None]
    if not larger:
        return []
    worst = min(larger, key=lambda row: row.to_smallest or 0)
    name = f"{worst.scenario} ({worst.skus:,} skus), × smallest shop"
    return [at_least(f"worst of all: {name}", worst.to_smallest or 0, SIZE_SHARE)]


def _of_memory(result: Result) -> list[Verdict]:
    return [
        Verdict(
            f"bytes a sku, all in ({one.skus:,} skus)", one.all_in, f"≤ {BYTES_PER_SKU}", one.all_in <= BYTES_PER_SKU
        )
        for one in result.memory
        if one.skus >= MEMORY_SKUS_MIN
    ]
