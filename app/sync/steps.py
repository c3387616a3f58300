"""What a worker does for one connection, again and again: the form of it; what there is to do is elsewhere."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from allocator import Allocator
from app.deps import State
from app.store.connections import ConnectionFacts

from .lines import Line


@dataclass(frozen=True)
class Work:
    """For whom and with what. still_ours: whether no other worker has taken this connection over meanwhile."""

    state: State
    facts: ConnectionFacts
    line: Line
    allocator: Allocator
    still_ours: Callable[[], bool]


class Step(NamedTuple):
    """One thing a worker does for a connection, again and again. run: returns whether there is more to do at once."""

    name: str
    every_s: float
    run: Callable[[Work], Awaitable[bool]]
