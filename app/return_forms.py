"""What callers send and get about returns that are announced before the goods are there."""

from typing import Annotated

import msgspec

from allocator import MOVES_MAX, AnnounceLine, Code, Id, Sku
from allocator.announced import REVISION_MAX

from .history_forms import After, Cursor, Ms, Position
from .key_forms import PageSize
from .requests import Asked, Why
from .store.announced import ExpectedFacts

Revision = Annotated[
    int, msgspec.Meta(ge=1, le=REVISION_MAX, description="Rises with every change of what is announced.")
]
Due = Annotated[int, msgspec.Meta(ge=1, le=REVISION_MAX, description="Milliseconds since 1970.")]


class ReturnPath(Asked, frozen=True, kw_only=True):
    """A return of an order by the caller's own id. Together with the revision it is the idempotency key."""

    channel: Code
    external_id: Id
    return_id: Id


class AnnounceAsked(Asked, frozen=True, kw_only=True):
    """
    What is announced of a return as a whole, those units included that have arrived.

    Lines that are not named are announced no more; none at all withdraws it. location: where it is expected. due_ms:
    until when.
    """

    revision: Revision
    lines: Annotated[list[AnnounceLine], msgspec.Meta(max_length=MOVES_MAX)]
    location: Code | None = None
    due_ms: Due | None = None
    why: Why = ""


class ReturnsQuery(Asked, frozen=True, kw_only=True):
    """Which lines of announced returns, soonest first. due_before_ms: expected before, where a time is known."""

    channel: Code | None = None
    location: Code | None = None
    sku: Sku | None = None
    due_before_ms: Ms | None = None
    limit: PageSize = 100
    cursor: Cursor = ""
    after: After = ""


class ExpectedLine(msgspec.Struct, frozen=True, kw_only=True):
    """
    One line of a return of which units are expected: announced as a whole, arrived, and yet to come.

    due_ms: when, null: nobody knows. location: where, or ''.
    """

    channel: str
    external_id: str
    return_id: str
    line: str
    revision: int
    due_ms: int | None
    location: str
    why: str
    sku: str
    units: int
    arrived: int
    expected: int


class ExpectedPage(msgspec.Struct, frozen=True):
    """Some lines of announced returns; next_cursor is null on the last page."""

    data: list[ExpectedLine]
    next_cursor: str | None
    position: Position


def shown_expected(found: ExpectedFacts) -> ExpectedLine:
    """A line of a return, for callers."""
    return ExpectedLine(**{**vars(found), "due_ms": found.due_ms or None})
