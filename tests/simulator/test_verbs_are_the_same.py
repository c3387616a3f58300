"""The allocator's verbs answer on the shim as on a real server, byte for byte, and leave the same data."""

from contextlib import suppress
from functools import partial

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from redis.exceptions import ResponseError

from tests.allocator import raw
from tests.allocator.test_model import Shop
from tests.allocator.walk import Walk
from tests.simulator.mirror import MirrorTwins, ShimTwins

STEPS = 400


class MirroredShop(Shop):
    """The state machine of the model over a server and the shim."""

    def __init__(self, url: str) -> None:
        RuleBasedStateMachine.__init__(self)
        self.begin(MirrorTwins(url))

    def teardown(self) -> None:
        try:
            self.twins.compare_data()
        finally:
            super().teardown()


@pytest.fixture
def twins(server_url):
    twins = MirrorTwins(server_url)
    yield twins
    twins.close()


@pytest.mark.parametrize("seed", range(50, 53))
def test_a_long_walk_through_all_verbs_has_the_same_answers_and_leaves_the_same_data(twins, seed):
    walk = Walk(twins, seed)

    for _ in range(STEPS // 20):
        for _ in range(20):
            walk.step()
        twins.compare_data()


def test_nonsense_in_every_argument_of_every_verb_is_answered_the_same(twins):
    for verb in raw.VERBS:
        for _, arguments in raw.wrong_calls(verb):
            with suppress(ResponseError):
                twins.run(twins.send(verb, arguments))

    twins.compare_data()


def test_any_sequence_of_verbs_has_the_same_answers_and_leaves_the_same_data(server_url):
    # Explaining a failure traces every line of every run on older Pythons.
    phases = set(Phase) - {Phase.explain}

    run_state_machine_as_test(partial(MirroredShop, server_url), settings=settings(phases=phases, max_examples=20))


@pytest.mark.parametrize("seed", range(2))
def test_the_allocator_and_its_readers_run_unchanged_on_the_shim_and_agree_with_the_model(seed):
    twins = ShimTwins()
    try:
        Walk(twins, seed).finish(STEPS // 2)
    finally:
        twins.close()
