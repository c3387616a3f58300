"""Orders: placed, changed and read by channel and the channel's own id."""

from fastapi import Request, Response
from msgspec import UNSET

from allocator import Changed, KeptOrder, Order, OrderRequest, PendingOrder, Placed, errors
from app.acknowledging import acknowledged, deciding
from app.deps import caller_of, op_key, state_of
from app.edge import Body, Path, answer
from app.errors import LedgerFull
from app.fullness import refuse_when_full, stage_of_order
from app.guarding import guarded_router
from app.metrics import ORDERS, note_demand
from app.openapi import documented
from app.parcels import keep_way
from app.past import AWAY
from app.pending import keep_pending, not_in_store, status_of
from app.requests import (
    CancelAsked,
    OrderAsked,
    OrderPath,
    PickAsked,
    PreviewAsked,
    ReturnAsked,
    ShipAsked,
    Wanted,
    named,
)

router = guarded_router("/v1/orders", "orders")
preview = guarded_router("/v1/preview", "orders")

ORDER = Path(OrderPath)
PLACE = Body(OrderAsked)
PREVIEW = Body(PreviewAsked)
PICK = Body(PickAsked, optional=True)
SHIP = Body(ShipAsked, optional=True)
CANCEL = Body(CancelAsked, optional=True)
RETURN = Body(ReturnAsked)

UNKNOWN = (errors.UnknownSku, errors.UnknownChannel, errors.UnknownLocation)
REFUSES = (errors.Short, errors.AtCapacity, errors.Unroutable, errors.OverLimit, *UNKNOWN)


def demand(channel: str, external_id: str, asked: Wanted) -> OrderRequest:
    """What the allocator is asked for."""
    return OrderRequest(
        channel=channel,
        external_id=external_id,
        lines=named(asked.lines),
        attempt=asked.attempt,
        kind=asked.kind,
        hold=asked.hold,
        at=asked.at,
        partial=asked.partial,
        ship_to=asked.ship_to,
        prefer=asked.prefer,
        ship_complete=asked.ship_complete or UNSET,
        pickup=asked.pickup or UNSET,
        value=UNSET if asked.value is None else asked.value,
    )


def keep_room(request: Request, channel: str, asked: Wanted) -> None:
    """Refuse an order while SQL does not take the ledger; when, depends on its kind. Raises LedgerFull."""
    if full := state_of(request).full:
        caller = caller_of(request)
        kind = asked.kind or caller.allocator.demand_of(channel)
        refuse_when_full(full, caller.seller, stage_of_order(kind, asked.hold))


@router.put(
    "/{channel}/{external_id}",
    **documented(
        ORDER,
        PLACE,
        scope="orders:write",
        answers=Placed,
        or_else=(KeptOrder, Order),
        kept=KeptOrder,
        created=True,
        acknowledges=True,
        refuses=(*REFUSES, LedgerFull),
    ),
)
@acknowledged
async def put_order(request: Request) -> Response:
    """
    Place an order: take its units at once and decide where they ship from. Again: the same answer.

    With `pending` it is not accepted yet: its units are kept for the `pending_minutes` of its channel (none on one that
    lowers its stock at the payment), and the answer is 202 with the deadline. The same order without `pending`, or POST
    …/pay, accepts it; the next attempt with `pending` replaces it. One that was accepted already stays as it is, and is
    the answer.
    """
    caller, path, asked = caller_of(request), ORDER(request), await PLACE(request)
    note_demand(request.scope, ORDERS, caller.seller, path.channel)
    keep_room(request, path.channel, asked)
    allocator = await deciding(request, path.channel)
    if asked.pending:
        wanted = demand(path.channel, path.external_id, asked)
        kept = await keep_pending(allocator, wanted, asked.pending, caller.actor)
        return answer(kept, status_of(kept))
    placed = await allocator.order(demand(path.channel, path.external_id, asked), caller.actor)
    state_of(request).metrics.placed(caller.seller, placed)
    return answer(placed, 201)


@router.get(
    "/{channel}/{external_id}",
    **documented(
        ORDER,
        scope="orders:read",
        answers=Order,
        or_else=(PendingOrder,),
        past=True,
        refuses=(errors.UnknownOrder,),
    ),
)
async def get_order(request: Request) -> Response:
    """
    The order as it stands; one that has left Valkey, or while that is away, as SQL has it (Allot-Position).

    One that was never accepted has the state pending, lapsed (its deadline is over) or cancelled.
    """
    caller, path = caller_of(request), ORDER(request)
    try:
        return answer(await caller.allocator.find_order(path.channel, path.external_id))
    except (errors.UnknownOrder, *AWAY) as why:
        return await not_in_store(request, path.channel, path.external_id, why)


