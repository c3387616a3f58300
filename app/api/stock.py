"""What lies where, and stock movements: units that arrive, are corrected, go out of sale or come back."""

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import Request, Response

from allocator import AdjustLine, Moved, StockLine, errors
from app.acknowledging import acknowledged, deciding
from app.config.reading import read_page
from app.deps import caller_of, op_key, state_of
from app.edge import Body, Path, Query, answer
from app.guarding import guarded_router
from app.openapi import documented
from app.requests import AdjustAsked, ReceiveAsked, SkuPath, StockReturnAsked, UnavailableAsked
from app.stock_forms import Stocked, StockPage, StockQuery, stocked

router = guarded_router("/v1/stock", "stock")

RECEIVE = Body(ReceiveAsked)
ADJUST = Body(AdjustAsked)
UNAVAILABLE = Body(UnavailableAsked)
RETURN = Body(StockReturnAsked)
PAGE = Query(StockQuery)
SKU = Path(SkuPath)

CHUNK = 100
"""Skus per question to the allocator: a longer script would keep orders waiting."""

AUDITED_LINES = 20
"""As many lines of a call are shown in the audit; the ledger has them all."""

UNKNOWN = (errors.UnknownSku, errors.UnknownLocation)


@router.post(
    "/receive",
    **documented(
        RECEIVE,
        scope="stock:write",
        answers=Moved,
        op_key=True,
        acknowledges=True,
        stops="growth",
        refuses=(*UNKNOWN, errors.OverLimit),
    ),
)
@acknowledged
async def receive_stock(request: Request) -> Response:
    """Put units on shelves, all lines or none."""
    caller, op, asked = caller_of(request), op_key(request), await RECEIVE(request)
    allocator = await deciding(request)
    return answer(await allocator.receive(asked.lines, op=op, why=asked.why, actor=caller.actor))


@router.post(
    "/adjust",
    **documented(
        ADJUST,
        scope="stock:write",
        answers=Moved,
        op_key=True,
        acknowledges=True,
        stops="growth",
        refuses=(*UNKNOWN, errors.NotEnough, errors.OverLimit),
    ),
)
@acknowledged
async def adjust_stock(request: Request) -> Response:
    """Correct on_hand up or down, with a reason; what falls below what is promised is a deficit from then on."""
    caller, op, asked = caller_of(request), op_key(request), await ADJUST(request)
    allocator = await deciding(request)
    moved = await allocator.adjust(asked.lines, op=op, why=asked.why, actor=caller.actor)
    return _done(request, "stock.adjust", op, moved, {"why": asked.why, **_shown(asked.lines)})


@router.post(
    "/unavailable",
    **documented(
        UNAVAILABLE,
        scope="stock:write",
        answers=Moved,
        op_key=True,
        acknowledges=True,
        stops="growth",
        refuses=(*UNKNOWN, errors.NotEnough),
    ),
)
@acknowledged
async def set_unavailable(request: Request) -> Response:
    """
    Take units out of sale for a reason, or put them back.

    Reasons the service itself gives: `quarantine` to returned units, `put_away` to those cancelled after their pick had
    started; `out` with that reason says that they are on their shelf.
    """
    caller, op, asked = caller_of(request), op_key(request), await UNAVAILABLE(request)
    allocator = await deciding(request)
    moved = allocator.unavailable(
        asked.lines, op=op, reason=asked.reason, direction=asked.direction, actor=caller.actor
    )
    said = {"reason": asked.reason, "direction": asked.direction}
    return _done(request, "stock.unavailable", op, await moved, {**said, **_shown(asked.lines)})


@router.post(
    "/return",
    **documented(
        RETURN,
        scope="stock:write",
        answers=Moved,
        op_key=True,
        acknowledges=True,
        stops="growth",
        refuses=(*UNKNOWN, errors.OverLimit),
    ),
)
@acknowledged
async def return_stock(request: Request) -> Response:
    """Book goods that came back and belong to no order we know, by their skus."""
    caller, op, asked = caller_of(request), op_key(request), await RETURN(request)
    allocator = await deciding(request)
    moved = await allocator.return_units(asked.lines, op=op, why=asked.why, actor=caller.actor)
    if not moved.replayed:
        state_of(request).metrics.returned(caller.seller, asked.lines)
    return answer(moved)


@router.get("", **documented(PAGE, scope="stock:read", answers=StockPage))
async def list_stock(request: Request) -> Response:
    """What lies where of many skus, in the order of their codes. Each sku is of one moment, the page is not."""
    caller, asked = caller_of(request), PAGE(request)
    where = {"category": asked.category} if asked.category else {}
    page = await read_page(
        state_of(request).database, caller.seller, "skus", where=where, cursor=asked.cursor, limit=asked.limit
    )
    skus, rows = [sku for sku, _ in page.entries], []
    for start in range(0, len(skus), CHUNK):
        chunk = skus[start : start + CHUNK]
        states = await caller.allocator.stock(chunk)
        rows += [stocked(sku, state) for sku, state in zip(chunk, states, strict=True) if state is not None]
    return answer(StockPage(rows, page.next_cursor))


@router.get("/{sku}", **documented(SKU, scope="stock:read", answers=Stocked, refuses=(errors.UnknownSku,)))
async def get_stock(request: Request) -> Response:
    """What lies where of one sku: on hand, out of sale and why, held, committed, ring-fenced, missing, and owed."""
    caller, sku = caller_of(request), SKU(request).sku
    [state] = await caller.allocator.stock([sku])
    if state is None:
        raise errors.UnknownSku(facts={"skus": [sku]})
    return answer(stocked(sku, state))


def _shown(lines: Sequence[AdjustLine] | Sequence[StockLine]) -> dict[str, Any]:
    return {"lines": [msgspec.to_builtins(line) for line in lines[:AUDITED_LINES]], "lines_total": len(lines)}


def _done(request: Request, action: str, op: str, moved: Moved, detail: dict[str, Any]) -> Response:
    """The answer, after what was done is noted for the audit; what was answered before is there already."""
    if not moved.replayed:
        state_of(request).audit.act(request, action, f"op {op}", detail)
    return answer(moved)
