"""What the endpoints about what happened share: how new an answer is, whose rows they are, and cursors of pages."""

import asyncio
import base64
import time
from collections.abc import Callable, Collection, Sequence
from typing import Annotated, Final, TypeVar

import msgspec
from starlette.requests import Request

from allocator import AnnouncedReturn
from allocator.announcing import VERBS, return_of
from allocator.ledger import START, place
from allocator.records import Entry

from .deps import caller_of, state_of
from .draining.drain import READER
from .errors import Behind, Unfit
from .history_forms import Position, Story, shown_move, shown_step
from .store.cursors import read_cursor
from .store.database import Session
from .store.history import EntryFacts, story_of
from .store.inspecting import entries_with

AFTER_SECONDS: Final = 5.0
"""How long an answer waits for what it must be as new as."""

LOOK_SECONDS: Final = 0.05

_decode_entry = msgspec.msgpack.Decoder(Entry).decode

Whole = Annotated[int, msgspec.Meta(ge=0)]
"""A number of a cursor; a forged one may be anything."""

Row = TypeVar("Row")
Key = TypeVar("Key")


async def wait_for(request: Request, after: str = "") -> Position:
    """Where SQL stands, once it has `after`. Raises Behind, DatabaseAway."""
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


async def tell_story(request: Request, kind: str, id: str, *, owner: str = "") -> Story | None:
    """
    Everything that happened to an order or a hold, and to the holds of an owner; None when nothing did.

    Raises DatabaseAway.
    """
    position = await wait_for(request)
    async with state_of(request).database.reading() as session:
        seller = caller_of(request).seller
        found = await story_of(session, seller, kind, id, owner=owner)
        announced = await _announced(session, seller, [entry for entry, _ in found])
    steps = [shown_step(entry, [*map(shown_move, moves)], announced.get(entry.number)) for entry, moves in found]
    return Story(steps, position) if steps else None


async def _announced(session: Session, seller: str, entries: Sequence[EntryFacts]) -> dict[int, AnnouncedReturn | None]:
    """The returns that these entries announced, or that came with them, by the number of the entry."""
    numbers = [entry.number for entry in entries if entry.verb in VERBS]
    rows = await entries_with(session, seller, numbers)
    return {row.number: return_of(_decode_entry(row.body)) for row in rows}


def one_of(asked: str | None, own: Collection[str] | None) -> Collection[str] | None:
    """What is asked for, or else what the key is limited to."""
    return own if asked is None else (asked,)


def cut(found: Sequence[Row], limit: int, key: Callable[[Row], tuple[object, ...]]) -> tuple[Sequence[Row], str | None]:
    """The page, of one row more than it may have, and the cursor of the next one, or None."""
    page = found[:limit]
    return page, write_cursor(key(page[-1])) if len(found) > limit else None


def write_cursor(key: tuple[object, ...]) -> str:
    """Where a page ended, as text."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def read_cursor_of(cursor: str, decode: Callable[[bytes], Key]) -> Key | None:
    """Where the page before ended, or None at first. Raises Unfit."""
    if not cursor:
        return None
    try:
        return decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError as error:
        raise Unfit("this is no cursor of ours", where="query cursor") from error
