"""The load scenarios as data, and one run of locust with one of them."""

import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from app.replay.progress import Progress
from app.server_process import end_with_parent

from .book import Book, Wave, read_book
from .burst import ORDERS
from .history import Moment, read_history
from .programs import ROOT

STOP_SECONDS: Final = 15
"""How long users may take to hear their last answer."""

START_SECONDS: Final = 30
"""How long locust may take before and after."""


class LocustFailed(Exception):
    """locust ended without a result; the message ends with what it said."""


class Day(NamedTuple):
    """One scenario: its name on the command line, its class of users, how many of them, and what they do."""

    name: str
    users_class: str
    users: int
    says: str


DAYS: Final = (
    Day("burst", "Burst", ORDERS, f"{ORDERS} orders at once for 100 units, again every second with another sku."),
    Day("power-law", "PopularSkus", 50, "Orders of one to three lines, and questions; few skus are wanted by many."),
    Day("mixed-day", "MixedDay", 50, "Availability 100 : holds 3 : orders 1; orders are shipped or cancelled later."),
    Day("retries", "Retries", 50, "Each order is sent one to three times with the same id, in turn or at once."),
)


class Visit(NamedTuple):
    """What locust needs to know of the service and the shop; `out` is the folder of its files."""

    url: str
    key: str
    skus: int
    hot: int
    seconds: int
    out: Path


@dataclass
class Heard:
    """What came of it: the users' book, and what locust measured."""

    book: Book
    moments: list[Moment]


def words(day: Day, visit: Visit) -> list[str]:
    """The command line of locust; the key is not on it, where other users of the machine could read it."""
    files = visit.out / day.name
    return [
        *(sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py"), day.users_class),
        *("--headless", "--host", visit.url, "--users", str(day.users), "--spawn-rate", str(day.users)),
        *("--run-time", f"{visit.seconds}s", "--stop-timeout", str(STOP_SECONDS), "--exit-code-on-error", "0"),
        *("--csv", str(files), "--csv-full-history", "--html", f"{files}.html", "--only-summary"),
    ]


def environment(day: Day, visit: Visit) -> dict[str, str]:
    """What the users are told."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
        "LOAD_KEY": visit.key,
        "LOAD_SKUS": str(visit.skus),
        "LOAD_WAVES": str(visit.hot),
        "LOAD_BOOK": str(visit.out / f"{day.name}.book.json"),
    }


async def send(day: Day, visit: Visit, progress: Progress) -> Heard:
    """Let the users in for some seconds. Raises LocustFailed."""
    log, book = visit.out / f"{day.name}.log", visit.out / f"{day.name}.book.json"
    book.unlink(missing_ok=True)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *words(day, visit),
            stdout=output,
            stderr=output,
            env=environment(day, visit),
            start_new_session=True,
            preexec_fn=end_with_parent(),
        )
        try:
            await _watch(process, visit.seconds, progress)
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
                await process.wait()
    if process.returncode != 0 or not book.exists():
        raise LocustFailed(f"locust ended with code {process.returncode}:\n{log.read_text(errors='replace')[-2_000:]}")
    return Heard(read_book(book), read_history(visit.out / f"{day.name}_stats_history.csv"))


async def _watch(process: asyncio.subprocess.Process, seconds: int, progress: Progress) -> None:
    until, steps = time.monotonic() + seconds + STOP_SECONDS + START_SECONDS, 0
    while process.returncode is None and time.monotonic() < until:
        try:
            await asyncio.wait_for(process.wait(), 1)
        except TimeoutError:
            if steps < seconds:
                steps += 1
                progress.step()


def wave_ms(waves: dict[str, Wave]) -> float | None:
    """How long a whole wave took until its last answer: the median of those that everybody took part in."""
    whole = [wave.ended - wave.began for wave in waves.values() if wave.sent == ORDERS]
    return round(1_000 * median(whole), 1) if whole else None
