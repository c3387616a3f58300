"""
How many wrong versions of the Lua the tests notice: `make mutate`.

Ends with 1 when fewer than 95 % are killed, when one lives that survivors.toml does not list, or when that list names
one that is killed or not there. A long run can be made in parts: `--write FILE` keeps the verdicts, and `--again FILE`
passes over what it has killed.
"""

import argparse
import os
import sys
from math import inf
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from allocator.scripts import library
from tests.mutation.judge import Verdict
from tests.mutation.mutants import Mutant, mutants
from tests.mutation.run import RATE_MIN, Outcome, choose, verdicts
from tests.mutation.survivors import Name, as_toml, listed

console = Console(soft_wrap=True)

TOLD_EVERY = 250
"""Where there is no terminal to show a bar, a line for so many mutants."""


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("files", nargs="*", help="only these, as shared/stock.lua; all when none is named")
    parser.add_argument("--sample", type=int, default=0, help="so many of them, drawn at random")
    parser.add_argument("--seed", default=library().name, help="for the sample; the library's own name unless given")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--patience", type=float, default=inf, help="most seconds for each, who may live for want of time"
    )
    parser.add_argument("--again", type=Path, help="only those that lived, or were not tried, in this file")
    parser.add_argument("--write", type=Path, help="add all verdicts to this file, a line of JSON for each")
    return parser.parse_args()


def main() -> int:
    options = asked()
    known = listed()
    # Those that are known to live take longest; a sample leaves them to a run over all.
    without = known.keys() if options.sample else _killed(options.again)
    chosen = choose(options.files, options.sample, options.seed, without=without)
    found = _try(chosen, options)
    every = mutants()
    outcome = Outcome([(every[verdict.mutant], verdict) for verdict in found], known)
    _report(outcome)
    return 0 if outcome.good else 1


def _try(chosen: list[Mutant], options: argparse.Namespace) -> list[Verdict]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("preparing the cases", total=len(chosen))
        found: list[Verdict] = []

        def prepared(cases: int) -> None:
            console.print(f"{len(chosen)} mutants, {cases} cases, {options.processes} processes")

        for verdict in verdicts(chosen, options.processes, options.patience, prepared=prepared):
            found.append(verdict)
            said = f"{sum(not one.killed for one in found)} alive"
            progress.update(task, completed=len(found), description=said)
            if not console.is_terminal and len(found) % TOLD_EVERY == 0:
                console.print(f"{len(found)} of {len(chosen)} tried, {said}")
            if options.write:
                _keep(options.write, verdict)
    return sorted(found)


def _keep(file: Path, verdict: Verdict) -> None:
    row = {"mutant": mutants()[verdict.mutant].name, "by": verdict.by, "why": verdict.why, "seconds": verdict.seconds}
    with file.open("ab") as lines:
        lines.write(msgspec.json.encode(row) + b"\n")


def _killed(file: Path | None) -> set[Name]:
    """The names of those that were killed, in a file that `--write` made."""
    rows = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()] if file else []
    return {tuple(row["mutant"]) for row in rows if row["by"]}


def _report(outcome: Outcome) -> None:
    table = Table("file", "mutants", "killed", "alive", "rate")
    for file, (tried, killed) in sorted(outcome.by_file().items()):
        table.add_row(file, str(tried), str(killed), str(tried - killed), f"{killed / tried:.1%}")
    console.print(table)
    for title, entries in (
        ("Alive and not in survivors.toml", as_toml(outcome.unlisted)),
        ("In survivors.toml and killed", "\n".join(f"{m.name} by {v.by}" for m, v in outcome.killed_though_listed)),
        ("In survivors.toml and not there", "\n".join(map(str, outcome.outdated))),
    ):
        if entries:
            console.print(f"\n{title}:\n\n{entries}", markup=False, highlight=False)
    killed = sum(verdict.killed for _, verdict in outcome.judged)
    console.print(
        f"{killed} of {len(outcome.judged)} mutants killed ({outcome.rate:.2%}, at least {RATE_MIN:.0%}), "
        f"{len(outcome.judged) - killed} alive; {len(outcome.tried) - len(outcome.judged)} were no Lua"
    )


if __name__ == "__main__":
    sys.exit(main())
