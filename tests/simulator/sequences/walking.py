"""Sequences of verbs: all of them from a state as a tree, each prefix taken once, or some that a seed draws."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import NamedTuple

from .life import STATES, VERBS
from .stage import Mark, Stage

AGAIN = "again"

LENGTH_MAX = 6
"""Verbs of the longest sequence that is drawn."""


class Found(NamedTuple):
    """A sequence after which something was not as it must be, and what."""

    state: str
    verbs: tuple[str, ...]
    says: str


@dataclass
class Tally:
    """
    What sequences came to.

    sequences: taken one by one, prefixes of longer ones too. implied: begin as these do, but for a verb that left all
    as it was. effects: steps that changed anything. verbs: how often each did.
    """

    sequences: int = 0
    implied: int = 0
    steps: int = 0
    effects: int = 0
    verbs: Counter[str] = field(default_factory=Counter)
    found: list[Found] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.sequences += other.sequences
        self.implied += other.implied
        self.steps += other.steps
        self.effects += other.effects
        self.verbs += other.verbs
        self.found += other.found


@cache
def stage() -> Stage:
    """The one of this process."""
    return Stage()


def start(state: str) -> Mark:
    """The moment when an order has come to this state; those of other states are gone then."""
    stage().bring_to(state)
    return stage().mark()


def sequences_up_to(length: int) -> int:
    """How many sequences of one verb to so many a state has."""
    return sum(len(VERBS) ** count for count in range(1, length + 1))


def walk_all(state: str, first: str, length: int) -> Tally:
    """Every sequence of up to `length` verbs from a state that begins with this verb."""
    tree = Tree(state, length)
    tree.branch(start(state), (first,))
    return tree.tally


class Tree:
    """
    All sequences from a state as a tree: what several begin with is taken once.

    After a verb that left everything as it was, byte for byte, but for an answer that is remembered now, nothing can
    happen that does not happen without it; only that very call is sent again.
    """

    def __init__(self, state: str, length: int) -> None:
        self.state, self.length = state, length
        self.tally = Tally()

    def branch(self, before: Mark, taken: tuple[str, ...]) -> None:
        """The last of these verbs, and whatever may follow it."""
        stage().go_back(before)
        self.tally.sequences += 1
        if not _step(self.tally, self.state, taken) or len(taken) == self.length:
            return
        here = stage().mark()
        following = list(VERBS) if stage().differs_from(before) else [AGAIN]
        behind = 1 + sequences_up_to(self.length - len(taken) - 1)
        self.tally.implied += (len(VERBS) - len(following)) * behind
        for verb in following:
            self.branch(here, (*taken, verb))


def _step(tally: Tally, state: str, taken: tuple[str, ...]) -> bool:
    """Take the last of these verbs; False when something was found."""
    tally.steps += 1
    try:
        had_effect = stage().step(taken[-1])
    except Exception as error:  # noqa: BLE001 - whatever a step raises is what was looked for
        tally.found.append(Found(state, taken, repr(error)))
        return False
    tally.effects += had_effect
    tally.verbs[taken[-1]] += had_effect
    return True


def draw(seed: int) -> tuple[str, tuple[str, ...]]:
    """The state and the verbs of this seed's sequence."""
    chance = Random(seed)
    state, length = chance.choice(list(STATES)), chance.randint(1, LENGTH_MAX)
    return state, tuple(chance.choices(list(VERBS), k=length))


def walk_drawn(seeds: range) -> Tally:
    """The sequences of these seeds; after each, every channel may promise what the model says."""
    tally = Tally()
    for seed in seeds:
        tally.add(play(*draw(seed)))
    return tally


def play(state: str, verbs: tuple[str, ...]) -> Tally:
    """One sequence, until it ends or something is found."""
    tally = Tally(sequences=1)
    start(state)
    if all(_step(tally, state, verbs[: count + 1]) for count in range(len(verbs))):
        _promise(tally, state, verbs)
    return tally


def _promise(tally: Tally, state: str, verbs: tuple[str, ...]) -> None:
    try:
        stage().compare_atp()
    except AssertionError as error:
        tally.found.append(Found(state, verbs, repr(error)))
