"""Holds, open and ended, by what they are; and the whole story of one. All from SQL."""

import msgspec
from fastapi import Request, Response

from allocator import errors
from allocator.pending import PREFIX
from app.deps import caller_of, state_of
from app.edge import Path, Query, answer
from app.errors import Behind
from app.guarding import guarded_router
from app.history import Whole, cut, one_of, read_cursor_of, tell_story, wait_for
from app.history_forms import HoldPage, HoldsQuery, Story, shown_hold
from app.openapi import documented
from app.requests import HoldPath
from app.store.past_holds import HoldFacts, HoldKey, WantedHolds, list_holds, read_hold

router = guarded_router("/v1/holds", "holds")

HOLDS = Query(HoldsQuery)
HOLD = Path(HoldPath)

_hold_key = msgspec.json.Decoder(tuple[Whole, str]).decode


@router.get("", **documented(HOLDS, scope="holds:read", answers=HoldPage, refuses=(Behind,)))
async def list_all_holds(request: Request) -> Response:
    """
    Holds by channel, state, owner, time, sku and location, newest first, with what they were made of and the pending
    orders that they are.

    They come from SQL, where an effect is within a second; `position` and `after` as for orders.
    """
    caller, asked = caller_of(request), HOLDS(request)
    position = await wait_for(request, asked.after)
    wanted = WantedHolds(
        channels=one_of(asked.channel, caller.channels),
        locations=one_of(asked.location, caller.locations),
        state=asked.state,
        sku=asked.sku or "",
        owner=asked.owner,
        owner_prefix=PREFIX if asked.pending else "",
        from_ms=asked.from_ms,
        until_ms=asked.until_ms,
        before=read_cursor_of(asked.cursor, _hold_key),
    )
    async with state_of(request).database.reading() as session:
        found = await list_holds(session, caller.seller, wanted, asked.limit + 1)
    page, more = cut(found, asked.limit, _key_of_hold)
    return answer(HoldPage([shown_hold(hold) for hold in page], more, position))


def _key_of_hold(hold: HoldFacts) -> HoldKey:
    return hold.made_ms, hold.hold_id


@router.get(
    "/{hold_id}/story",
    **documented(HOLD, scope="holds:read", answers=Story, refuses=(errors.UnknownHold,)),
)
async def get_hold_story(request: Request) -> Response:
    """Everything that happened to a hold: made, extended, released, expired, replaced or ordered."""
    caller, hold_id = caller_of(request), HOLD(request).hold_id
    async with state_of(request).database.reading() as session:
        hold = await read_hold(session, caller.seller, hold_id)
    if hold is None or not caller.sees_channel(hold.channel):
        raise errors.UnknownHold(facts={"hold": hold_id})
    return answer(await tell_story(request, "hold", hold_id))
