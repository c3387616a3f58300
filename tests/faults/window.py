"""
What a loss of the store may take, and what it may not.

A rebuild says until when it is complete. Whatever was accepted until then must be there; what was accepted later may be
gone, and a refusal, which has no effect, is forgotten with the store. Callers send such ops again, to be decided anew.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from .ops import Diary, Heard, Said
from .verdict import Fault

GONE = Said("unknown", detail="lost with the store")


@dataclass
class Window:
    """`gone`: accepted ops that are lost and were said to be. `faults`: those that were not."""

    gone: int
    faults: list[Fault]


def forget(diary: Diary, kept: Collection[str], complete_until_ms: int) -> Window:
    """Take the lost answers out of the diary; `kept` are the ops that SQL knows."""
    lost = [heard for heard in diary.ops.values() if heard.op.id not in kept]
    faults = list(_beyond(lost, complete_until_ms))
    gone = sum(heard.outcome == "accepted" for heard in lost)
    for heard in lost:
        heard.said[:] = [GONE]
    return Window(gone, faults)


def _beyond(lost: list[Heard], complete_until_ms: int) -> Iterator[Fault]:
    for heard in lost:
        if heard.outcome == "accepted" and heard.decided[0].heard_ms < complete_until_ms:
            early_ms = complete_until_ms - heard.decided[0].heard_ms
            yield Fault("lost", heard.op.id, f"accepted {early_ms} ms before the store was said to be complete")


def judge_closed(diary: Diary, since_ms: int, until_ms: int) -> Iterator[Fault]:
    """Nothing that was asked in this time was decided, one way or the other."""
    for heard in diary.ops.values():
        for said in heard.said:
            if said.decides and since_ms <= said.sent_ms and said.heard_ms <= until_ms:
                yield Fault("untrue", heard.op.id, f"{said.outcome} by a store that has lost its data: {said.detail}")
