"""Orders that are to be otherwise than they were placed."""

from fastapi import Request, Response

from allocator import Changed, EditRequest, Exchanged, OrderRequest, errors
from app.acknowledging import acknowledged, deciding
from app.deps import caller_of, op_key, state_of
from app.edge import Body, Path, answer
from app.errors import LedgerFull
from app.fullness import refuse_when_full
from app.guarding import guarded_router
from app.openapi import documented
from app.requests import EditAsked, ExchangeAsked, ExchangedFor, OrderPath, named

router = guarded_router("/v1/orders", "orders")

ORDER = Path(OrderPath)
EDIT = Body(EditAsked)
EXCHANGE = Body(ExchangeAsked)

EDIT_REFUSES = (
    *(errors.UnknownOrder, errors.UnknownSku, errors.UnknownChannel, errors.OtherSku, errors.HasLeft),
    *(errors.PickStarted, errors.NotCommitted, errors.Short, errors.Unroutable),
)
EXCHANGE_REFUSES = (
    *(errors.UnknownOrder, errors.UnknownLine, errors.UnknownLocation, errors.UnknownChannel, errors.UnknownSku),
    *(errors.NotShipped, errors.OverLimit, errors.Short, errors.Unroutable, LedgerFull),
)


@router.post(
    "/{channel}/{external_id}/edit",
    **documented(
        ORDER,
        EDIT,
        scope="orders:write",
        answers=Changed,
        op_key=True,
        acknowledges=True,
        stops="upkeep",
        refuses=EDIT_REFUSES,
    ),
)
@acknowledged
async def edit_order(request: Request) -> Response:
    """
    Other units, other lines or another way for an order; all of it, or the order stays as it is.

    The Idempotency-Key is the channel's own revision of the order.
    """
    caller, path, op, asked = caller_of(request), ORDER(request), op_key(request), await EDIT(request)
    wanted = EditRequest(
        lines=asked.lines,
        ship_to=asked.ship_to,
        prefer=asked.prefer,
        replan=asked.replan,
        partial=asked.partial,
        why=asked.why,
    )
    allocator = await deciding(request, path.channel)
    return answer(await allocator.edit(path.channel, path.external_id, wanted, op=op, actor=caller.actor))


def demand(asked: ExchangedFor) -> OrderRequest:
    """What the allocator is asked for."""
    return OrderRequest(
        channel=asked.channel,
        external_id=asked.external_id,
        lines=named(asked.lines),
        kind=asked.kind,
        at=asked.at,
        ship_to=asked.ship_to,
        prefer=asked.prefer,
    )


def keep_room(request: Request, asked: ExchangedFor) -> None:
    """Refuse it while SQL does not take the ledger: what has left a counter last. Raises LedgerFull."""
    if full := state_of(request).full:
        caller = caller_of(request)
        kind = asked.kind or caller.allocator.demand_of(asked.channel)
        refuse_when_full(full, caller.seller, "upkeep" if kind == "promise" else "facts")


@router.post(
    "/{channel}/{external_id}/exchange",
    **documented(
        ORDER,
        EXCHANGE,
        scope="orders:exchange",
        answers=Exchanged,
        op_key=True,
        acknowledges=True,
        refuses=EXCHANGE_REFUSES,
    ),
)
@acknowledged
async def exchange_order(request: Request) -> Response:
    """
    Goods of the order came back, and another order is placed for them; both or nothing.

    Units that are restocked may go out again with the new order.
    """
    caller, path, op, asked = caller_of(request), ORDER(request), op_key(request), await EXCHANGE(request)
    keep_room(request, asked.order)
    allocator = await deciding(request, path.channel, asked.order.channel)
    order, told = demand(asked.order), {"why": asked.why, "actor": caller.actor}
    exchanged = await allocator.exchange(path.channel, path.external_id, asked.lines, order, op=op, **told)
    if not exchanged.replayed:
        metrics = state_of(request).metrics
        metrics.returned(caller.seller, asked.lines)
        metrics.placed(caller.seller, exchanged.placed)
    return answer(exchanged)
