"""
Every sequence of up to three verbs in the life of an order and its shelves, and longer ones drawn by a seed.

`make sequences`; with 1 it ends when a sequence left what must not be. Each is told in words that --play repeats.
"""

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import Future, as_completed

from rich.console import Console

from app.replay.progress import Progress
from tests.simulator.worlds.many import pool, processes

from .life import STATES, VERBS
from .walking import LENGTH_MAX, Found, Tally, play, sequences_up_to, walk_all, walk_drawn

CHUNK = 250
"""Drawn sequences that are handed out together."""

FOUND_MAX = 10
"""Most finds that are told."""


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator.sequences", description=__doc__)
    parser.add_argument("--length", type=int, default=3, help="every sequence of up to so many verbs, from every state")
    parser.add_argument("--drawn", type=int, default=50_000, help=f"so many more, of up to {LENGTH_MAX} verbs")
    parser.add_argument("--seed", type=int, default=0, help="of the first that is drawn; the next ones have the next")
    parser.add_argument("--processes", type=int, default=processes())
    parser.add_argument("--play", default="", help="only this one: 'conflict: move, ship'")
    return parser.parse_args()


def main() -> int:
    options = asked()
    began = time.monotonic()
    tally = _one(options.play) if options.play else _all(options)
    for line in _says(tally, time.monotonic() - began):
        print(line)
    return 1 if tally.found else 0


def _one(words: str) -> Tally:
    state, _, verbs = words.partition(":")
    return play(state.strip(), tuple(verb.strip() for verb in verbs.split(",") if verb.strip()))


def _all(options: argparse.Namespace) -> Tally:
    tally = Tally()
    with pool(options.processes) as people:
        parts: list[Future[Tally]] = [
            people.submit(walk_all, state, verb, options.length) for state in STATES for verb in VERBS if options.length
        ]
        seeds = range(options.seed, options.seed + options.drawn)
        parts += [people.submit(walk_drawn, seeds[start : start + CHUNK]) for start in range(0, len(seeds), CHUNK)]
        with Progress("parts", len(parts), Console(stderr=True)) as progress:
            for part in as_completed(parts):
                tally.add(part.result())
                progress.step()
    assert (
        tally.sequences + tally.implied == len(STATES) * sequences_up_to(options.length) + options.drawn or tally.found
    )
    return tally


def _says(tally: Tally, seconds: float) -> Iterator[str]:
    every = tally.sequences + tally.implied
    every = tally.sequences + tally.implied
    yield f"{every:,} sequences from {len(STATES)} states with {len(VERBS)} verbs in {seconds:,.0f} s"
    yield f"{tally.steps:,} steps were judged, {tally.effects:,} of them had an effect"
    yield f"{tally.implied:,} sequences differ from one of these by a verb that left everything as it was"
    yield "effects: " + ", ".join(f"{verb} {tally.verbs[verb]:,}" for verb in VERBS)
    for found in tally.found[:FOUND_MAX]:
        yield _retold(found)
    yield f"{len(tally.found):,} found what must not be" if tally.found else "nothing was found"


def _retold(found: Found) -> str:
    words = f"{found.state}: {', '.join(found.verbs)}"
    return f"after {words}\n  {found.says}\n  again: python -m tests.simulator.sequences --play '{words}'"


if __name__ == "__main__":
    raise SystemExit(main())
