"""Goods that a channel says are coming back."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from allocator import Allocator, AnnouncedReturn, AnnounceLine, AnnounceRequest, errors
from allocator.model import OrderLine as OurLine
from channels.base import Order

from .pictures import Followed
from .verdicts import Outcome, parked

RETURN: Final = "channel"
"""The id, within an order, of what its channel says is coming back."""

WHY: Final = "told by the channel"


class Coming(NamedTuple):
    """
    An order as its channel tells it, and what there is to say here that goods of it come back.

    ours: our lines, by line. announced: what was announced of it before.
    """

    allocator: Allocator
    channel: str
    theirs: Order
    followed: Followed
    ours: Mapping[str, OurLine]
    announced: Sequence[AnnouncedReturn]
    actor: str


async def announce(coming: Coming) -> list[Outcome]:
    """
    Announce what comes back of an order and has not been booked as a return here yet; it is told once.

    Nothing of it is stock before somebody has it in his hands.
    """
    before = {line.line: line for one in coming.announced if one.return_id == RETURN for line in one.lines}
    whole = {name: units + (before[name].arrived if name in before else 0) for name, units in _units(coming)}
    wanted = {name: units for name, units in whole.items() if units}
    if wanted == {name: line.units for name, line in before.items() if line.units}:
        return []
    lines = [AnnounceLine(line=name, units=units) for name, units in wanted.items()]
    request = AnnounceRequest(revision=coming.theirs.revision, lines=lines, why=WHY)
    key = coming.channel, coming.theirs.external_id, RETURN
    try:
        await coming.allocator.announce_return(*key, request, actor=coming.actor)
    except (errors.Superseded, errors.OpConflict):
        # This picture was announced already: what was booked since then is taken off by the next one.
        return []
    except errors.TooManyReturns as error:
        return [
            parked("return_to_receive", f"it says that more comes back than can, with what others announced: {error}")
        ]
    return []


def _units(coming: Coming) -> list[tuple[str, int]]:
    """Units of the sku by line that have left, are said to come back, and have not."""
    ours, lines = coming.ours, coming.followed.lines
    told = {line.line: line.returned for line in coming.theirs.lines if line.line in lines and line.line in ours}
    is_all = coming.theirs.state == "returned" and not any(told.values())
    found = []
    for name, units in told.items():
        said = ours[name].shipped if is_all else units * lines[name].pack
        found.append((name, max(0, min(said, ours[name].shipped) - ours[name].returned)))
    return found
