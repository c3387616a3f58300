"""What happened to orders and stock: orders by what they are, shipments, movements, the whole story. All from SQL."""

import msgspec
from fastapi import Request, Response

from allocator import errors
from allocator.pending import owner_of
from allocator.records import OrderRecord, decode_order
from app.deps import caller_of, state_of
from app.edge import Path, Query, answer
from app.errors import Behind
from app.guarding import guarded_router
from app.history import Whole, cut, one_of, read_cursor_of, tell_story, wait_for
from app.history_forms import (
    MovePage,
    MovesQuery,
    OrderPage,
    OrdersQuery,
    ShipmentPage,
    ShipmentsQuery,
    Story,
    StoryPath,
    shown_move,
    shown_shipment,
)
from app.openapi import documented
from app.store.history import MoveFacts, WantedMoves, list_moves
from app.store.past_orders import (
    OrderKey,
    ShipmentFacts,
    ShipmentKey,
    WantedOrders,
    WantedShipments,
    list_orders,
    list_shipments,
)

orders = guarded_router("/v1/orders", "orders")
shipments = guarded_router("/v1/shipments", "orders")
movements = guarded_router("/v1/movements", "stock")

ORDERS = Query(OrdersQuery)
SHIPMENTS = Query(ShipmentsQuery)
MOVES = Query(MovesQuery)
STORY = Path(StoryPath)

_order_key = msgspec.json.Decoder(tuple[Whole, str, str]).decode
_shipment_key = msgspec.json.Decoder(tuple[Whole, Whole, str]).decode
_move_key = msgspec.json.Decoder(tuple[Whole, Whole]).decode


@orders.get("", **documented(ORDERS, scope="orders:read", answers=OrderPage, refuses=(Behind,)))
async def list_all_orders(request: Request) -> Response:
    """
    Orders by channel, state, time, sku and location, newest first.

    They come from SQL, where an effect is within a second; `position` says how new the answer is, and `after` waits
    until it is as new as that (an id of a ledger entry, such as those of events).
    """
    caller, asked = caller_of(request), ORDERS(request)
    position = await wait_for(request, asked.after)
    wanted = WantedOrders(
        channels=one_of(asked.channel, caller.channels),
        location=asked.location or "",
        shipped_from=asked.shipped_from or "",
        own=None if asked.location or asked.shipped_from else caller.locations,
        state=asked.state,
        sku=asked.sku or "",
        from_ms=asked.from_ms,
        until_ms=asked.until_ms,
        before=read_cursor_of(asked.cursor, _order_key),
    )
    async with state_of(request).database.reading() as session:
        packed = await list_orders(session, caller.seller, wanted, asked.limit + 1)
    page, more = cut([decode_order(record) for record in packed], asked.limit, _key_of_order)
    return answer(OrderPage([record.order for record in page], more, position))


def _key_of_order(record: OrderRecord) -> OrderKey:
    return record.order.placed_ms, record.order.channel, record.order.external_id


@orders.get(
    "/{channel}/{external_id}/story",
    **documented(STORY, scope="orders:read", answers=Story, refuses=(errors.UnknownOrder,)),
)
async def get_story(request: Request) -> Response:
    """Everything that happened to an order, while it was pending too: who, what, when and why, which units moved."""
    path = STORY(request)
    owner = owner_of(path.channel, path.external_id)
    story = await tell_story(request, "order", f"{path.channel}:{path.external_id}", owner=owner)
    if story is None:
        raise errors.UnknownOrder(facts={"order": f"{path.channel}:{path.external_id}"})
    return answer(story)


@shipments.get("", **documented(SHIPMENTS, scope="orders:read", answers=ShipmentPage, refuses=(Behind,)))
async def list_all_shipments(request: Request) -> Response:
    """
    What left, newest first: of which order, from where, when, which lines; from SQL as orders.

    One shipment is what of one order left one location in one step, sales of goods that were gone included.
    """
    caller, asked = caller_of(request), SHIPMENTS(request)
    position = await wait_for(request, asked.after)
    wanted = WantedShipments(
        channels=one_of(asked.channel, caller.channels),
        external_id=asked.external_id,
        locations=one_of(asked.location, caller.locations),
        sku=asked.sku or "",
        from_ms=asked.from_ms,
        until_ms=asked.until_ms,
        before=read_cursor_of(asked.cursor, _shipment_key),
    )
    async with state_of(request).database.reading() as session:
        found = await list_shipments(session, caller.seller, wanted, asked.limit + 1)
    page, more = cut(found, asked.limit, _key_of_shipment)
    return answer(ShipmentPage([shown_shipment(shipment) for shipment in page], more, position))


def _key_of_shipment(shipment: ShipmentFacts) -> ShipmentKey:
    return shipment.at_ms, shipment.entry, shipment.location


@movements.get("", **documented(MOVES, scope="stock:read", answers=MovePage, refuses=(Behind,)))
async def list_movements(request: Request) -> Response:
    """Every unit that went from one bucket to another, by sku, location, time and verb, newest first; from SQL."""
    caller, asked = caller_of(request), MOVES(request)
    position = await wait_for(request, asked.after)
    wanted = WantedMoves(
        sku=asked.sku or "",
        locations=one_of(asked.location, caller.locations),
        bucket=asked.bucket,
        verb=asked.verb,
        from_ms=asked.from_ms,
        until_ms=asked.until_ms,
        before=read_cursor_of(asked.cursor, _move_key),
    )
    async with state_of(request).database.reading() as session:
        found = await list_moves(session, caller.seller, wanted, asked.limit + 1)
    page, more = cut(found, asked.limit, _key_of_move)
    return answer(MovePage([shown_move(move) for move in page], more, position))


def _key_of_move(move: MoveFacts) -> tuple[int, int]:
    return move.entry.number, move.place
