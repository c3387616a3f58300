"""Everything a mutant has to pass, with the lines of Lua that each case reaches: only those are worth trying."""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import zip_longest
from typing import NamedTuple

from tests.mutation.mutants import Mutant
from tests.mutation.recorded import Recording
from tests.mutation.sequences import recordings
from tests.simulator.behaviour import BehaviourTest, behaviour_tests
from tests.simulator.coverage import WatchedStore
from tests.simulator.store import Store


class Case(NamedTuple):
    """
    Something that must go well; `run` raises when it does not.

    `lines` are those of the library's text that it is about, `around` those that what leads up to it reaches.
    """

    name: str
    run: Callable[[Store], None]
    lines: frozenset[int]
    around: frozenset[int]
    seconds: float
    recorded: bool = False


ENOUGH = 12
"""With fewer tests about a line, those are tried as well that only come by it on their way."""


@cache
def _tests() -> list[BehaviourTest]:
    return behaviour_tests()


def battery(processes: int = 1) -> list[Case]:
    """All cases, quick ones first. Raises when the library as it is fails one of them."""
    tests = _tests()
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
        parts = [pool.submit(_watch_tests, number, processes) for number in range(processes)]
        store = WatchedStore()
        cases = [_watched(recording, store) for recording in recordings(store)]
        for part in parts:
            cases += [Case(tests[at].name, tests[at].run, *seen) for at, seen in part.result().items()]
    return sorted(cases, key=lambda case: case.seconds)


def _watched(recording: Recording, store: WatchedStore) -> Case:
    store.take_lines()
    started = time.process_time()
    recording.run(store)
    seconds = time.process_time() - started
    return Case(recording.name, recording.run, store.take_lines(), frozenset(), seconds, recorded=True)


Seen = tuple[frozenset[int], frozenset[int], float]
"""The lines that a test is about, those around it, and its seconds."""


def _watch_tests(first: int, step: int) -> dict[int, Seen]:
    """What each test reaches, by its place in the list; every so many-th of them, in a process of their own."""
    store = WatchedStore()
    return {at: _watched_test(_tests()[at], store) for at in range(first, len(_tests()), step)}


def _watched_test(test: BehaviourTest, store: WatchedStore) -> Seen:
    around: list[frozenset[int]] = []
    store.take_lines()
    started = time.process_time()
    test.run(store, lambda: around.append(store.take_lines()))
    seconds = time.process_time() - started
    return store.take_lines(), around[0], seconds


def worth_trying(cases: list[Case], mutant: Mutant) -> list[Case]:
    """Those that come by where the mutant differs; recordings and tests by turns, of these the most special first."""
    where = range(mutant.first, mutant.last + 1)
    about = [case for case in cases if not case.lines.isdisjoint(where)]
    recorded = [case for case in about if case.recorded]
    tests = [case for case in about if not case.recorded]
    if len(tests) < ENOUGH:
        tests += [case for case in cases if case.lines.isdisjoint(where) and not case.around.isdisjoint(where)]
    tests.sort(key=lambda case: len(case.lines))
    return [case for pair in zip_longest(recorded, tests) for case in pair if case]
