"""Sequences of verbs in the life of an order: each leaves what the model says; the whole is `make sequences`."""

import os
from random import Random

import pytest

from tests.simulator.sequences.life import STATES, VERBS
from tests.simulator.sequences.walking import Tally, draw, play, sequences_up_to, stage, start, walk_all, walk_drawn
from tests.simulator.worlds.patches import Patch, applied

SEED = int(os.environ.get("ALLOT_SEQUENCES_SEED", "0"))
TREES, DRAWN = 3, 300
"""The share of the whole that every run of the tests has."""

LATER = [
    ("backordered", "receive", "serve"),
    ("committed", "count", "rescue"),
    ("committed", "hold", "expire"),
    ("conflict", "receive", "move what waits"),
    ("picking", "cancel", "put away"),
]
"""Verbs that nothing is there for at first."""


EXCEPTIONS = {"in transit": "committed", "held together": "backordered", "announced": "shipped"}
"""States of the shelves and of returns: what the order's own state is there."""


def test_every_state_is_the_one_it_is_called_by():
    reached = {}
    for name in STATES:
        start(name)
        order = stage().order
        reached[name] = order.state.replace("_", " ") if order else "pending"

    assert reached == {name: name for name in STATES} | EXCEPTIONS


def test_every_verb_once_from_every_state_leaves_what_the_model_says():
    tally = Tally()

    for state in STATES:
        for verb in VERBS:
            tally.add(walk_all(state, verb, 1))
    for state, *verbs in LATER:
        tally.add(play(state, tuple(verbs)))

    assert tally.found == []
    assert tally.sequences == len(STATES) * len(VERBS) + len(LATER)
    # Nothing is proved about a verb that is always refused; nothing has an effect twice.
    assert [verb for verb in VERBS if not tally.verbs[verb]] == ["again"]


def test_some_trees_of_three_verbs_leave_what_the_model_says():
    chance, tally = Random(SEED), Tally()

    for _ in range(TREES):
        tally.add(walk_all(chance.choice(list(STATES)), chance.choice(list(VERBS)), 3))

    assert tally.found == []
    assert tally.sequences + tally.implied == TREES * (1 + sequences_up_to(2))


def test_sequences_of_up_to_six_verbs_leave_what_the_model_says():
    tally = walk_drawn(range(SEED, SEED + DRAWN))

    assert tally.found == []
    assert tally.sequences == DRAWN


@pytest.mark.parametrize(
    ("state", "verbs", "patch"),
    [
        (
            "picking",
            ("cancel", "put away"),
            Patch(
                "allocator/lua/shared/cancelling.lua",
                "      stock.move(state, take.location, 'unavailable', picking * given, cancelling.PUT_AWAY)\n",
                "",
            ),
        ),
        (
            "committed",
            ("receive", "again"),
            Patch(
                "allocator/lua/shared/gate.lua",
                "  if not before then\n    return nil",
                "  if true then\n    return nil",
            ),
        ),
    ],
    ids=["no tote", "no replay"],
)
def test_a_fault_in_the_lua_is_found(state, verbs, patch):
    stage.cache_clear()
    try:
        with applied(patch):
            faulty = play(state, verbs)
    finally:
        stage.cache_clear()
    right = play(state, verbs)

    assert [one.state for one in faulty.found] == [state]
    assert right.found == []


def test_a_seed_draws_the_same_sequence_again():
    assert [draw(seed) for seed in range(20)] == [draw(seed) for seed in range(20)]
    assert len({draw(seed) for seed in range(20)}) > 15
