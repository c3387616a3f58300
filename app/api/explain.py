"""Why a number is what it is, and why an order went where it went: as JSON, or as text for people."""

from fastapi import Request, Response

from allocator import Allocator, Explained, Placed, Reason, errors, reasons
from app.deps import caller_of
from app.edge import Path, Query, answer
from app.explaining import availability_text
from app.guarding import guarded_router
from app.openapi import documented
from app.order_explaining import OrderExplained, explain_placed, explain_refused, order_text
from app.past import past_answer
from app.requests import ExplainQuery, OrderExplainQuery, OrderPath, SkuPath
from app.times import now_ms

availability = guarded_router("/v1/availability", "availability")
orders = guarded_router("/v1/orders", "orders")

SKU = Path(SkuPath)
NUMBER = Query(ExplainQuery)
ORDER = Path(OrderPath)
DECISION = Query(OrderExplainQuery)


def _is_text(request: Request, format: str | None) -> bool:
    """Whether text was asked for: by name, or before JSON in the header Accept."""
    if format is not None:
        return format == "text"
    return request.headers.get("accept", "").partition(",")[0].partition(";")[0].strip() == "text/plain"


def _text(said: str) -> Response:
    return Response(said, media_type="text/plain")


@availability.get(
    "/{sku}/explain",
    **documented(
        SKU, NUMBER, scope="stock:read", answers=Explained, refuses=(errors.UnknownSku, errors.UnknownChannel)
    ),
)
async def explain_availability(request: Request) -> Response:
    """
    Every step from the shelves to one channel's number, and which rules won and lost.

    With `?format=text` or `Accept: text/plain` as text, ending in one sentence.
    """
    caller, sku, wanted = caller_of(request), SKU(request).sku, NUMBER(request)
    said = await caller.allocator.explain(sku, wanted.channel, owner=wanted.owner, ship_to=wanted.ship_to())
    return _text(availability_text(said)) if _is_text(request, wanted.format) else answer(said)


@orders.get(
    "/{channel}/{external_id}/explain",
    **documented(ORDER, DECISION, scope="orders:read", answers=OrderExplained, refuses=(errors.UnknownOrder,)),
)
async def explain_order(request: Request) -> Response:
    """
    Why one attempt of an order went where it went, or was refused: each location, what removed it, and the choice.

    The decision is the one that was answered then. How locations rank is computed with the config in force now, and
    for the ship-to that the question names. With `?format=text` or `Accept: text/plain` as text.
    """
    caller, path, wanted = caller_of(request), ORDER(request), DECISION(request)
    said = await _explained(request, caller.allocator, path, wanted)
    return _text(order_text(said)) if _is_text(request, wanted.format) else answer(said)


async def _explained(
    request: Request, allocator: Allocator, path: OrderPath, wanted: OrderExplainQuery
) -> OrderExplained:
    """Raises UnknownOrder when no answer to this attempt is remembered."""
    order = (path.channel, path.external_id, wanted.attempt)
    try:
        placed = await _answered(request, allocator, *order)
    except errors.UnknownOrder as error:
        raise errors.UnknownOrder(f"no answer to attempt {wanted.attempt} is remembered", error.facts) from error
    except errors.Refusal as refused:
        return explain_refused(order, refused, *await _ranked(allocator, path.channel, wanted, "promise"))
    return explain_placed(placed, wanted.attempt, *await _ranked(allocator, path.channel, wanted, placed.kind))


async def _answered(request: Request, allocator: Allocator, channel: str, external_id: str, attempt: int) -> Placed:
    """What this attempt was answered; what Valkey has forgotten SQL remembers. Raises the refusal, if it was one."""
    try:
        return await allocator.find_answer(channel, external_id, attempt)
    except errors.UnknownOrder as why:
        return await past_answer(request, channel, external_id, attempt, why)


async def _ranked(allocator: Allocator, channel: str, wanted: OrderExplainQuery, kind: str) -> tuple[list[Reason], int]:
    """How every location of the seller ranks now, and with which config."""
    await allocator.reload()
    if kind == "gone":
        return [], allocator.version
    asked = (allocator.config, channel, wanted.ship_to(), wanted.prefer)
    ranked = reasons(*asked, relax=kind == "firm", at_ms=now_ms(), rates=allocator.rates)
    return ranked, allocator.version
