"""Many orders in one request: each as if it came alone, answered in the order given."""

import asyncio

import msgspec
from fastapi import Request, Response

from allocator import Allocator, KeptOrder, Order, Placed
from allocator.errors import Refusal
from app.acknowledging import acknowledged, deciding, reach
from app.answers import BulkPlaced, OrderResult
from app.deps import caller_of, state_of
from app.edge import Body, answer
from app.guarding import guarded_router
from app.metrics import ORDERS, Metrics, count_outcome
from app.openapi import documented
from app.pending import keep_pending, status_of
from app.problems import PROBLEMS, problem_of
from app.requests import BulkOrders, OrderInBulk

from .orders import demand, keep_room

router = guarded_router("/v1/orders", "orders")

BULK = Body(BulkOrders)

Said = Placed | KeptOrder | Order | BaseException


@router.post("/bulk", **documented(BULK, scope="orders:write", answers=BulkPlaced, acknowledges=True))
@acknowledged
async def bulk_orders(request: Request) -> Response:
    """
    Place up to 100 orders, each by itself: taken, answered again or refused, whatever becomes of the others.

    The status of a result is what PUT would have answered: 202 for one whose payment or check is pending. Repeat the
    whole request as often as you like. All of it is acknowledged at the strongest level that one of its channels asks
    for; what is 503 alone is not.
    """
    asked = await BULK(request)
    metrics = state_of(request).metrics
    allocator = await deciding(request, *{row.channel for row in asked.orders})
    placing = [_place(request, allocator, row) for row in asked.orders]
    said = await asyncio.gather(*placing, return_exceptions=True)
    results = [_result(request, metrics, row, one) for row, one in zip(asked.orders, said, strict=True)]
    await reach(request, *(one for one in said if isinstance(one, Refusal) and one.op))
    return answer(BulkPlaced(results))


async def _place(request: Request, allocator: Allocator, row: OrderInBulk) -> Placed | KeptOrder | Order:
    keep_room(request, row.channel, row)
    wanted, actor = demand(row.channel, row.external_id, row), caller_of(request).actor
    if row.pending:
        return await keep_pending(allocator, wanted, row.pending, actor)
    return await allocator.order(wanted, actor)


def _result(request: Request, metrics: Metrics, row: OrderInBulk, said: Said) -> OrderResult:
    seller = caller_of(request).seller
    if isinstance(said, KeptOrder | Order):
        status = status_of(said)
        count_outcome(metrics, ORDERS, seller, row.channel, "pending" if status == 202 else "replayed")
        told = {"kept": said} if isinstance(said, KeptOrder) else {"found": said}
        return OrderResult(row.channel, row.external_id, status, **told)
    if isinstance(said, Placed):
        status = 200 if said.replayed else 201
        metrics.placed(seller, said)
        count_outcome(metrics, ORDERS, seller, row.channel, "replayed" if said.replayed else "accepted")
        return OrderResult(row.channel, row.external_id, status, said)
    if not isinstance(said, Exception) or type(said) not in PROBLEMS:
        raise said
    problem = problem_of(request, said)
    count_outcome(metrics, ORDERS, seller, row.channel, PROBLEMS[type(said)].slug)
    return OrderResult(row.channel, row.external_id, problem.status, None, msgspec.to_builtins(problem))
