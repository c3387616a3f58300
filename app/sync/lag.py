"""
How long numbers take from the ledger to a channel.

A change that came while a push was under way was not in it; it counts from the end of that push.
"""

from collections.abc import Iterator
from typing import Final

from app.lines.lag import Arrival
from app.store.shown import ShownFacts

from .outcomes import Fields

ARRIVED: Final = frozenset({"accepted", "applied"})


def since_ms(row: ShownFacts) -> int:
    """Since when the number of a listing that is to be pushed is another one than the channel has."""
    return max(row.changed_ms, row.told_ms) if row.outcome in ARRIVED else row.changed_ms


def of_push(row: ShownFacts, became: Fields, at_ms: int) -> Iterator[Arrival]:
    """A push of this row was answered at `at_ms`, by which it `became` something else."""
    if became.get("outcome") in ARRIVED:
        yield "accepted", at_ms - since_ms(row)
    if became.get("outcome") == "applied":
        yield "applied", at_ms - since_ms(row)


def of_bulk(row: ShownFacts, became: Fields, at_ms: int) -> Iterator[Arrival]:
    """A bulk push that carried this row is through; a number counts that has not changed since it was sent."""
    if became.get("outcome") in ARRIVED and row.changes == row.settled:
        yield "accepted", at_ms - row.changed_ms
        if became["outcome"] == "applied":
            yield "applied", at_ms - row.changed_ms


def of_look(row: ShownFacts, became: Fields, at_ms: int) -> Iterator[Arrival]:
    """The channel was seen at `at_ms`; a number counts that was accepted before, and has not changed since."""
    if row.outcome == "accepted" and became.get("outcome") == "applied" and row.changes == row.settled:
        yield "applied", at_ms - row.changed_ms
