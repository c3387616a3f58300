"""Quotas: units ring-fenced for one channel at one location."""

from fastapi import Request, Response

from allocator import Moved, errors
from app.deps import caller_of, guarded_router, op_key
from app.edge import Body, answer
from app.openapi import documented
from app.requests import MoveQuotaAsked, SetQuotaAsked

router = guarded_router("/v1/quotas", "quotas")

SET = Body(SetQuotaAsked)
MOVE = Body(MoveQuotaAsked)

UNKNOWN = (errors.UnknownChannel, errors.UnknownSku, errors.UnknownLocation)


@router.post("/set", **documented(SET, answers=Moved, op_key=True, refuses=UNKNOWN))
async def set_quota(request: Request) -> Response:
    """Ring-fence units. Sets, does not add."""
    caller, op, asked = caller_of(request), op_key(request), await SET(request)
    place = (asked.sku, asked.location, asked.channel)
    moved = caller.allocator.set_quota(*place, asked.quota, op=op, floor=asked.floor, why=asked.why, actor=caller.actor)
    return answer(await moved)


@router.post(
    "/move",
    **documented(MOVE, answers=Moved, op_key=True, refuses=(*UNKNOWN, errors.NotEnough, errors.OverLimit)),
)
async def move_quota(request: Request) -> Response:
    """Hand ring-fenced units that are not consumed yet to another channel at the same location."""
    caller, op, asked = caller_of(request), op_key(request), await MOVE(request)
    way = (asked.sku, asked.location, asked.from_channel, asked.to_channel)
    return answer(await caller.allocator.move_quota(*way, asked.units, op=op, why=asked.why, actor=caller.actor))
