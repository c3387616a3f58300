"""Goods that a channel says are coming back."""

from collections.abc import Mapping

from allocator.model import OrderLine as OurLine
from channels.base import Order

from .outcomes import Outcome, parked
from .pictures import Followed


async def announce(theirs: Order, followed: Followed, ours: Mapping[str, OurLine]) -> list[Outcome]:
    """
    Let the warehouse know what comes back of an order and has not been booked as a return here yet.

    ours: the lines of our order by their names. Nothing of it is stock before somebody has it in his hands.
    """
    back = {name: units for name, units in _coming(theirs, followed, ours) if units > 0}
    if not back:
        return []
    told = ", ".join(f"{units} units of line {name}" for name, units in back.items())
    says = f"{told} come back: book the return when they are there (POST /v1/orders/…/return)"
    return [parked("return_to_receive", says)]


def _coming(theirs: Order, followed: Followed, ours: Mapping[str, OurLine]) -> list[tuple[str, int]]:
    """Units of the sku by line that have left, are said to come back, and have not."""
    told = {line.line: line.returned for line in theirs.lines if line.line in followed.lines and line.line in ours}
    is_all = theirs.state == "returned" and not any(told.values())
    found = []
    for name, units in told.items():
        said = ours[name].shipped if is_all else units * followed.lines[name].pack
        found.append((name, min(said, ours[name].shipped) - ours[name].returned))
    return found
