"""What becomes of a mutant: it is killed by the first case that goes wrong with it, or it survives them all."""

import time
from math import inf
from typing import NamedTuple

from allocator.scripts import scripts
from tests.allocator.test_headers import test_the_keys_used_are_the_keys_declared
from tests.mutation.battery import Case, worth_trying
from tests.mutation.mutants import Mutant
from tests.mutation.servers import BrokenLibrary, MutantStore, no_longer_than

DOES_NOT_COMPILE = "Error compiling"
REMEMBERED_MAX = 8


class Verdict(NamedTuple):
    """`by` is the case that killed it, and `why` what went wrong; both empty for a survivor."""

    mutant: int
    by: str
    why: str
    seconds: float
    compiles: bool = True

    @property
    def killed(self) -> bool:
        return bool(self.by)


class Judge:
    """Tries mutants one by one, each for `patience` seconds at most; what killed a neighbour is tried first."""

    def __init__(self, cases: list[Case], patience: float = inf) -> None:
        self.cases = cases
        self.patience = patience
        self.recent: dict[tuple[str, str], list[Case]] = {}

    def judge(self, mutant: Mutant) -> Verdict:
        started = time.perf_counter()
        try:
            store = MutantStore(mutant.source())
        except BrokenLibrary as error:
            seconds = time.perf_counter() - started
            return Verdict(mutant.number, "loading", str(error), seconds, DOES_NOT_COMPILE not in str(error))
        why = breaks_its_head(mutant)
        by, why = ("head", why) if why else self._try(mutant, store)
        return Verdict(mutant.number, by, why, time.perf_counter() - started)

    def _try(self, mutant: Mutant, store: MutantStore) -> tuple[str, str]:
        recent = self.recent.setdefault((mutant.file, mutant.function), [])
        started = time.process_time()
        for case in [*recent, *worth_trying(self.cases, mutant)]:
            if time.process_time() - started > self.patience:
                break
            why = goes_wrong(case, store)
            if why:
                self.recent[mutant.file, mutant.function] = [case, *(known for known in recent if known is not case)][
                    :REMEMBERED_MAX
                ]
                return case.name, why
        return "", ""


def breaks_its_head(mutant: Mutant) -> str:
    """What of the head of a verb is not so any more, as tests/allocator/test_headers.py looks at it, or nothing."""
    verb = scripts().get(mutant.file.removesuffix(".lua"))
    if verb is None:
        return ""
    first = verb.text.split("\n", 1)[0]
    try:
        test_the_keys_used_are_the_keys_declared(verb._replace(text=f"{first}\n{mutant.text()}"))
    except AssertionError as error:
        return f"its keys are not those declared: {error}"
    return ""


def goes_wrong(case: Case, store: MutantStore) -> str:
    """What went wrong, or nothing."""
    try:
        with no_longer_than(2 + 20 * case.seconds):
            case.run(store)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, the mutant did it; pytest's own are no Exceptions
        return f"{type(error).__name__}: {error}"[:300]
    return ""
