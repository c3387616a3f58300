"""What may become of an order that was heard from a channel."""

from typing import Final, NamedTuple

from app.store.heard import PARKED, TAKEN


class Outcome(NamedTuple):
    """state: taken, or parked where somebody must look. code: '' where all went as usual; says: what to do about it."""

    state: str
    code: str = ""
    says: str = ""


PLACED_BEFORE: Final = "placed_before"
"""The code of orders that are older than their connection: what they take was taken off before it was there."""

ALL_DONE: Final = Outcome(TAKEN)
"""Our order is what the channel's is."""


def taken(code: str, says: str) -> Outcome:
    """It is dealt with, and there is something to say."""
    return Outcome(TAKEN, code, says)


def parked(code: str, says: str) -> Outcome:
    """Somebody must look."""
    return Outcome(PARKED, code, says)
