"""The circle is worth something if it finds mistakes: every planted one, in few worlds."""

import pytest

from app.sync.running import STEPS
from tests.circle.planted import MISTAKES, WORLDS_MAX, made
from tests.circle.world import Stage

SECONDS = 300.0


@pytest.fixture(scope="module")
def stage():
    return Stage()


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_found(stage, mistake):
    found: list[str] = []
    with made(mistake):
        for seed in range(mistake.first, mistake.first + WORLDS_MAX):
            found = stage.run(seed, seconds=SECONDS, steps=STEPS, is_hunt=True).judge.found
            if found:
                break

    assert found


@pytest.mark.parametrize("seed", sorted({mistake.first for mistake in MISTAKES}))
def test_without_a_mistake_nothing_is_found_in_the_same_world(stage, seed):
    assert stage.run(seed, seconds=SECONDS, steps=STEPS, is_hunt=True).judge.found == []


def test_there_are_mistakes_of_many_kinds():
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES) >= 6
    assert len({mistake.patch.file for mistake in MISTAKES}) >= 6
