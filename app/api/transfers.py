"""Transfers: units that leave one location for another, and arrive there, elsewhere, or not at all."""

import msgspec
from fastapi import Request, Response

from allocator import Moved, errors
from app.acknowledging import acknowledged, deciding
from app.deps import caller_of, op_key, state_of
from app.edge import Body, Path, Query, answer
from app.errors import Behind, TransferUnknown
from app.guarding import guarded_router
from app.history import Whole, cut, one_of, read_cursor_of, wait_for
from app.openapi import documented
from app.requests import ArriveAsked, TransferAsked, TransferPath
from app.store.transfers import (
    TransferFacts,
    TransferKey,
    WantedTransfers,
    arrivals_of,
    list_transfers,
    read_transfer,
)
from app.transfer_forms import (
    TransferPage,
    TransferQuery,
    TransferShown,
    TransfersQuery,
    shown_arrival,
    shown_transfer,
)

router = guarded_router("/v1/transfers", "stock")

TRANSFER = Path(TransferPath)
SEND = Body(TransferAsked)
ARRIVE = Body(ArriveAsked)
TRANSFERS = Query(TransfersQuery)
NEW = Query(TransferQuery)

REFUSED = (errors.UnknownSku, errors.UnknownLocation, errors.NotEnough, errors.OverLimit)

_transfer_key = msgspec.json.Decoder(tuple[Whole, str]).decode


@router.put(
    "/{transfer_id}",
    **documented(
        TRANSFER,
        SEND,
        scope="stock:write",
        answers=Moved,
        created=True,
        acknowledges=True,
        stops="growth",
        refuses=REFUSED,
    ),
)
@acknowledged
async def put_transfer(request: Request) -> Response:
    """Send available units of one location to another; they are on no shelf until they arrive. Again: same answer."""
    caller, transfer_id, asked = caller_of(request), TRANSFER(request).transfer_id, await SEND(request)
    way = asked.from_location, asked.to_location
    allocator = await deciding(request)
    return answer(await allocator.transfer_out(transfer_id, *way, asked.lines, why=asked.why, actor=caller.actor), 201)


@router.post(
    "/{transfer_id}/arrive",
    **documented(
        TRANSFER,
        ARRIVE,
        scope="stock:write",
        answers=Moved,
        op_key=True,
        acknowledges=True,
        stops="upkeep",
        refuses=REFUSED,
    ),
)
@acknowledged
async def arrive_transfer(request: Request) -> Response:
    """
    Book units of a transfer that arrived, all of them or some, and those that were lost.

    More than was sent cannot arrive: a surplus, and what is found later, is received.
    """
    caller, transfer_id = caller_of(request), TRANSFER(request).transfer_id
    op, asked = op_key(request), await ARRIVE(request)
    allocator = await deciding(request)
    arrived = allocator.transfer_in(
        transfer_id, asked.location, asked.lines, op=op, at=asked.at or "", why=asked.why, actor=caller.actor
    )
    return answer(await arrived)


@router.get("", **documented(TRANSFERS, scope="stock:read", answers=TransferPage, refuses=(Behind,)))
async def list_all_transfers(request: Request) -> Response:
    """
    Transfers by state, location, sku and time, newest first, with what is still on its way.

    They come from SQL, where an effect is within a second; `position` and `after` as for orders.
    """
    caller, asked = caller_of(request), TRANSFERS(request)
    position = await wait_for(request, asked.after)
    ends = asked.from_location or asked.to_location
    wanted = WantedTransfers(
        state=asked.state or "",
        from_location=asked.from_location or "",
        to_location=asked.to_location or "",
        locations=one_of(asked.location, None if ends else caller.locations),
        sku=asked.sku or "",
        from_ms=asked.from_ms,
        until_ms=asked.until_ms,
        before=read_cursor_of(asked.cursor, _transfer_key),
    )
    async with state_of(request).database.reading() as session:
        found = await list_transfers(session, caller.seller, wanted, asked.limit + 1)
    page, more = cut(found, asked.limit, _key_of_transfer)
    return answer(TransferPage([shown_transfer(transfer) for transfer in page], more, position))


def _key_of_transfer(transfer: TransferFacts) -> TransferKey:
    return transfer.sent_ms, transfer.transfer_id


@router.get(
    "/{transfer_id}",
    **documented(TRANSFER, NEW, scope="stock:read", answers=TransferShown, refuses=(TransferUnknown, Behind)),
)
async def get_transfer(request: Request) -> Response:
    """A transfer as SQL knows it: what was sent, when and by whom, and each arrival."""
    caller, transfer_id = caller_of(request), TRANSFER(request).transfer_id
    position = await wait_for(request, NEW(request).after)
    async with state_of(request).database.reading() as session:
        found = await read_transfer(session, caller.seller, transfer_id)
        arrivals = await arrivals_of(session, caller.seller, transfer_id)
    if found is None or not (caller.sees_location(found.from_location) or caller.sees_location(found.to_location)):
        raise TransferUnknown(where="path transfer_id")
    return answer(TransferShown(shown_transfer(found), [shown_arrival(arrival) for arrival in arrivals], position))
