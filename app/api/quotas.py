"""Quotas: units ring-fenced for one channel at one location."""

from fastapi import Request, Response
from msgspec.structs import asdict as to_dict

from allocator import Moved, errors
from app.acknowledging import acknowledged, deciding
from app.deps import caller_of, op_key, state_of
from app.edge import Body, answer
from app.guarding import guarded_router
from app.openapi import documented
from app.requests import MoveQuotaAsked, SetQuotaAsked

router = guarded_router("/v1/quotas", "quotas")

SET = Body(SetQuotaAsked)
MOVE = Body(MoveQuotaAsked)

UNKNOWN = (errors.UnknownChannel, errors.UnknownSku, errors.UnknownLocation)


@router.post(
    "/set",
    **documented(
        SET, scope="quotas:write", answers=Moved, op_key=True, acknowledges=True, stops="growth", refuses=UNKNOWN
    ),
)
@acknowledged
async def set_quota(request: Request) -> Response:
    """Ring-fence units. Sets, does not add."""
    caller, op, asked = caller_of(request), op_key(request), await SET(request)
    place = (asked.sku, asked.location, asked.channel)
    allocator = await deciding(request, asked.channel)
    moved = allocator.set_quota(*place, asked.quota, op=op, floor=asked.floor, why=asked.why, actor=caller.actor)
    return _done(request, "quota.set", op, asked, await moved)


@router.post(
    "/move",
    **documented(
        MOVE,
        scope="quotas:write",
        answers=Moved,
        op_key=True,
        acknowledges=True,
        stops="growth",
        refuses=(*UNKNOWN, errors.NotEnough, errors.OverLimit),
    ),
)
@acknowledged
async def move_quota(request: Request) -> Response:
    """Hand ring-fenced units that are not consumed yet to another channel at the same location."""
    caller, op, asked = caller_of(request), op_key(request), await MOVE(request)
    way = (asked.sku, asked.location, asked.from_channel, asked.to_channel)
    allocator = await deciding(request, asked.from_channel, asked.to_channel)
    moved = allocator.move_quota(*way, asked.units, op=op, why=asked.why, actor=caller.actor)
    return _done(request, "quota.move", op, asked, await moved)


def _done(request: Request, action: str, op: str, asked: SetQuotaAsked | MoveQuotaAsked, moved: Moved) -> Response:
    if not moved.replayed:
        state_of(request).audit.act(request, action, f"{asked.sku} at {asked.location}", {"op": op, **to_dict(asked)})
    return answer(moved)
