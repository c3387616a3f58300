"""Judges a world that has come to rest: every promise of the design, from what callers heard and what is left."""

from typing import TYPE_CHECKING

from allocator.check import check
from tests.allocator.town import SELLER
from tests.simulator.loop import drive

from .books import read_left
from .judge_callers import judge_callers
from .judge_model import judge_model
from .judge_sql import judge_sql

if TYPE_CHECKING:
    from .world import World


def judge(world: "World") -> int:
    """Write down all that must not be. Returns how many acknowledged effects went with Valkey's data, as reported."""
    left = read_left(world)
    find = world.chronicle.find
    for violation in drive(check(left.client, SELLER)).violations:
        find(f"the check: {violation}")
    judge_model(left, find)
    judge_sql(left, find)
    return judge_callers(left, find)
