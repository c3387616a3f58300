"""What a worker remembers of a connection between steps: it is gone with the line, and found out again then."""

from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from app.events.touched import Known
from channels.engine import Engine

from .steps import Work


@dataclass
class Memory:
    """
    position: as in SQL, None for not read yet. known: fields of the config that were seen. config: the version of the
    config whose listings are known, None for none. page: the next one of the full comparison, None while there is
    none; walk_ms: when that began.
    """

    position: str | None = None
    known: Known = field(default_factory=dict)
    config: int | None = None
    page: str | None = None
    walk_ms: int = 0


_memories: WeakKeyDictionary[Engine, Memory] = WeakKeyDictionary()


def memory_of(work: Work) -> Memory:
    """What is remembered of this connection."""
    return _memories.setdefault(work.line.engine, Memory())


def forget(work: Work) -> None:
    """Begin anew: somebody else may have worked in between."""
    _memories.pop(work.line.engine, None)
