"""A replay's report: one structure, shown as tables or written as JSON."""

import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from .books import Check, Shelves
from .order_file import Invoice
from .plan import Plan
from .split import DISPOSITIONS, PARTS, SHARES
from .tally import ChannelTally, Tally, VerbTime


class Machine(msgspec.Struct, frozen=True):
    """What it ran on."""

    cores: int
    processor: str
    python: str
    server: str


class Demand(msgspec.Struct, frozen=True):
    """What the file asks for."""

    file: str
    orders: int
    returns: int
    lines: int
    lines_max: int
    units: int
    articles: int
    days: int
    weeks: int


class Setup(msgspec.Struct, frozen=True):
    """How it was played."""

    seed: int
    stocked: float
    locations: int
    in_flight: int
    shares: dict[str, str]
    own_service: bool
    mishaps: dict[str, str] = {}


class Units(msgspec.Struct, frozen=True):
    """
    Where all units went; `then` is when the orders were answered, `end` when all had come to rest.

    counted: what counts found more, or below zero fewer.
    """

    received: int
    returned_kept: int
    returned_scrapped: int
    counted: int
    shipped: int
    on_hand_end: int
    committed_end: int
    backordered_then: int
    backordered_end: int
    deficit_then: int
    deficit_end: int
    conflict_end: int


class Report(msgspec.Struct, frozen=True):
    """Everything measured in one replay."""

    machine: Machine
    demand: Demand
    setup: Setup
    channels: list[ChannelTally]
    units: Units
    parcels: dict[str, int]
    parcels_per_order: float
    times: list[VerbTime]
    seconds: float
    requests: int
    requests_per_second: float
    orders_per_second: float
    retries: int
    returns_booked: int
    orders_repeated: int
    orders_repeated_same: int
    mishaps: dict[str, int]
    checks: list[Check]

    @property
    def kept(self) -> bool:
        """Whether no promise was broken."""
        return all(check.kept is not False for check in self.checks)


def machine(server: str) -> Machine:
    """This machine."""
    return Machine(os.cpu_count() or 1, _processor(), platform.python_version(), server)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def describe_demand(path: Path, invoices: Sequence[Invoice], plan: Plan) -> Demand:
    """What these invoices ask for."""
    ordered = [invoice.ordered for invoice in invoices if invoice.ordered]
    skus = {line.sku for invoice in invoices for line in (*invoice.ordered, *invoice.returned)}
    return Demand(
        file=path.name,
        orders=len(ordered),
        returns=sum(bool(invoice.returned) for invoice in invoices),
        lines=sum(map(len, ordered)),
        lines_max=max(map(len, ordered), default=0),
        units=sum(line.units for lines in ordered for line in lines),
        articles=len(skus),
        days=len({invoice.placed_at.date() for invoice in invoices}),
        weeks=len(plan.weeks),
    )


def describe_shares() -> dict[str, str]:
    """How invoices were dealt, in words."""
    dealt = {share.channel: f"{share.kind}, {share.parts * 100 // PARTS} % of the invoices" for share in SHARES}
    back = ", ".join(f"{name} {parts * 100 // PARTS} %" for name, parts in DISPOSITIONS)
    return {**dealt, "returns": f"{back}, line by line"}


def make_report(
    tally: Tally,
    shelves: Shelves,
    checks: list[Check],
    *,
    machine: Machine,
    demand: Demand,
    setup: Setup,
    seconds: float,
    requests: int,
) -> Report:
    """Put together what was counted; `seconds` and `requests` are those of the play alone."""
    channels = list(tally.channels.values())
    shipping = sum(orders for places, orders in tally.parcels.items() if places)
    return Report(
        machine=machine,
        demand=demand,
        setup=setup,
        channels=channels,
        units=_units(tally, shelves, channels),
        parcels={str(count): orders for count, orders in sorted(tally.parcels.items())},
        parcels_per_order=round(sum(n * orders for n, orders in tally.parcels.items()) / max(1, shipping), 3),
        times=tally.times(),
        seconds=round(seconds, 2),
        requests=requests,
        requests_per_second=round(requests / seconds, 1),
        orders_per_second=round(demand.orders / seconds, 1),
        retries=tally.retries,
        returns_booked=tally.returns,
        orders_repeated=tally.resent,
        orders_repeated_same=tally.resent_same,
        mishaps=dict(sorted(tally.mishaps.items())),
        checks=checks,
    )


