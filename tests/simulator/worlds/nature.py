"""Time and chance of a world: code that asks the process for the time, or for a random number, is told the world's."""

import random
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from random import Random
from unittest.mock import patch

from tests.simulator.loop import VirtualLoop
from tests.simulator.store import NOON_MS


@dataclass
class WallClock:
    """One machine's wall clock; `ahead_ms` of what it should be."""

    ahead_ms: int = 0


WALL_CLOCK: ContextVar[WallClock] = ContextVar("wall_clock")
"""The clock of whoever asks; a process of the world sets its own."""


def wall_ms(loop: VirtualLoop) -> int:
    """Milliseconds since 1970 when nobody's clock is wrong."""
    return NOON_MS + int(loop.time() * 1000)


@contextmanager
def nature(loop: VirtualLoop, seed: int) -> Iterator[None]:
    """Inside, `time`, `random` and `secrets` belong to the world."""
    right, chance = WallClock(), Random(f"secrets {seed}")
    kept = random.getstate()
    random.seed(seed)

    def time_ns() -> int:
        return (wall_ms(loop) + WALL_CLOCK.get(right).ahead_ms) * 1_000_000

    with (
        patch.object(time, "time_ns", time_ns),
        patch.object(time, "time", lambda: time_ns() / 1e9),
        patch.object(time, "monotonic", loop.time),
        patch.object(secrets, "token_hex", lambda size: chance.randbytes(size).hex()),
    ):
        yield
    random.setstate(kept)
