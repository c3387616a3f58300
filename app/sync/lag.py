"""
How long numbers take from the ledger to a channel, counted where they arrive.

A change that came while a push was under way was not in it; it counts from the end of that push.
"""

from app.metrics import Metrics
from app.store.connections import ConnectionFacts
from app.store.shown import ShownFacts

from .outcomes import Fields

ARRIVED = frozenset({"accepted", "applied"})


def since_ms(row: ShownFacts) -> int:
    """Since when the number of a listing that is to be pushed is another one than the channel has."""
    return max(row.changed_ms, row.told_ms) if row.outcome in ARRIVED else row.changed_ms


def count_taken(metrics: Metrics, facts: ConnectionFacts, row: ShownFacts, became: Fields, at_ms: int) -> None:
    """A push of this row was answered at `at_ms`, by which it `became` something else."""
    if became.get("outcome") in ARRIVED:
        _count(metrics, facts, "accepted", at_ms - since_ms(row))
    if became.get("outcome") == "applied":
        _count(metrics, facts, "applied", at_ms - since_ms(row))


def count_carried(metrics: Metrics, facts: ConnectionFacts, row: ShownFacts, became: Fields, at_ms: int) -> None:
    """A bulk push that carried this row is through; a number counts that has not changed since it was sent."""
    if became.get("outcome") in ARRIVED and row.changes == row.settled:
        _count(metrics, facts, "accepted", at_ms - row.changed_ms)
        if became["outcome"] == "applied":
            _count(metrics, facts, "applied", at_ms - row.changed_ms)


def count_seen(metrics: Metrics, facts: ConnectionFacts, row: ShownFacts, became: Fields, at_ms: int) -> None:
    """The channel was seen at `at_ms`; a number counts that was accepted before, and has not changed since."""
    if row.outcome == "accepted" and became.get("outcome") == "applied" and row.changes == row.settled:
        _count(metrics, facts, "applied", at_ms - row.changed_ms)


def _count(metrics: Metrics, facts: ConnectionFacts, stage: str, lag_ms: int) -> None:
    metrics.pushed(facts.seller, facts.code, stage, max(0, lag_ms) / 1_000)
