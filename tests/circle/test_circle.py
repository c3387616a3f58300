"""Channels trade with the allocator in virtual time while things go wrong, once a minute at each of them."""

import os
import subprocess
import sys

from app.sync.running import STEPS
from tests.circle.world import Stage
from tests.servers import ROOT

HOURS = float(os.environ.get("ALLOT_CIRCLE_HOURS", "0.5"))
"""Two take a minute: ALLOT_CIRCLE_HOURS=2 make test ARGS="-k circle"."""

SEED = 8


def lived(hours: float, *words: str, hash_seed: str = "random") -> subprocess.CompletedProcess[str]:
    """A world in a process of its own, whose sets have the order of `hash_seed`."""
    told = [sys.executable, "-m", "tests.circle", "--seed", str(SEED), "--hours", str(hours), *words]
    env = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(told, env=env, cwd=ROOT, capture_output=True, text=True, check=False)


def test_in_hours_of_faults_nothing_is_oversold_outside_the_interval():
    world = lived(HOURS)

    assert (world.returncode, world.stderr) == (0, ""), world.stdout


def test_a_seed_is_the_same_world_in_every_process():
    notes = [lived(0.05, "--notes", hash_seed=one).stdout.partition("\nseed")[0] for one in "12"]

    assert notes[0] == notes[1]
    assert len(notes[0].splitlines()) > 10


def test_a_seed_is_the_same_world_again():
    stage = Stage()

    first, second = (stage.run(SEED, seconds=120.0, steps=STEPS) for _ in range(2))

    assert first.notes == second.notes
    assert first.judge.last_id == second.judge.last_id
    assert [vars(one) for one in first.judge.tallies.values()] == [vars(one) for one in second.judge.tallies.values()]
