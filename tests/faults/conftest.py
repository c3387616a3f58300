"""Plays scenarios: once and shortly, or as many rounds as ALLOT_TORTURE says."""

import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from .report import LINE, SEED
from .scenario import Scenario, play
from .verdict import Verdict

Play = Callable[..., Awaitable[Verdict]]


@pytest.fixture
def short_home() -> Iterator[Path]:
    """An empty folder whose path is short: sockets need that."""
    with tempfile.TemporaryDirectory(prefix="allot-") as home:
        yield Path(home)


@pytest.fixture
def torture(request: pytest.FixtureRequest) -> Play:
    """Plays a kind of scenario to the end; its counts go into the report. The seed is ALLOT_TORTURE_SEED or random."""
    rounds = int(os.environ.get("ALLOT_TORTURE", "0"))
    seed = int(os.environ.get("ALLOT_TORTURE_SEED", "0")) or Random().randrange(1, 2**32)

    async def run(kind: type[Scenario]) -> Verdict:
        chance, left, total = Random(seed), max(1, rounds), Verdict(kind.name)
        while left > 0:
            part = min(left, kind.rounds_max)
            # Sockets need a short path, and the files of many rounds must not pile up.
            with tempfile.TemporaryDirectory(prefix="allot-") as home:
                scenario = kind(Path(home), Random(chance.random()), is_long=rounds > 0)
                total.add(await play(scenario, part))
            left -= part
        request.node.user_properties += [(LINE, total.line), (SEED, seed)]
        return total

    return run
