"""What happened: orders by what they are, movements of stock, the whole story of an order. All from SQL."""

import asyncio
import base64
import time
from collections.abc import Callable, Collection
from typing import Final, TypeVar

import msgspec
from fastapi import Request, Response

from allocator import Order, errors
from allocator.ledger import START, place
from allocator.records import decode_order
from app.deps import caller_of, guarded_router, state_of
from app.draining.drain import READER
from app.edge import Path, Query, answer
from app.errors import Behind, Unfit
from app.history_forms import (
    MovePage,
    MovesQuery,
    OrderPage,
    OrdersQuery,
    Position,
    Story,
    StoryPath,
    shown_move,
    shown_step,
)
from app.openapi import documented
from app.store.cursors import read_cursor
from app.store.history import MoveFacts, WantedMoves, WantedOrders, list_moves, list_orders, story_of

AFTER_SECONDS: Final = 5.0
"""How long an answer waits for what it must be as new as."""

LOOK_SECONDS: Final = 0.05

orders = guarded_router("/v1/orders", "orders")
movements = guarded_router("/v1/movements", "stock")

ORDERS = Query(OrdersQuery)
MOVES = Query(MovesQuery)
STORY = Path(StoryPath)

Key = TypeVar("Key")

_cursor_of_order = msgspec.json.Decoder(tuple[int, str, str]).decode
_cursor_of_move = msgspec.json.Decoder(tuple[int, int]).decode


@orders.get("", **documented(ORDERS, scope="orders:read", answers=OrderPage, refuses=(Behind,)))
async def list_all_orders(request: Request) -> Response:
    """
    Orders by channel, state, time, sku and location, newest first.

    They come from SQL, where an effect is within a second; `position` says how new the answer is, and `after` waits
    until it is as new as that (an id of a ledger entry, such as those of events).
    """
    caller, asked = caller_of(request), ORDERS(request)
    position = await _wait(request, asked.after)
    wanted = WantedOrders(
        channels=_one_of(asked.channel, caller.channels),
        locations=_one_of(asked.location, caller.locations),
        state=asked.state,
        sku=asked.sku or "",
        from_ms=asked.from_ms,
        until_ms=asked.until_ms,
        before=_read_cursor(asked.cursor, _cursor_of_order) if asked.cursor else None,
    )
    async with state_of(request).database.reading() as session:
        packed = await list_orders(session, caller.seller, wanted, asked.limit + 1)
    found = [decode_order(record).order for record in packed[: asked.limit]]
    more = _write_cursor(_key(found[-1])) if len(packed) > asked.limit else None
    return answer(OrderPage(found, more, position))


@orders.get(
    "/{channel}/{external_id}/story",
    **documented(STORY, scope="orders:read", answers=Story, refuses=(errors.UnknownOrder,)),
)
async def get_story(request: Request) -> Response:
    """Everything that happened to an order: who, what, when and why, and which units moved."""
    caller, path = caller_of(request), STORY(request)
    position = await _wait(request, "")
    id = f"{path.channel}:{path.external_id}"
    async with state_of(request).database.reading() as session:
        found = await story_of(session, caller.seller, "order", id)
    if not found:
        raise errors.UnknownOrder(facts={"channel": path.channel, "external_id": path.external_id})
    steps = [shown_step(entry, [shown_move(move) for move in moves]) for entry, moves in found]
    return answer(Story(steps, position))


@movements.get("", **documented(MOVES, scope="stock:read", answers=MovePage, refuses=(Behind,)))
async def list_movements(request: Request) -> Response:
    """Every unit that went from one bucket to another, of a sku or at a location, newest first; from SQL as orders."""
    caller, asked = caller_of(request), MOVES(request)
    position = await _wait(request, asked.after)
    wanted = WantedMoves(
        sku=asked.sku or "",
        locations=_one_of(asked.location, caller.locations),
        bucket=asked.bucket,
        before=_read_cursor(asked.cursor, _cursor_of_move) if asked.cursor else None,
    )
    async with state_of(request).database.reading() as session:
        found = await list_moves(session, caller.seller, wanted, asked.limit + 1)
    page = found[: asked.limit]
    more = _write_cursor(_place(page[-1])) if len(found) > asked.limit else None
    return answer(MovePage([shown_move(move) for move in page], more, position))


def _one_of(asked: str | None, own: Collection[str] | None) -> Collection[str] | None:
    """What is asked for, or else what the key is limited to."""
    return own if asked is None else (asked,)


async def _wait(request: Request, after: str) -> Position:
    """Where SQL stands, once it has `after`. Raises Behind."""
    until = time.monotonic() + AFTER_SECONDS
    while True:
        position = await _position(request)
        if not after or place(position) >= place(after):
            return Position(position)
        if time.monotonic() > until:
            raise Behind(f"what happened until {after} is not in SQL yet, only until {position}", where="query after")
        await asyncio.sleep(LOOK_SECONDS)


async def _position(request: Request) -> str:
    async with state_of(request).database.reading() as session:
        cursor = await read_cursor(session, caller_of(request).seller, READER)
    return cursor.position if cursor else START


def _key(order: Order) -> tuple[int, str, str]:
    return order.placed_ms, order.channel, order.external_id


def _place(move: MoveFacts) -> tuple[int, int]:
    return move.entry.number, move.place


def _write_cursor(key: tuple[object, ...]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def _read_cursor(cursor: str, decode: Callable[[bytes], Key]) -> Key:
    try:
        return decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError as error:
        raise Unfit("this is no cursor of ours", where="query cursor") from error
