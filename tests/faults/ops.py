"""What was sent and what was heard: the calls of a load, and the diary of their answers."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, NamedTuple

from app.times import now_ms

Outcome = Literal["accepted", "refused", "unknown", "unexpected"]

PUT_OFF: Final = "not_applied"
"""The service did not answer the question, and says for certain that nothing happened."""


class Want(NamedTuple):
    """Units of one sku; `location` where units arrive."""

    sku: str
    units: int
    location: str = ""


@dataclass(frozen=True)
class Op:
    """
    One call that changes something, with a name of its own.

    subject: the order's external id or the hold's id. name: the idempotency key of calls that have no id of their own.
    hold: the hold an order takes over.
    """

    verb: str
    subject: str = ""
    channel: str = "shop"
    name: str = ""
    lines: tuple[Want, ...] = ()
    hold: str = ""

    @property
    def id(self) -> str:
        """Its op in the ledger."""
        return {
            "order": f"order:{self.channel}:{self.subject}:1",
            "hold": f"hold:{self.subject}",
            "release": f"release:{self.subject}",
            "ship": f"ship:{self.channel}:{self.subject}:{self.name}",
            "cancel": f"cancel:{self.channel}:{self.subject}:{self.name}",
            "receive": f"receive:{self.name}",
        }[self.verb]


EARLY: Final = frozenset({("release", "unknown-hold")})
"""Refusals that allocator/lua does not remember: a release that came too early keeps nobody from releasing later."""


@dataclass(frozen=True)
class Said:
    """
    One answer: what it decided, its content without what may differ in a repetition, and whether it was done just now.

    detail: the slug of a refusal; of an answer that decides nothing, why, and PUT_OFF when it promises that nothing
    happened. sent_ms, heard_ms: when it was asked and answered, by the clock of this machine.
    """

    outcome: Outcome
    content: Any = None
    fresh: bool = False
    detail: str = ""
    sent_ms: int = 0
    heard_ms: int = 0

    @property
    def decides(self) -> bool:
        return self.outcome in {"accepted", "refused"}


@dataclass
class Heard:
    """An op with every answer it got, in the order they came."""

    op: Op
    said: list[Said] = field(default_factory=list)

    @property
    def decided(self) -> list[Said]:
        """The answers that must all be the same; early ones only while there are no others."""
        decided = [said for said in self.said if said.decides]
        return [said for said in decided if (self.op.verb, said.detail) not in EARLY] or decided

    @property
    def outcome(self) -> Outcome:
        """What the caller knows."""
        return self.decided[-1].outcome if self.decided else "unknown"

    @property
    def was_unknown(self) -> bool:
        """Whether its caller was left without an answer for a while."""
        return any(not said.decides for said in self.said)


class Diary:
    """Every op of a load by its id."""

    def __init__(self) -> None:
        self.ops: dict[str, Heard] = {}
        self.sent = 0

    def note(self, op: Op, said: Said, sent_ms: int = 0) -> Said:
        """Write an answer down that has just been heard; `op` is known from its first answer on."""
        self.sent += 1
        self.ops.setdefault(op.id, Heard(op)).said.append(replace(said, sent_ms=sent_ms, heard_ms=now_ms()))
        return said

    def of(self, outcome: Outcome) -> Iterator[Heard]:
        """The ops whose callers know this now."""
        return (heard for heard in self.ops.values() if heard.outcome == outcome)
