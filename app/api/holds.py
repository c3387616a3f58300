"""Holds: time-limited claims before an order is final, by the caller's own id."""

from fastapi import Request, Response

from allocator import Extended, Held, Hold, HoldRequest, Released, errors
from app.deps import caller_of, guarded_router, op_key, state_of
from app.edge import Body, Path, answer
from app.errors import Unfit
from app.openapi import documented
from app.requests import ExtendAsked, HoldAsked, HoldPath, named

router = guarded_router("/v1/holds", "holds")

HOLD = Path(HoldPath)
CLAIM = Body(HoldAsked)
EXTEND = Body(ExtendAsked)

UNKNOWN = (errors.UnknownSku, errors.UnknownChannel)


def _ttl_ms(request: Request, seconds: int | None) -> int:
    settings = state_of(request).settings
    seconds = settings.hold_seconds if seconds is None else seconds
    if seconds > settings.hold_seconds_max:
        raise Unfit(f"a hold lasts {settings.hold_seconds_max} s at most", where="body /ttl_seconds")
    return seconds * 1000


@router.put(
    "/{hold_id}",
    **documented(HOLD, CLAIM, answers=Held, created=True, refuses=(errors.Short, errors.Unroutable, *UNKNOWN)),
)
async def put_hold(request: Request) -> Response:
    """Claim units for a time. Again: the same answer."""
    caller, hold_id, asked = caller_of(request), HOLD(request).hold_id, await CLAIM(request)
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
    return answer(await caller.allocator.hold(wanted, caller.actor), 201)


@router.get("/{hold_id}", **documented(HOLD, answers=Hold, refuses=(errors.UnknownHold,)))
async def get_hold(request: Request) -> Response:
    """The hold as it stands."""
    caller, hold_id = caller_of(request), HOLD(request).hold_id
    return answer(await caller.allocator.find_hold(hold_id))


@router.post(
    "/{hold_id}/extend",
    **documented(
        HOLD,
        EXTEND,
        answers=Extended,
        op_key=True,
        refuses=(errors.UnknownHold, errors.HoldEnded),
    ),
)
async def extend_hold(request: Request) -> Response:
    """Let an open hold live until this many seconds from now, if that is later than its deadline."""
    caller, hold_id, op, asked = caller_of(request), HOLD(request).hold_id, op_key(request), await EXTEND(request)
    ttl_ms = _ttl_ms(request, asked.ttl_seconds)
    return answer(await caller.allocator.extend(hold_id, ttl_ms, op=op, actor=caller.actor))


@router.delete(
    "/{hold_id}",
    **documented(HOLD, answers=Released, refuses=(errors.UnknownHold, errors.HoldEnded, errors.OpConflict)),
)
async def release_hold(request: Request) -> Response:
    """Let the hold go. Again: the same answer."""
    caller, hold_id = caller_of(request), HOLD(request).hold_id
    return answer(await caller.allocator.release(hold_id, actor=caller.actor))
