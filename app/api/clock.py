"""What an operator says about the clock."""

from fastapi import APIRouter, Request, Response

from allocator import Expired
from app.deps import Guarded, caller_of, state_of
from app.edge import answer
from app.openapi import documented

router = APIRouter(prefix="/v1/clock", tags=["clock"], route_class=Guarded)


@router.post("/accept", **documented(answers=Expired))
async def accept_clock(request: Request) -> Response:
    """Accept a clock that jumped: holds whose time is over by it end now, and expiry goes on."""
    caller = caller_of(request)
    expired = await caller.allocator.expire(elapsed_ms=None, accept_clock=True)
    state_of(request).clock_jumps_ms.pop(caller.seller, None)
    return answer(expired)
