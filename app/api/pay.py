"""A pending order is paid, or was checked: it is accepted as it was asked."""

from fastapi import Request, Response

from allocator import Placed, errors
from app.acknowledging import acknowledged, deciding
from app.deps import caller_of, state_of
from app.edge import Path, answer
from app.guarding import guarded_router
from app.metrics import ORDERS, note_demand
from app.openapi import documented
from app.pending import last_hold
from app.requests import OrderPath

from .orders import REFUSES

router = guarded_router("/v1/orders", "orders")

ORDER = Path(OrderPath)


@router.post(
    "/{channel}/{external_id}/pay",
    **documented(
        ORDER,
        scope="orders:write",
        answers=Placed,
        created=True,
        acknowledges=True,
        stops="facts",
        refuses=(errors.UnknownOrder, *REFUSES),
    ),
)
@acknowledged
async def pay_order(request: Request) -> Response:
    """
    The payment of a pending order came, or its check is passed: it is placed as it was asked. Again: the same answer.

    Units that are kept for it are taken where they lie, all others by its kind. Its deadline may be over: `hold` says
    expired then.
    """
    caller, path = caller_of(request), ORDER(request)
    note_demand(request.scope, ORDERS, caller.seller, path.channel)
    allocator = await deciding(request, path.channel)
    try:
        hold_id = await last_hold(request, path.channel, path.external_id)
    except errors.UnknownOrder:
        # It was never pending; if it was accepted, nothing is left to do.
        return answer(await allocator.find_answer(path.channel, path.external_id))
    placed = await allocator.pay(path.channel, path.external_id, hold_id=hold_id, actor=caller.actor)
    state_of(request).metrics.placed(caller.seller, placed)
    return answer(placed, 201)
