"""Orders heard from channels: which wait, which somebody must look at, and what their channels are told back."""

from typing import Final

import msgspec
from fastapi import Request, Response

from app.audit import by
from app.deps import caller_of, state_of
from app.edge import Body, Path, Query, answer
from app.errors import ConnectionUnknown
from app.guarding import guarded_router
from app.history import cut, read_cursor_of
from app.openapi import documented
from app.store.errands import ErrandFacts, page_errands
from app.store.heard import HeardFacts, page_heard
from app.sync import desk, in_desk
from app.sync.in_words import (
    ErrandPage,
    ErrandsQuery,
    HeardPage,
    HeardQuery,
    PullAsked,
    Pulled,
    ReplayErrands,
    ReplayOrders,
    Woken,
    show_errand,
    show_heard,
)
from app.sync.words import ConnectionPath

router = guarded_router("/v1/connections", "connections")

CONNECTION: Final = Path(ConnectionPath)
HEARD: Final = Query(HeardQuery)
ERRANDS: Final = Query(ErrandsQuery)
AGAIN: Final = Body(ReplayOrders, optional=True)
TELL_AGAIN: Final = Body(ReplayErrands, optional=True)
PULL: Final = Body(PullAsked, optional=True)

READ: Final = "connections:read"
WRITE: Final = "connections:write"

_key = msgspec.json.Decoder(tuple[int, str]).decode


@router.get(
    "/{connection}/orders",
    **documented(CONNECTION, HEARD, scope=READ, answers=HeardPage, refuses=(ConnectionUnknown,)),
)
async def list_heard_orders(request: Request) -> Response:
    """Orders as their channel told them, the newest heard first; with `state` parked those that wait for somebody."""
    code, asked, seller = CONNECTION(request).connection, HEARD(request), caller_of(request).seller
    before = read_cursor_of(asked.cursor, _key)
    async with state_of(request).database.reading() as session:
        facts = await desk.find(session, seller, code)
        found = await page_heard(session, seller, code, state=asked.state or "", before=before, limit=asked.limit + 1)
    page, more = cut(found, asked.limit, _key_of_order)
    return answer(HeardPage([show_heard(facts.channel, one) for one in page], more))


def _key_of_order(facts: HeardFacts) -> tuple[object, ...]:
    return facts.heard_ms, facts.external_id


@router.post(
    "/{connection}/orders/replay",
    **documented(CONNECTION, AGAIN, scope=WRITE, answers=Woken, refuses=(ConnectionUnknown,)),
)
async def replay_heard_orders(request: Request) -> Response:
    """Take parked orders again, these or all, once what kept them is put right. One order is never placed twice."""
    code, asked = CONNECTION(request).connection, await AGAIN(request)
    async with state_of(request).database.writing() as session:
        return answer(await in_desk.replay_orders(session, by(request), code, asked))


@router.post(
    "/{connection}/pull", **documented(CONNECTION, PULL, scope=WRITE, answers=Pulled, refuses=(ConnectionUnknown,))
)
async def pull_orders(request: Request) -> Response:
    """Look for orders at once, or from further back: those that are known already stay as they are."""
    code, asked = CONNECTION(request).connection, await PULL(request)
    async with state_of(request).database.writing() as session:
        return answer(await in_desk.pull_now(session, by(request), code, asked))


@router.get(
    "/{connection}/errands",
    **documented(CONNECTION, ERRANDS, scope=READ, answers=ErrandPage, refuses=(ConnectionUnknown,)),
)
async def list_errands(request: Request) -> Response:
    """Shipments and cancellations that the channel was told or is to be told, newest first."""
    code, asked, seller = CONNECTION(request).connection, ERRANDS(request), caller_of(request).seller
    before = read_cursor_of(asked.cursor, _key)
    async with state_of(request).database.reading() as session:
        await desk.find(session, seller, code)
        found = await page_errands(session, seller, code, state=asked.state or "", before=before, limit=asked.limit + 1)
    page, more = cut(found, asked.limit, _key_of_errand)
    return answer(ErrandPage([show_errand(one) for one in page], more))


def _key_of_errand(facts: ErrandFacts) -> tuple[object, ...]:
    return facts.made_ms, facts.key


@router.post(
    "/{connection}/errands/replay",
    **documented(CONNECTION, TELL_AGAIN, scope=WRITE, answers=Woken, refuses=(ConnectionUnknown,)),
)
async def replay_errands(request: Request) -> Response:
    """Tell the channel again what it has not taken; a shipment told twice is one there."""
    code, asked = CONNECTION(request).connection, await TELL_AGAIN(request)
    async with state_of(request).database.writing() as session:
        return answer(await in_desk.replay_errands(session, by(request), code, asked))
