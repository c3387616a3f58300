"""Returns: announced before the goods are there, and what is expected of them."""

import msgspec
from fastapi import Request, Response

from allocator import Announced, AnnounceRequest, errors
from app.acknowledging import acknowledged, deciding
from app.deps import caller_of, state_of
from app.edge import Body, Path, Query, answer
from app.errors import Behind
from app.guarding import guarded_router
from app.history import Whole, cut, one_of, read_cursor_of, wait_for
from app.openapi import documented
from app.return_forms import AnnounceAsked, ExpectedPage, ReturnPath, ReturnsQuery, shown_expected
from app.store.announced import ExpectedFacts, ExpectedKey, WantedReturns, list_expected

orders = guarded_router("/v1/orders", "orders")
router = guarded_router("/v1/returns", "orders")

RETURN = Path(ReturnPath)
ANNOUNCE = Body(AnnounceAsked)
RETURNS = Query(ReturnsQuery)

REFUSES = (
    *(errors.UnknownOrder, errors.UnknownLine, errors.UnknownLocation),
    *(errors.Superseded, errors.TooManyReturns),
)

_key = msgspec.json.Decoder(tuple[Whole, str, str, str, str]).decode


@orders.put(
    "/{channel}/{external_id}/returns/{return_id}",
    **documented(
        RETURN,
        ANNOUNCE,
        scope="orders:ship",
        answers=Announced,
        created=True,
        acknowledges=True,
        stops="upkeep",
        refuses=REFUSES,
    ),
)
@acknowledged
async def announce_return(request: Request) -> Response:
    """
    Say that goods of an order come back, before they do. No unit moves: until they are there they are in no number.

    A newer revision says anew what is announced as a whole; an older one has no effect. POST …/return with this
    `return_id` books the goods when they come.
    """
    caller, path, asked = caller_of(request), RETURN(request), await ANNOUNCE(request)
    said = AnnounceRequest(
        revision=asked.revision,
        lines=asked.lines,
        location=asked.location or "",
        due_ms=asked.due_ms,
        why=asked.why,
    )
    allocator, order = await deciding(request, path.channel), (path.channel, path.external_id)
    return answer(await allocator.announce_return(*order, path.return_id, said, actor=caller.actor), 201)


@router.get("/announced", **documented(RETURNS, scope="orders:read", answers=ExpectedPage, refuses=(Behind,)))
async def list_announced(request: Request) -> Response:
    """
    Lines of announced returns of which units are expected, soonest first; before them those without a time.

    They come from SQL, where an effect is within a second; `position` and `after` as for orders.
    """
    caller, asked = caller_of(request), RETURNS(request)
    position = await wait_for(request, asked.after)
    wanted = WantedReturns(
        channels=one_of(asked.channel, caller.channels),
        locations=one_of(asked.location, caller.locations),
        sku=asked.sku or "",
        due_before_ms=asked.due_before_ms,
        after=read_cursor_of(asked.cursor, _key),
    )
    async with state_of(request).database.reading() as session:
        found = await list_expected(session, caller.seller, wanted, asked.limit + 1)
    page, more = cut(found, asked.limit, _key_of)
    return answer(ExpectedPage([shown_expected(line) for line in page], more, position))


def _key_of(line: ExpectedFacts) -> ExpectedKey:
    return line.due_ms, line.channel, line.external_id, line.return_id, line.line
