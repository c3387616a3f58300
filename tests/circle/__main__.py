"""Lives through worlds of the circle and prints their reports: `python -m tests.circle --hours 2 --seed 7`."""

import argparse
import sys

from app.sync.running import STEPS

from .report import report
from .world import Stage


def main(arguments: list[str]) -> int:
    """The exit status: 1 when something was found."""
    parser = argparse.ArgumentParser(prog="tests.circle", description="Channels trade in virtual time under faults.")
    parser.add_argument("--hours", type=float, default=2.0, help="hours of trade, in virtual time")
    parser.add_argument("--seed", type=int, default=1, help="the first world's seed")
    parser.add_argument("--worlds", type=int, default=1, help="how many worlds, one seed after the other")
    parser.add_argument("--notes", action="store_true", help="print what went on as well")
    given = parser.parse_args(arguments)
    stage, found = Stage(), 0
    for seed in range(given.seed, given.seed + given.worlds):
        world = stage.run(seed, seconds=given.hours * 3_600, steps=STEPS)
        found += len(world.judge.found)
        print("\n".join(world.notes) if given.notes else "", report(world), sep="\n", flush=True)
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
