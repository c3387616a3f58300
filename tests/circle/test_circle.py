"""Channels trade with the allocator in virtual time while things go wrong, once a minute at each of them."""

import pytest

from app.sync.running import STEPS
from tests.circle.report import report
from tests.circle.world import Stage

HOURS_2 = 7_200.0
MINUTES_15 = 900.0
SEED = 8
SHORT_SEEDS = (101, 102)

SEPARATE_KINDS = 15
"""So many kinds of what goes wrong there must have been in two hours."""


@pytest.fixture(scope="module")
def stage():
    return Stage()


def test_in_two_hours_of_faults_nothing_is_oversold_outside_the_interval(stage):
    world = stage.run(SEED, seconds=HOURS_2, steps=STEPS)

    assert world.judge.found == [], report(world)
    assert min(tally.orders for tally in world.judge.tallies.values()) >= 20
    assert all(tally.faults.total() >= 90 for tally in world.judge.tallies.values())
    assert len({kind for tally in world.judge.tallies.values() for kind in tally.faults}) >= SEPARATE_KINDS


@pytest.mark.parametrize("seed", SHORT_SEEDS)
def test_a_quarter_of_an_hour_of_other_faults_ends_well_too(stage, seed):
    world = stage.run(seed, seconds=MINUTES_15, steps=STEPS)

    assert world.judge.found == [], report(world)


def test_a_seed_is_the_same_world_again(stage):
    first, second = (stage.run(SEED, seconds=120.0, steps=STEPS) for _ in range(2))

    assert first.notes == second.notes
    assert first.judge.last_id == second.judge.last_id
    assert [vars(one) for one in first.judge.tallies.values()] == [vars(one) for one in second.judge.tallies.values()]
