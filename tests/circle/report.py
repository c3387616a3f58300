"""The report of a world: what each channel sold and was told, how late, and what was oversold."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .world import World

HEADS = (
    *("channel", "orders", "units", "pushed", "calls", "lag p50", "lag p99", "longest"),
    *("inside", "on the way", "buffer", "outside", "faults"),
)


def report(world: "World") -> str:
    """The table, what must never be, and what went wrong by kind."""
    rows = [HEADS]
    for channel in world.channels.values():
        tally = channel.tally
        lags = [f"{share_of(tally.lags_s, share):.1f} s" for share in (0.5, 0.99, 1.0)]
        counts = (tally.orders, tally.units, tally.told, channel.counting.calls.total(), *lags)
        oversold = (tally.inside, tally.on_the_way, tally.buffer, tally.outside, tally.faults.total())
        rows.append((channel.name, *map(str, (*counts, *oversold))))
    lines = [_line(row, rows) for row in rows]
    faults = [
        f"{channel.name}: " + ", ".join(f"{count} {kind}" for kind, count in sorted(channel.tally.faults.items()))
        for channel in world.channels.values()
    ]
    head = f"seed {world.seed}, {world.seconds / 3_600:g} h of trade, {world.took_s:.1f} s of one processor"
    return "\n".join([head, "", *lines, "", *MEANINGS, "", *faults, "", *_found(world)])


MEANINGS = (
    "lag: from the ledger to the channel showing it. inside: units oversold while the channel still showed what the",
    "ledger had left behind. on the way: sold before something else took the unit, and in the ledger after it.",
    "buffer: units kept back of a listing that would have covered the worst of both. outside: neither; must be 0.",
)


def share_of(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed; 0 of none."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)] if values else 0.0


def _line(row: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(one[at]) for one in rows) for at in range(len(row))]
    cells_of = enumerate(zip(row, widths, strict=True))
    cells = [f"{cell:<{width}}" if not at else f"{cell:>{width}}" for at, (cell, width) in cells_of]
    return "  ".join(cells).rstrip()


def _found(world: "World") -> list[str]:
    found = world.judge.found
    if not found:
        return ["nothing was found that must never be"]
    again = f"python -m tests.circle --seed {world.seed} --hours {world.seconds / 3_600:g}"
    return [f"{len(found)} things were found that must never be; to see them again: {again}", *found[:20]]
