"""Holds: time-limited claims before an order is final, by the caller's own id."""

from fastapi import Request, Response

from allocator import Extended, Held, Hold, HoldRequest, Released, errors
from app.acknowledging import acknowledged, deciding
from app.deps import caller_of, op_key, state_of
from app.edge import Body, Path, answer
from app.errors import Unfit
from app.guarding import guarded_router
from app.metrics import HOLDS, note_demand
from app.openapi import documented
from app.past import AWAY, from_sql, past_hold
from app.pending import refuse_reserved
from app.requests import ExtendAsked, HoldAsked, HoldPath, named
from app.rights import Caller

router = guarded_router("/v1/holds", "holds")

HOLD = Path(HoldPath)
CLAIM = Body(HoldAsked)
EXTEND = Body(ExtendAsked)

UNKNOWN = (errors.UnknownSku, errors.UnknownChannel)


async def _channels_of(caller: Caller, hold_id: str) -> tuple[str, ...]:
    """
    The hold's channel, where that matters: to a limited key, and for the level of the answer.

    To a limited key, holds of other channels are as unknown as those that never were. Raises UnknownHold.
    """
    if caller.channels is None and not caller.allocator.raised:
        return ()
    try:
        hold = await caller.allocator.find_hold(hold_id)
    except errors.UnknownHold:
        if caller.channels is not None:
            raise
        # Should it be there in a moment, it is of one of these.
        return tuple(caller.allocator.raised)
    _refuse_other_channel(caller, hold)
    return (hold.channel,)


def _refuse_other_channel(caller: Caller, hold: Hold) -> None:
    if not caller.sees_channel(hold.channel):
        raise errors.UnknownHold(facts={"hold": hold.hold_id})


def _ttl_ms(request: Request, seconds: int | None) -> int:
    settings = state_of(request).settings
    seconds = settings.hold_seconds if seconds is None else seconds
    if seconds > settings.hold_seconds_max:
        raise Unfit(f"a hold lasts {settings.hold_seconds_max} s at most", where="body /ttl_seconds")
    return seconds * 1000


@router.put(
    "/{hold_id}",
    **documented(
        HOLD,
        CLAIM,
        scope="holds:write",
        answers=Held,
        created=True,
        acknowledges=True,
        stops="growth",
        refuses=(errors.Short, errors.Unroutable, *UNKNOWN),
    ),
)
@acknowledged
async def put_hold(request: Request) -> Response:
    """Claim units for a time. Again: the same answer."""
    caller, hold_id, asked = caller_of(request), HOLD(request).hold_id, await CLAIM(request)
    refuse_reserved("path hold_id", hold_id)
    refuse_reserved("body /owner", asked.owner)
    note_demand(request.scope, HOLDS, caller.seller, asked.channel)
    wanted = HoldRequest(
        hold_id=hold_id,
        channel=asked.channel,
        lines=named(asked.lines),
        ttl_ms=_ttl_ms(request, asked.ttl_seconds),
        owner=asked.owner,
        partial=asked.partial,
        ship_to=asked.ship_to,
        prefer=asked.prefer,
    )
    allocator = await deciding(request, asked.channel)
    return answer(await allocator.hold(wanted, caller.actor), 201)


@router.get(
    "/{hold_id}", **documented(HOLD, scope="holds:read", answers=Hold, past=True, refuses=(errors.UnknownHold,))
)
async def get_hold(request: Request) -> Response:
    """The hold as it stands; one that has left Valkey, or while that is away, as SQL has it (Allot-Position)."""
    caller, hold_id = caller_of(request), HOLD(request).hold_id
    try:
        hold = await caller.allocator.find_hold(hold_id)
    except (errors.UnknownHold, *AWAY) as why:
        hold, position = await past_hold(request, hold_id, why)
        _refuse_other_channel(caller, hold)
        return from_sql(hold, position)
    _refuse_other_channel(caller, hold)
    return answer(hold)


@router.post(
    "/{hold_id}/extend",
    **documented(
        HOLD,
        EXTEND,
        scope="holds:write",
        answers=Extended,
        op_key=True,
        acknowledges=True,
        stops="upkeep",
        refuses=(errors.UnknownHold, errors.HoldEnded),
    ),
)
@acknowledged
async def extend_hold(request: Request) -> Response:
    """Let an open hold live until this many seconds from now, if that is later than its deadline."""
    caller, hold_id, op, asked = caller_of(request), HOLD(request).hold_id, op_key(request), await EXTEND(request)
    ttl_ms = _ttl_ms(request, asked.ttl_seconds)
    allocator = await deciding(request, *await _channels_of(caller, hold_id))
    return answer(await allocator.extend(hold_id, ttl_ms, op=op, actor=caller.actor))


@router.delete(
    "/{hold_id}",
    **documented(
        HOLD,
        scope="holds:write",
        answers=Released,
        acknowledges=True,
        stops="upkeep",
        refuses=(errors.UnknownHold, errors.HoldEnded, errors.OpConflict),
    ),
)
@acknowledged
async def release_hold(request: Request) -> Response:
    """Let the hold go. Again: the same answer."""
    caller, hold_id = caller_of(request), HOLD(request).hold_id
    allocator = await deciding(request, *await _channels_of(caller, hold_id))
    return answer(await allocator.release(hold_id, actor=caller.actor))