@router.post(
    "/{channel}/{external_id}/pick",
    **documented(
        ORDER,
        PICK,
        scope="orders:ship",
        answers=Changed,
        op_key=True,
        acknowledges=True,
        stops="upkeep",
        refuses=(errors.UnknownOrder, errors.Incomplete, errors.NotCommitted),
    ),
)
@acknowledged
async def pick_order(request: Request) -> Response:
    """The pick has started, at one location or everywhere."""
    caller, path, op, asked = caller_of(request), ORDER(request), op_key(request), await PICK(request)
    allocator = await deciding(request, path.channel)
    picked = allocator.pick(path.channel, path.external_id, op=op, location=asked.location, actor=caller.actor)
    return answer(await picked)


@router.post(
    "/{channel}/{external_id}/ship",
    **documented(
        ORDER,
        SHIP,
        scope="orders:ship",
        answers=Changed,
        op_key=True,
        acknowledges=True,
        stops="upkeep",
        refuses=(errors.UnknownOrder, errors.UnknownLine, errors.Incomplete, errors.NotCommitted),
    ),
)
@acknowledged
async def ship_order(request: Request) -> Response:
    """Units have left; no lines means all that is committed. The channel that the order came from is told."""
    caller, path, op, asked = caller_of(request), ORDER(request), op_key(request), await SHIP(request)
    allocator = await deciding(request, path.channel)
    await keep_way(state_of(request), caller.seller, f"ship:{path.channel}:{path.external_id}:{op}", asked)
    shipped = allocator.ship(path.channel, path.external_id, asked.lines, op=op, actor=caller.actor)
    return answer(await shipped)


@router.post(
    "/{channel}/{external_id}/cancel",
    **documented(
        ORDER,
        CANCEL,
        scope="orders:write",
        answers=Changed,
        op_key=True,
        acknowledges=True,
        stops="upkeep",
        refuses=(errors.UnknownOrder, errors.UnknownLine, errors.PickStarted, errors.NotCommitted),
    ),
)
@acknowledged
async def cancel_order(request: Request) -> Response:
    """
    Units are no longer wanted; no lines means the whole order. One that is only pending lets go of what is kept for it.

    With `picked` units in totes are cancelled too. POST /v1/stock/unavailable with the reason `put_away` and the
    direction `out` puts them back into sale when they are on their shelf again.
    """
    caller, path, op, asked = caller_of(request), ORDER(request), op_key(request), await CANCEL(request)
    allocator, told = await deciding(request, path.channel), {"why": asked.why, "actor": caller.actor}
    cancelled = allocator.cancel(path.channel, path.external_id, asked.lines, op=op, picked=asked.picked, **told)
    return answer(await cancelled)


@router.post(
    "/{channel}/{external_id}/return",
    **documented(
        ORDER,
        RETURN,
        scope="orders:ship",
        answers=Changed,
        op_key=True,
        acknowledges=True,
        stops="upkeep",
        refuses=(errors.UnknownOrder, errors.UnknownLine, errors.UnknownLocation, errors.NotShipped, errors.OverLimit),
    ),
)
@acknowledged
async def return_order(request: Request) -> Response:
    """
    Goods of the order came back; the disposition says where each unit goes.

    With a `return_id` they are taken off what is announced of that return; less, more and other goods are fine.
    """
    caller, path, op, asked = caller_of(request), ORDER(request), op_key(request), await RETURN(request)
    order = (path.channel, path.external_id)
    allocator = await deciding(request, path.channel)
    told = {"return_id": asked.return_id, "why": asked.why, "actor": caller.actor}
    changed = await allocator.return_units(asked.lines, op=op, order=order, **told)
    if not changed.replayed:
        state_of(request).metrics.returned(caller.seller, asked.lines)
    return answer(changed)


@preview.post("", **documented(PREVIEW, scope="orders:write", answers=Placed, refuses=REFUSES))
async def preview_order(request: Request) -> Response:
    """What placing this order would answer now. Nothing is written."""
    caller, asked = caller_of(request), await PREVIEW(request)
    wanted = demand(asked.channel, "preview", asked)
    return answer(await caller.allocator.order(wanted, caller.actor, preview=True))
