"""Tries many mutants on all processors, and says what became of them."""

import multiprocessing
import random
import warnings
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import NamedTuple

import stamina

from tests.mutation.battery import battery
from tests.mutation.judge import Judge, Verdict
from tests.mutation.mutants import Mutant, mutants
from tests.mutation.survivors import Name, outdated

RATE_MIN = 0.95
CHUNK = 16
"""Mutants that one process is given at once: neighbours, which the same case often kills."""

_judge: Judge


def _try_all(some: Sequence[int]) -> list[Verdict]:
    every = mutants()
    with warnings.catch_warnings():
        # Coroutines that a mutant left behind.
        warnings.simplefilter("ignore")
        return [_judge.judge(every[number]) for number in some]


def verdicts(
    chosen: Sequence[Mutant], processes: int, patience: float, *, prepared: Callable[[int], None]
) -> Iterator[Verdict]:
    """
    What becomes of each, tried for `patience` seconds at most; `prepared` hears how many cases there are.

    Raises when the library as it is fails one of them.
    """
    # Otherwise each retry of a mutant that does not answer is a line on the terminal.
    stamina.instrumentation.set_on_retry_hooks([])
    global _judge  # noqa: PLW0603 - forked processes inherit the cases, which cannot travel
    _judge = Judge(battery(processes), patience)
    prepared(len(_judge.cases))
    chunks = [[mutant.number for mutant in chosen[at : at + CHUNK]] for at in range(0, len(chosen), CHUNK)]
    with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
        for done in as_completed([pool.submit(_try_all, chunk) for chunk in chunks]):
            yield from done.result()


def choose(files: Sequence[str], sample: int, seed: str, without: Container[Name]) -> list[Mutant]:
    """The mutants of these files, or of all, without those named; at most so many of them, drawn with this seed."""
    every = [mutant for mutant in mutants() if not files or mutant.file in files]
    every = [mutant for mutant in every if mutant.name not in without]
    if not sample or sample >= len(every):
        return every
    return sorted(random.Random(seed).sample(every, sample), key=lambda mutant: mutant.number)


class Outcome(NamedTuple):
    """All verdicts, measured by the list of mutants that may live."""

    tried: list[tuple[Mutant, Verdict]]
    known: dict[Name, str]

    @property
    def judged(self) -> list[tuple[Mutant, Verdict]]:
        """Those that are Lua at all."""
        return [(mutant, verdict) for mutant, verdict in self.tried if verdict.compiles]

    @property
    def unlisted(self) -> list[Mutant]:
        """Survivors without a reason."""
        return [mutant for mutant, verdict in self.judged if not verdict.killed and mutant.name not in self.known]

    @property
    def killed_though_listed(self) -> list[tuple[Mutant, Verdict]]:
        return [(mutant, verdict) for mutant, verdict in self.judged if verdict.killed and mutant.name in self.known]

    @property
    def outdated(self) -> list[Name]:
        """Entries of the list that name nothing."""
        return outdated(self.known, mutants())

    @property
    def rate(self) -> float:
        """Killed of all that are Lua."""
        return sum(verdict.killed for _, verdict in self.judged) / max(1, len(self.judged))

    @property
    def whole(self) -> bool:
        """Whether all mutants were tried; of a few of them the rate says little."""
        return len(self.tried) >= len(mutants())

    @property
    def good(self) -> bool:
        enough = self.rate >= RATE_MIN or not self.whole
        return enough and not (self.unlisted or self.killed_though_listed or self.outdated)

    def by_file(self) -> dict[str, tuple[int, int]]:
        """Mutants and killed mutants of each file."""
        found: dict[str, tuple[int, int]] = {}
        for mutant, verdict in self.judged:
            tried, killed = found.get(mutant.file, (0, 0))
            found[mutant.file] = tried + 1, killed + verdict.killed
        return found
