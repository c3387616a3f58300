"""
Orders, holds and answers that Valkey does not have: they ended and were removed, or Valkey is away.

SQL has them, as new as it says. Whoever reads them from there is told its position, since what happened after it is
not in the answer.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from allocator import Hold, Placed, errors
from allocator.records import decode_hold, decode_order
from allocator.refusals import placed_or_refused

from .deps import caller_of, state_of
from .edge import POSITION, answer
from .history import wait_for
from .history_forms import Position
from .store.database import DatabaseAway, Session
from .store.past_holds import read_hold
from .store.past_orders import read_answer, read_order

AWAY: Final = (errors.NotReady, errors.Unanswered)
"""What the allocator says when Valkey cannot be asked."""

T = TypeVar("T")


async def past_order(request: Request, channel: str, external_id: str, why: errors.AllocatorError) -> Response:
    """The order as SQL has it. Raises `why` when it has none, or when Valkey is away and SQL too; DatabaseAway."""
    read = partial(read_order, channel=channel, external_id=external_id)
    record, position = await read_past(request, read, why)
    return from_sql(decode_order(record).order, position)


async def past_hold(request: Request, hold_id: str, why: errors.AllocatorError) -> tuple[Hold, Position]:
    """The hold as SQL has it, and how new that is. Raises as past_order."""
    found, position = await read_past(request, partial(read_hold, hold_id=hold_id), why)
    return decode_hold(hold_id, found.record), position


async def past_answer(
    request: Request, channel: str, external_id: str, attempt: int, why: errors.UnknownOrder
) -> Placed:
    """What an attempt of an order was answered, as SQL has it. Raises that refusal, or as past_order."""
    read = partial(read_answer, op=f"order:{channel}:{external_id}:{attempt}")
    record, _ = await read_past(request, read, why)
    return placed_or_refused(channel, external_id, record)


def from_sql(said: object, position: Position) -> Response:
    """An answer that is as new as SQL was."""
    return answer(said, 200, (POSITION.lower().encode(), position.id.encode()))


async def read_past(
    request: Request, read: Callable[[Session, str], Awaitable[T | None]], why: errors.AllocatorError
) -> tuple[T, Position]:
    """What `read` finds for the caller's seller, and the position."""
    try:
        # Before the record is read: then all up to here is in it.
        position = await wait_for(request)
        async with state_of(request).database.reading() as session:
            found = await read(session, caller_of(request).seller)
    except DatabaseAway as away:
        # Without SQL an unknown id may be one that only SQL knows.
        raise (why if isinstance(why, AWAY) else away) from away
    if found is None:
        raise why
    return found, position