def _units(tally: Tally, shelves: Shelves, channels: Iterable[ChannelTally]) -> Units:
    channels = list(channels)
    return Units(
        received=tally.received.total(),
        returned_kept=tally.kept.total(),
        returned_scrapped=tally.scrapped,
        counted=tally.counted.total(),
        shipped=tally.shipped().total(),
        on_hand_end=shelves.on_hand.total(),
        committed_end=shelves.committed,
        backordered_then=sum(channel.units_backordered for channel in channels),
        backordered_end=shelves.backordered,
        deficit_then=sum(channel.units_deficit for channel in channels),
        deficit_end=shelves.deficits,
        conflict_end=shelves.conflict,
    )


# --- for people ------------------------------------------------------------------------------------------------


def show(report: Report, console: Console) -> None:
    """Print the report."""
    console.print(_headline(report))
    for table in (_channels(report.channels), _unit_table(report.units), _time_table(report)):
        console.print(table)
    if report.mishaps:
        console.print(_mishap_table(report.mishaps))
    console.print(_closing(report))
    console.print(_check_table(report.checks))
    console.print("Every promise was kept." if report.kept else "A PROMISE WAS BROKEN.")


def _headline(report: Report) -> str:
    machine, demand, setup = report.machine, report.demand, report.setup
    shares = "\n".join(f"  {name}: {words}" for name, words in {**setup.shares, **setup.mishaps}.items())
    return (
        f"{demand.file}: {demand.orders:,} orders with {demand.lines:,} lines (up to {demand.lines_max:,}), "
        f"{demand.returns:,} returns, {demand.units:,} units of {demand.articles:,} articles "
        f"on {demand.days:,} days\n"
        f"{shares}\n"
        f"  stocked: {setup.stocked:.0%} of the demand, received over {demand.weeks} weeks at {setup.locations} "
        f"locations (seed {setup.seed})\n"
        f"{machine.cores} cores {machine.processor}, Python {machine.python}, {machine.server}; "
        f"{setup.in_flight} requests in flight"
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for position, column in enumerate(columns):
        table.add_column(column, justify="right" if position else "left", no_wrap=position > 0)
    return table


def _add(table: Table, name: str, *numbers: float) -> None:
    table.add_row(name, *(f"{number:,}" for number in numbers))


def _channels(channels: Iterable[ChannelTally]) -> Table:
    table = _table("Orders and units by channel", *(["", *(f"{tally.channel}\n{tally.kind}" for tally in channels)]))
    rows = {
        "orders": "orders",
        "accepted in full": "in_full",
        "accepted in part or waiting": "partly",
        "refused: short": "short",
        "refused: unroutable": "unroutable",
        "units asked": "units_asked",
        "units taken": "units_taken",
        "  of them a deficit": "units_deficit",
        "units backordered": "units_backordered",
        "units forgone": "units_forgone",
        "units refused": "units_refused",
    }
    for name, field in rows.items():
        _add(table, name, *(getattr(tally, field) for tally in channels))
    table.add_row("fill rate", *(f"{tally.fill_rate:.1%}" for tally in channels))
    return table


def _unit_table(units: Units) -> Table:
    table = _table("Where the units went", "", "units")
    for field in units.__struct_fields__:
        _add(table, field.replace("_", " "), getattr(units, field))
    return table


def _mishap_table(mishaps: dict[str, int]) -> Table:
    table = _table("Mishaps", "", "times")
    for name, times in mishaps.items():
        _add(table, name, times)
    return table


def _time_table(report: Report) -> Table:
    shared = "; replay and service share the cores" if report.setup.own_service else ""
    table = _table(f"Time callers waited, in ms{shared}", "", "requests", "p50", "p99", "longest")
    for time in report.times:
        _add(table, time.verb, time.requests, time.p50_ms, time.p99_ms, time.max_ms)
    return table


def _closing(report: Report) -> str:
    parcels = ", ".join(f"{orders:,} from {count}" for count, orders in report.parcels.items())
    return (
        f"{report.requests:,} requests in {report.seconds:,} s: {report.requests_per_second:,} requests/s, "
        f"{report.orders_per_second:,} orders/s; {report.retries:,} repeated because the outcome was unknown\n"
        f"places that ship an order: {report.parcels_per_order} ({parcels})\n"
        f"orders sent twice: {report.orders_repeated:,}, same answer: {report.orders_repeated_same:,}; "
        f"returns booked: {report.returns_booked:,}"
    )


def _check_table(checks: Iterable[Check]) -> Table:
    table = Table(title="Promises", title_justify="left")
    for column in ("", "found", "kept"):
        table.add_column(column)
    words: dict[Any, str] = {True: "yes", False: "NO", None: "unknown"}
    for check in checks:
        table.add_row(check.name, check.found, words[check.kept])
    return table
