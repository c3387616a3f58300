"""
The load tests: `python -m loadtests.run`, or `make load`. Each scenario runs in locust for some seconds.

They use a service of their own, over HTTP. Afterwards the users' book is held against the stock; the exit code is 1
when a promise was broken, whatever the speed was. The report is a page with plots, and JSON.
"""

import asyncio
import json
from collections.abc import Awaitable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import uvloop
from redis.exceptions import RedisError
from rich.console import Console

from allocator.errors import AllocatorError
from app.replay.progress import Progress
from app.service_process import OwnService, ServiceFailed
from app.stopping import Stop

from .checks import Check, judge, read_report, read_shelves
from .days import DAYS, START_SECONDS, Day, Heard, LocustFailed, Visit, send, wave_ms
from .fill import NeverSettled, Store, fill, open_store, settle
from .plots import Section, page
from .processes import machine
from .programs import allot
from .shop import hot_sku, make_seed, sku_name

UNITS: Final = 250
"""Of each sku at each location: the most popular run out, most do not."""

NO_LOCUST: Final = (
    "locust is not installed: python -m pip install -c constraints.txt -e '.[dev]', or `make load`, which does it"
)
FAILURES: Final = (AllocatorError, LocustFailed, NeverSettled, OSError, RedisError, ServiceFailed)
"""Told in a line, without a traceback."""


@dataclass
class Outcome:
    """One scenario: every promise, and what was measured."""

    day: Day
    checks: list[Check]
    heard: Heard

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        return all(check.kept for check in self.checks)


def load(
    *,
    seconds: Annotated[int, typer.Option(help="How long each scenario lasts.", min=2, max=86_400)] = 20,
    skus: Annotated[int, typer.Option(help="Skus of the shop.", min=100, max=1_000_000)] = 10_000,
    only: Annotated[list[str] | None, typer.Option(help="Only this scenario; repeatable.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("build/load"),
) -> None:
    """Let locust's users loose on a service of their own, and check every promise afterwards."""
    notes = Console(stderr=True)
    days = _days(only or [])
    if find_spec("locust") is None:
        notes.print(NO_LOCUST, markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2)
    out.mkdir(parents=True, exist_ok=True)
    try:
        with Stop() as stop:
            outcomes = _run(days, seconds, skus, out, notes=notes, stop=stop)
    except FAILURES as error:
        notes.print(f"the load tests failed: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    _tell(outcomes, out)
    raise typer.Exit(0 if all(outcome.kept for outcome in outcomes) else 1)


def _days(names: Sequence[str]) -> list[Day]:
    known = {day.name: day for day in DAYS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise typer.BadParameter(f"no such scenario: {', '.join(unknown)}; there is {', '.join(known)}")
    return [day for day in DAYS if not names or day.name in names]


def _run(days: list[Day], seconds: int, skus: int, out: Path, *, notes: Console, stop: Stop) -> list[Outcome]:
    hot = seconds + START_SECONDS
    with allot(make_seed(hot), stop) as service, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        visit = Visit(service.url, service.key, skus, hot, seconds, out.absolute())
        try:
            outcomes = runner.run(_until_asked(_all(days, service, visit, notes), stop))
        except asyncio.CancelledError:
            stop.leave_if_asked()
            raise
    _write(outcomes, seconds, skus, out)
    return outcomes


async def _until_asked(work: Awaitable[list[Outcome]], stop: Stop) -> list[Outcome]:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    with stop.telling(lambda: loop.call_soon_threadsafe(task.cancel)):
        return await work


async def _all(days: list[Day], service: OwnService, visit: Visit, notes: Console) -> list[Outcome]:
    async with open_store(service.store_url) as store:
        await fill(store.allocator, visit.skus, UNITS, notes)
        await settle(store.client)
        return [await _one(day, visit, store, notes) for day in days]


async def _one(day: Day, visit: Visit, store: Store, notes: Console) -> Outcome:
    skus = [sku_name(number) for number in range(visit.skus)] + [hot_sku(number) for number in range(visit.hot)]
    before = await read_shelves(store.allocator, skus)
    with Progress(f"{day.name}, seconds:", visit.seconds, notes) as progress:
        heard = await send(day, visit, progress)
    after, report = await read_shelves(store.allocator, skus), await read_report(store.client)
    return Outcome(day, judge(heard.book, before, after, report), heard)


# --- the report ------------------------------------------------------------------------------------------------


def _write(outcomes: list[Outcome], seconds: int, skus: int, out: Path) -> None:
    found = machine()
    head = [
        "{cores} cores {processor}, Python {python}".format(**found),
        f"{skus:,} skus, {seconds} s each; locust, the service and Valkey share the cores",
    ]
    (out / "index.html").write_text(page("Allot under load", head, [_section(outcome) for outcome in outcomes]))
    summary = {"machine": found, "seconds": seconds, "skus": skus, "scenarios": [_facts(one) for one in outcomes]}
    (out / "summary.json").write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")


def _section(outcome: Outcome) -> Section:
    day, heard = outcome.day, outcome.heard
    says = f"{day.users} users. {day.says}"
    return Section(day.name, says, f"{day.name}.html", outcome.checks, heard.book.totals, heard.moments, _notes(heard))


def _notes(heard: Heard) -> list[str]:
    book, ms = heard.book, wave_ms(heard.book.waves)
    parts = {"placed": book.placed, "refused": book.refused, "repeated": book.repeated, "holds": book.holds}
    said = [f"{book.orders:,} orders: " + ", ".join(f"{count:,} {word}" for word, count in parts.items() if count)]
    return said + ([f"a whole wave was answered after {ms:g} ms (median)"] if ms else [])


def _facts(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.day.name,
        "kept": outcome.kept,
        "checks": [asdict(check) for check in outcome.checks],
        "wave_ms": wave_ms(outcome.heard.book.waves),
        "book": asdict(outcome.heard.book),
    }


def _tell(outcomes: list[Outcome], out: Path) -> None:
    for outcome in outcomes:
        total = outcome.heard.book.totals[-1]
        print(f"{outcome.day.name}: {total.requests:,} requests, {total.requests_per_second:,.0f}/s", end=", ")
        print(f"p50 {total.p50_ms:g} ms, p99 {total.p99_ms:g} ms; {'; '.join(_notes(outcome.heard))}")
        for check in outcome.checks:
            print(f"  {check.what}: {check.found}{'' if check.kept else '  BROKEN'}")
    print("Every promise was kept." if all(one.kept for one in outcomes) else "A promise was BROKEN.")
    print(f"report: {out / 'index.html'}")


if __name__ == "__main__":
    typer.run(load)
