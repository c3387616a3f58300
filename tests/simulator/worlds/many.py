"""Worlds on all processors: each process has a stage of its own and lives through seeds as they are handed out."""

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from .patches import applied
from .planted import BUGS, Bug
from .world import Stage, Verdict

CHUNK = 5
"""Worlds that are handed out together."""

HUNT_MAX = 1_000
"""In so many worlds every planted bug must be found."""

FOUND_LAST = Path(__file__).with_name("found_last.json")


class Found(NamedTuple):
    """A planted bug, how many worlds it took to find it, and what gave it away; '' when nothing did."""

    bug: str
    worlds: int
    seed: int
    says: str


@cache
def _stage() -> Stage:
    return Stage()


def live(first: int, count: int) -> list[Verdict]:
    """The worlds of these seeds, without their logs."""
    return [_stage().run(seed)._replace(lines=[]) for seed in range(first, first + count)]


def hunt(bug: Bug, most: int) -> Found:
    """Live through worlds that have this bug until one finds it; the one that found it last comes first."""
    last = _found_last().get(bug.name, 0)
    with applied(bug.patch):
        for number in (last, *range(most)):
            verdict = _stage().run(number)
            if verdict.found:
                return Found(bug.name, number + 1, verdict.seed, verdict.found[0])
    return Found(bug.name, most, most - 1, "")


def hunt_all() -> list[Found]:
    """Hunt every planted bug, on all processors."""
    with pool(processes()) as people:
        hunts = [people.submit(hunt, bug, HUNT_MAX) for bug in BUGS]
        return [one.result() for one in hunts]


def _found_last() -> dict[str, int]:
    """
    The world that found each bug when `python -m tests.simulator.worlds` wrote `found_last.json`.

    A change that draws lots in another order makes other worlds of the same seeds; then it is written anew.
    """
    return json.loads(FOUND_LAST.read_text())


def processes() -> int:
    """As many as there are processors for us."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pool(size: int) -> ProcessPoolExecutor:
    """Processes that leave Ctrl-C to us."""
    ignore = (signal.SIGINT, signal.SIG_IGN)
    return ProcessPoolExecutor(size, get_context("spawn"), initializer=signal.signal, initargs=ignore)


def run_many(first: int, worlds: int, *, seconds: float, size: int) -> Iterator[Verdict]:
    """Verdicts as they come, until so many worlds were lived or so many seconds are over."""
    end, next_seed = time.monotonic() + seconds, first
    with pool(size) as people:
        under_way: set[Future[list[Verdict]]] = set()
        try:
            while True:
                while len(under_way) < 2 * size and next_seed < first + worlds and time.monotonic() < end:
                    count = min(CHUNK, first + worlds - next_seed)
                    under_way.add(people.submit(live, next_seed, count))
                    next_seed += count
                if not under_way:
                    return
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    yield from future.result()
        finally:
            people.shutdown(cancel_futures=True)
