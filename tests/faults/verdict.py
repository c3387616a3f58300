"""What became of a load: counts, and every broken promise in words."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

KINDS: Final = {
    "lost": "acknowledged, and not in the books",
    "doubled": "more than one effect",
    "differing": "answered in two ways",
    "untrue": "an answer that is not what was done",
    "unanswered": "still without an answer at the end",
    "unexpected": "an answer that nobody documented",
    "foreign": "an effect that nobody asked for",
    "units": "units that do not add up",
    "store": "a fault found by allocator.check",
    "stuck": "a call that was refused although it only gives units back",
    "away": "not back in time",
    "undrained": "an effect that is not in SQL",
    "recorded": "SQL has something that the store has not, or has otherwise",
}
"""What a fault can be."""

SHOWN_MAX: Final = 3


@dataclass(frozen=True)
class Fault:
    """One broken promise: `what` is one of KINDS, `of` the op, sku or place it is about."""

    what: str
    of: str
    says: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.of} {self.says}"


@dataclass
class Verdict:
    """
    One scenario's counts.

    unknown: ops whose callers were left without an answer for a while. back_s: the longest wait from the end of a
    breakage to the next accepted op. done: what was done that callers need not notice.
    """

    scenario: str
    rounds: int = 0
    ops: int = 0
    sent: int = 0
    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0
    oversold: int = 0
    back_s: float = 0.0
    seconds: float = 0.0
    faults: list[Fault] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def count(self, what: str) -> int:
        return sum(fault.what == what for fault in self.faults)

    def add(self, other: "Verdict") -> None:
        """Put another run of the same scenario on top."""
        for name in ("rounds", "ops", "sent", "acknowledged", "refused", "unknown", "oversold", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.back_s = max(self.back_s, other.back_s)
        self.faults += other.faults
        self.done += other.done

    @property
    def line(self) -> str:
        """All of it in one line."""
        wrong = [f"{count} {what}" for what in KINDS if (count := self.count(what)) or what in {"lost", "doubled"}]
        rounds = f"{self.rounds} rounds, " if self.rounds > 1 else ""
        done = "".join(f"{count:,} {what}; " for what, count in self.done.items())
        return (
            f"{self.scenario}: {rounds}{self.ops:,} ops, {self.acknowledged:,} acknowledged, {self.refused:,} refused, "
            f"{self.unknown:,} unknown for a while, {', '.join(wrong)}, {self.oversold} units oversold; {done}"
            f"back after {self.back_s:.1f} s; {self.seconds:.1f} s"
        )

    @property
    def examples(self) -> list[str]:
        """A few faults of each kind, for whoever looks for the reason."""
        return [str(fault) for what in KINDS for fault in [f for f in self.faults if f.what == what][:SHOWN_MAX]]


def assert_kept(verdict: Verdict) -> None:
    """Every promise; and something must have been broken, or nothing is proved."""
    assert not verdict.faults, "\n".join(verdict.examples)
    assert verdict.unknown > 0
    assert verdict.acknowledged > 50


def assert_remembered(verdict: Verdict, *what: str) -> None:
    """Every promise, that of SQL too; and these things must have been done, or nothing is proved."""
    assert not verdict.faults, "\n".join(verdict.examples)
    assert verdict.done["entries in SQL"] > verdict.acknowledged > 50
    assert not [each for each in what if not verdict.done[each]]
