"""Channels trade with the allocator in virtual time while things go wrong, once a minute at each of them."""

import os
import subprocess
import sys

from app.sync.running import STEPS
from tests.circle.__main__ import HASH_SEED
from tests.circle.world import Stage
from tests.servers import ROOT

HOURS = float(os.environ.get("ALLOT_CIRCLE_HOURS", "0.5"))
"""Two take a minute: ALLOT_CIRCLE_HOURS=2 make test ARGS="-k circle"."""

SEED = 8


def lived(seed: int, hours: float) -> subprocess.CompletedProcess[str]:
    """A world of a process of its own, where it is the same in every run."""
    told = [sys.executable, "-m", "tests.circle", "--seed", str(seed), "--hours", str(hours)]
    env = {**os.environ, "PYTHONHASHSEED": HASH_SEED}
    return subprocess.run(told, env=env, cwd=ROOT, capture_output=True, text=True, check=False)


def test_in_hours_of_faults_nothing_is_oversold_outside_the_interval():
    world = lived(SEED, HOURS)

    assert (world.returncode, world.stderr) == (0, ""), world.stdout


def test_a_seed_is_the_same_world_again():
    stage = Stage()

    first, second = (stage.run(SEED, seconds=120.0, steps=STEPS) for _ in range(2))

    assert first.notes == second.notes
    assert first.judge.last_id == second.judge.last_id
    assert [vars(one) for one in first.judge.tallies.values()] == [vars(one) for one in second.judge.tallies.values()]
