"""Stock movements: units that arrive, are corrected, go out of sale or come back."""

from fastapi import Request, Response

from allocator import Moved, errors
from app.deps import caller_of, guarded_router, op_key
from app.edge import Body, answer
from app.openapi import documented
from app.requests import AdjustAsked, ReceiveAsked, StockReturnAsked, UnavailableAsked

router = guarded_router("/v1/stock", "stock")

RECEIVE = Body(ReceiveAsked)
ADJUST = Body(AdjustAsked)
UNAVAILABLE = Body(UnavailableAsked)
RETURN = Body(StockReturnAsked)

UNKNOWN = (errors.UnknownSku, errors.UnknownLocation)


@router.post("/receive", **documented(RECEIVE, answers=Moved, op_key=True, refuses=(*UNKNOWN, errors.OverLimit)))
async def receive_stock(request: Request) -> Response:
    """Put units on shelves, all lines or none."""
    caller, op, asked = caller_of(request), op_key(request), await RECEIVE(request)
    return answer(await caller.allocator.receive(asked.lines, op=op, why=asked.why, actor=caller.actor))


@router.post(
    "/adjust", **documented(ADJUST, answers=Moved, op_key=True, refuses=(*UNKNOWN, errors.NotEnough, errors.OverLimit))
)
async def adjust_stock(request: Request) -> Response:
    """Correct on_hand up or down, with a reason; what falls below what is promised is a deficit from then on."""
    caller, op, asked = caller_of(request), op_key(request), await ADJUST(request)
    return answer(await caller.allocator.adjust(asked.lines, op=op, why=asked.why, actor=caller.actor))


@router.post(
    "/unavailable", **documented(UNAVAILABLE, answers=Moved, op_key=True, refuses=(*UNKNOWN, errors.NotEnough))
)
async def set_unavailable(request: Request) -> Response:
    """Take units out of sale for a reason, or put them back."""
    caller, op, asked = caller_of(request), op_key(request), await UNAVAILABLE(request)
    moved = caller.allocator.unavailable(
        asked.lines, op=op, reason=asked.reason, direction=asked.direction, actor=caller.actor
    )
    return answer(await moved)


@router.post("/return", **documented(RETURN, answers=Moved, op_key=True, refuses=(*UNKNOWN, errors.OverLimit)))
async def return_stock(request: Request) -> Response:
    """Book goods that came back and belong to no order we know, by their skus."""
    caller, op, asked = caller_of(request), op_key(request), await RETURN(request)
    return answer(await caller.allocator.return_units(asked.lines, op=op, why=asked.why, actor=caller.actor))
