"""What transfers did, read from the ledger: units that were sent, that arrived, and that were lost on the way."""

from typing import NamedTuple

from .ledger import Damaged
from .records import Change, Entry

VERBS = frozenset({"transfer_out", "transfer_in"})


class TransferStep(NamedTuple):
    """
    What one entry did with one sku of a transfer, in units.

    location: where they left, or where they arrived. to_location: the transfer's destination. Of the three numbers
    either `sent` is not 0, or one of the others.
    """

    transfer: str
    sku: str
    location: str
    to_location: str
    sent: int
    arrived: int
    lost: int


def transfer_steps(entry: Entry) -> list[TransferStep]:
    """The steps an entry made, sku by sku; none if it is no transfer's. Raises Damaged for one that moves nothing."""
    return list(map(_step, entry.changes)) if entry.verb in VERBS else []


def _step(change: Change) -> TransferStep:
    coming, shelves = ([move for move in change.moves if move[1] == bucket] for bucket in ("in_transit", "on_hand"))
    if not coming:
        raise Damaged(f"a transfer changed {change.sku}, but nothing of it is or was in transit")
    to_location, _, transfer, _ = coming[0]
    place = transfer, change.sku, shelves[0][0] if shelves else to_location, to_location
    units, there = (sum(units for *_, units in moves) for moves in (coming, shelves))
    if units > 0:
        return TransferStep(*place, sent=units, arrived=0, lost=0)
    return TransferStep(*place, sent=0, arrived=there, lost=-units - there)
