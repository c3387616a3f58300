"""What an operator says about the clock."""

from fastapi import Request, Response

from allocator import Expired
from app.acknowledging import acknowledged, deciding
from app.deps import caller_of, state_of
from app.edge import answer
from app.guarding import guarded_router
from app.openapi import documented

router = guarded_router("/v1/clock", "clock")


@router.post("/accept", **documented(scope="ops:write", answers=Expired, acknowledges=True))
@acknowledged
async def accept_clock(request: Request) -> Response:
    """Accept a clock that jumped: holds whose time is over by it end now, and expiry goes on."""
    caller = caller_of(request)
    allocator = await deciding(request)
    expired = await allocator.expire(elapsed_ms=None, accept_clock=True)
    state = state_of(request)
    found = [jumps.pop(caller.seller, None) for jumps in (state.clock_jumps_ms, state.heard.said.clock_jumps_ms)]
    jump_ms = next((jump for jump in found if jump is not None), None)
    state.audit.act(request, "clock.accept", caller.seller, {"jump_ms": jump_ms, "holds_ended": len(expired.hold_ids)})
    return answer(expired)
