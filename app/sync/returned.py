"""Goods that a channel says are coming back."""

from collections.abc import Mapping
from typing import NamedTuple

from allocator import Allocator
from allocator.model import OrderLine as OurLine
from channels.base import Order

from .verdicts import Outcome, parked
from .pictures import Followed


class Coming(NamedTuple):
    """An order as its channel tells it, and what there is to say here that goods of it come back. ours: by line."""

    allocator: Allocator
    channel: str
    theirs: Order
    followed: Followed
    ours: Mapping[str, OurLine]


async def announce(coming: Coming) -> list[Outcome]:
    """
    Let the warehouse know what comes back of an order and has not been booked as a return here yet.

    Nothing of it is stock before somebody has it in his hands.
    """
    back = {name: units for name, units in _units(coming) if units > 0}
    if not back:
        return []
    told = ", ".join(f"{units} units of line {name}" for name, units in back.items())
    says = f"{told} come back: book the return when they are there (POST /v1/orders/…/return)"
    return [parked("return_to_receive", says)]


def _units(coming: Coming) -> list[tuple[str, int]]:
    """Units of the sku by line that have left, are said to come back, and have not."""
    ours, lines = coming.ours, coming.followed.lines
    told = {line.line: line.returned for line in coming.theirs.lines if line.line in lines and line.line in ours}
    is_all = coming.theirs.state == "returned" and not any(told.values())
    found = []
    for name, units in told.items():
        said = ours[name].shipped if is_all else units * lines[name].pack
        found.append((name, min(said, ours[name].shipped) - ours[name].returned))
    return found
