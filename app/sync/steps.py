"""What a worker does for a connection, again and again, and what it works with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from allocator import Allocator
from app.deps import State
from app.lines.lines import Line
from app.store.connections import ConnectionFacts


class Tenure(NamedTuple):
    """Whose turn it is: the name of a lease, who has it, and which term of it this is."""

    lease: str
    owner: str
    term: int


@dataclass(frozen=True)
class Work:
    """
    What a step works with. still_ours: whether nobody else can work for this connection now.

    tenure: what transactions that write down results check; None where only one ever works.
    """

    state: State
    facts: ConnectionFacts
    line: Line
    allocator: Allocator
    still_ours: Callable[[], bool]
    tenure: Tenure | None = None


class Step(NamedTuple):
    """One thing a worker does for a connection, again and again. run: returns whether there is more to do at once."""

    name: str
    every_s: float
    run: Callable[[Work], Awaitable[bool]]
