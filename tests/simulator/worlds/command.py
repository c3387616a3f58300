"""What `allot simulate` does: lives through worlds on all processors and says what they found."""

import json
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rich.console import Console

from app.replay.progress import Progress

from .many import processes, run_many
from .world import Stage, Verdict

FOR_EVER_S = 10 * 365 * 86_400.0

FAILED_MAX = 20
"""Most failing worlds that are told in full."""


class Options(NamedTuple):
    """How many worlds, from which seed, for how long at most, and how it is told."""

    worlds: int
    seed: int
    seconds: float | None
    json: bool
    verbose: bool


@dataclass
class Tally:
    """What the worlds came to."""

    seed: int
    size: int
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    worlds: int = 0
    deeds: int = 0
    scripts: int = 0
    entries: int = 0
    lost: int = 0
    failed: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        self.worlds += 1
        self.deeds += verdict.deeds
        self.scripts += verdict.scripts
        self.entries += verdict.entries
        self.lost += verdict.lost
        self.seconds = time.monotonic() - self.began
        if verdict.found:
            self.failed.append(verdict)

    def facts(self) -> dict[str, Any]:
        """All of it, for machines."""
        names = ("seed", "worlds", "seconds", "deeds", "scripts", "entries", "lost")
        failed = [{"seed": one.seed, "found": one.found} for one in self.failed]
        facts = {name: getattr(self, name) for name in names}
        return {**facts, "processes": self.size, "failed": failed}

    def says(self) -> list[str]:
        """All of it, for people."""
        rate = self.worlds / max(1e-9, self.seconds)
        return [
            (
                f"{self.worlds:,} worlds from seed {self.seed} in {self.seconds:,.0f} s: "
                f"{rate:,.1f}/s in {self.size} processes"
            ),
            (
                f"{self.deeds:,} deeds, {self.scripts:,} scripts, {self.entries:,} ledger entries; "
                f"{self.lost:,} acknowledged effects went with a lost Valkey or with a primary whose replica was behind"
            ),
            *(line for verdict in self.failed[:FAILED_MAX] for line in _says(verdict)),
            f"{len(self.failed):,} worlds found what must not be" if self.failed else "nothing was found",
        ]


def _says(verdict: Verdict) -> list[str]:
    found = [f"  {line}" for line in verdict.found[:5]]
    again = f"allot simulate --seed {verdict.seed} --worlds 1 --verbose"
    return [f"seed {verdict.seed} found what must not be; again: {again}", *found]


def simulate(options: Options) -> int:
    """Live through them and tell; the exit code: 1 when something was found."""
    tally = _one(options) if options.verbose and options.worlds == 1 else _many(options)
    if options.json:
        print(json.dumps(tally.facts(), indent=2))
    else:
        for line in tally.says():
            print(line)
    return 1 if tally.failed else 0


def _many(options: Options) -> Tally:
    tally = Tally(options.seed, min(processes(), options.worlds))
    end_s = options.seconds or FOR_EVER_S
    with Progress("worlds", options.worlds, Console(stderr=True)) as progress:
        for verdict in run_many(options.seed, options.worlds, seconds=end_s, size=tally.size):
            tally.add(verdict)
            progress.step()
    return tally


def _one(options: Options) -> Tally:
    """One world in this process, with its log."""
    tally = Tally(options.seed, 1)
    verdict = Stage().run(options.seed)
    tally.add(verdict)
    for line in verdict.lines:
        print(line)
    print(f"digest {verdict.digest}")
    return tally
