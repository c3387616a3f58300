"""The benchmark's result as tables for people, and as JSON for machines."""

import json
from dataclasses import asdict
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from .burst import ORDERS, Burst
from .memory import PASSING, Memory
from .result import Result, Row
from .shop import HOT_STOCK
from .verdicts import verdicts

WIDTH = 136
"""Wide enough for every table where there is no terminal to ask."""


def write_json(result: Result, file: Path) -> None:
    """Everything, the verdicts included."""
    found = {**asdict(result), "verdicts": [asdict(verdict) for verdict in verdicts(result)]}
    file.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def show(result: Result, console: Console) -> None:
    """Everything, as text."""
    for line in _head(result):
        console.print(line, soft_wrap=True)
    console.print(_speeds(result))
    for skus, bursts in result.bursts.items():
        console.print(_burst_line(skus, bursts), soft_wrap=True)
    for memory in result.memory:
        console.print(_memory_line(memory), soft_wrap=True)
    for line in result.left_out:
        console.print(f"left out: {line}", soft_wrap=True)
    console.print(_targets(result))


def _head(result: Result) -> list[str]:
    options = result.options
    sizes = " and ".join(f"{size:,}" for size in options.sizes)
    sent = f"{options.in_flight} in flight, {options.requests:,} requests of the lightest a round"
    return [
        "{cores} cores {processor}, load {load_before} before".format(**result.machine),
        "Python {python}, fastapi {fastapi}, uvicorn {uvicorn}, redis-py {redis_py}, {server} ({allocator})".format(
            **result.machine
        ),
        result.settings,
        f"{sizes} skus at 4 locations; {sent}; median of {options.rounds} rounds; the generator shares the cores",
    ]


def _speeds(result: Result) -> Table:
    several = len(result.options.sizes) > 1
    table = Table(title="Speed; CPU is µs a request", title_justify="left")
    table.add_column("", no_wrap=True)
    columns = ["skus"] if several else []
    columns += ["requests/s", "lines/s", "p50 ms", "p99 ms", "× hello", "CPU API", "Valkey", "generator"]
    for column in [*columns, *(["× smallest"] if several else [])]:
        table.add_column(column, justify="right")
    for row in result.rows:
        table.add_row(*_cells(row, several=several))
    return table


def _cells(row: Row, *, several: bool) -> list[str]:
    speed = row.speed
    cells = [row.scenario, *([_whole(row.skus or None)] if several else [])]
    cells += [_whole(speed.requests_per_second), _whole(row.lines_per_second)]
    cells += [f"{speed.p50_ms:.2f}", f"{speed.p99_ms:.2f}", f"{row.to_hello:.2f}"]
    cells += [_whole(speed.api_us), _whole(speed.valkey_us), _whole(speed.generator_us)]
    return cells + ([_share(row.to_smallest)] if several else [])


def _whole(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _burst_line(skus: int, bursts: list[Burst]) -> str:
    accepted, refused, other = (
        median(getattr(one, part) for one in bursts) for part in ("accepted", "refused", "other")
    )
    exact, ms = sum(one.is_exact for one in bursts), 1_000 * median(one.seconds for one in bursts)
    return (
        f"{ORDERS} orders at once for {HOT_STOCK} units ({skus:,} skus): {accepted:g} accepted, {refused:g} refused "
        f"cleanly, {other:g} other; exact in {exact} of {len(bursts)} bursts, {ms:.0f} ms"
    )


def _memory_line(memory: Memory) -> str:
    parts = ", ".join(f"{word} {size:g}" for word, size in memory.keys.items() if word not in PASSING)
    passing = ", ".join(f"{word} {size:g}" for word, size in memory.keys.items() if word in PASSING)
    return (
        f"bytes a sku ({memory.skus:,} skus): {memory.all_in:g} all in ({parts}); besides, from the filling: {passing}"
    )


def _targets(result: Result) -> Table:
    table = Table(title="Targets", title_justify="left")
    table.add_column("", no_wrap=True)
    for column in ("found", "wanted", ""):
        table.add_column(column, justify="right")
    for verdict in verdicts(result):
        table.add_row(verdict.what, f"{verdict.found:,g}", verdict.wanted, "met" if verdict.met else "NOT met")
    return table
