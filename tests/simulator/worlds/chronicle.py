"""What happened in a world: a line for everything, and what every script was asked and said, in the order of time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from allocator.answers import unpack
from tests.simulator.store import in_bytes

NUMBERED = 3
"""Where a verb's op stands among its arguments."""


class Chronicle:
    """The log of a world; its digest is the same whenever the world is run again."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self.lines: list[tuple[float, str]] = []
        self.found: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append((self._time(), text))

    def find(self, text: str) -> None:
        """Something that must never be."""
        self.note(f"FOUND {text}")
        self.found.append(text)

    def shown(self) -> list[str]:
        return [f"{at:10.4f}  {text}" for at, text in self.lines]

    def digest(self) -> str:
        return blake2b("\n".join(self.shown()).encode(), digest_size=12).hexdigest()


@dataclass(slots=True)
class Execution:
    """
    One run of a script at the server, and what it said.

    entry: the id of the ledger entry it made, or '', and made: what that entry says. units: how much of the journal was
    not on the disk after it. closed: skus that the gate kept from it, None when it was open.
    """

    verb: str
    arguments: list[bytes]
    now_ms: int
    word: str
    packed: bytes
    replayed: bool
    entry: str
    made: bytes
    closed: frozenset[str] | None = None
    units: int = 0

    @property
    def at_ms(self) -> int:
        """When it happened, as the ledger has it."""
        return int(unpack(self.made)[3]) if self.made else self.now_ms

    @property
    def touched(self) -> set[str]:
        """The skus whose versions it raised."""
        return {change[0] for change in unpack(self.made)[9]} if self.made else set()

    @property
    def op(self) -> str:
        return self.arguments[NUMBERED].decode() if len(self.arguments) > NUMBERED else ""


@dataclass(slots=True)
class Copied:
    """A replica has all that happened until now."""

    units: int = 0


@dataclass(slots=True)
class FellBack:
    """The replica took over: what happened since it was copied is not there."""

    units: int = 0


@dataclass(slots=True)
class Emptied:
    """The seller's keys are gone."""

    units: int = 0


@dataclass(slots=True)
class Begun:
    """An epoch began with what SQL had: the entries up to this number."""

    epoch: str
    number: int
    units: int = 0


Happened = Execution | Copied | FellBack | Emptied | Begun


@dataclass
class Asking:
    """One time that a deed was asked for: when (virtual seconds), in which epoch, and every reply that came."""

    sent_s: float
    epoch: str
    replies: list[tuple[str, str, bytes]] = field(default_factory=list)
    heard_s: float | None = None

    @property
    def believed(self) -> tuple[str, str, bytes]:
        """The reply that its caller was told: the last; what came before it was not believed."""
        return self.replies[-1] if self.replies else ("", "nothing", b"")


def said(arguments: list[Any], reply: list[Any]) -> tuple[str, str, bytes]:
    """The op, the word and the packed answer of one reply."""
    op = in_bytes(arguments[NUMBERED]).decode() if len(arguments) > NUMBERED else ""
    return op, reply[0].decode(), reply[1]
