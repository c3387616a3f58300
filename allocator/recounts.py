"""What rejects say of locations, read from the ledger: units orders got and were refused, and what is to be counted."""

from collections import Counter
from typing import NamedTuple

from .records import Change, Entry

RECOUNT = " recount"
"""The end of what the ledger says of a reject after which somebody is to count (lua/reject.lua)."""


class Refused(NamedTuple):
    """A reject: where, why, and of which order; whether what lost units by it is to be counted."""

    location: str
    reason: str
    channel: str
    external_id: str
    recount: bool


class RecountStep(NamedTuple):
    """
    What one entry says of one sku at a location.

    refused: the reject that took `units` off the books there, after which somebody is to count; None: a count found
    `units` more (or fewer, below zero) than were booked. version: the sku's after the entry.
    """

    sku: str
    location: str
    version: int
    units: int
    refused: Refused | None


def refused_by(entry: Entry) -> Refused | None:
    """The reject that the entry is, or None."""
    if entry.verb != "reject":
        return None
    location, _, reason = entry.why.partition(" ")
    order = next((name for name in entry.records if name.startswith("order:")), "::")
    _, channel, external_id = order.split(":", 2)
    recount = reason.endswith(RECOUNT)
    return Refused(location, reason.removesuffix(RECOUNT), channel, external_id, recount)


def recount_steps(entry: Entry) -> list[RecountStep]:
    """The steps an entry made towards counting again, sku by sku."""
    refused = refused_by(entry)
    if refused is not None and refused.recount:
        lost = [(change, -_on_hand(change)[refused.location]) for change in entry.changes]
        return [RecountStep(one.sku, refused.location, one.version, units, refused) for one, units in lost if units]
    if entry.verb != "count":
        return []
    return [
        RecountStep(change.sku, location, change.version, units, None)
        for change in entry.changes
        for location, units in _on_hand(change).items()
    ]


def _on_hand(change: Change) -> Counter[str]:
    """By how much the units on the shelf changed, by location."""
    found: Counter[str] = Counter()
    for location, bucket, _, units in change.moves:
        if bucket == "on_hand":
            found[location] += units
    return found


class Given(NamedTuple):
    """Units of orders at one location in one entry: committed there, and rejected by it."""

    location: str
    taken: int
    rejected: int


def given_by(entry: Entry) -> list[Given]:
    """What the entry let orders have, and what was refused, location by location."""
    refused = refused_by(entry)
    taken: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    for location, bucket, _, units in (move for change in entry.changes for move in change.moves):
        if bucket != "committed":
            continue
        if units > 0:
            taken[location] += units
        elif refused is not None and location == refused.location:
            rejected[location] -= units
    return [Given(location, taken[location], rejected[location]) for location in sorted({*taken, *rejected})]
