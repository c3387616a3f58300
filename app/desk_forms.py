"""What callers send and get where an order loses its location."""

from typing import Annotated

import msgspec

from allocator import LINES_MAX, Code, Id, ShipTo, Sku, UnitsLine
from allocator.config import RejectEffect
from allocator.order_life import REJECTS_MAX

from .history_forms import After, Cursor, Position
from .key_forms import PageSize
from .requests import Asked, Prefer, Why

SomeLines = Annotated[list[UnitsLine], msgspec.Meta(max_length=LINES_MAX)]


class RejectAsked(Asked, frozen=True, kw_only=True):
    """
    A location refuses what an order was to get there; no lines means all of it.

    What that says of the stock there, the reason says (`GET /v1/reject-reasons`). With `rejects_max` rejects the order
    is not routed again. A ship_to ranks the locations anew.
    """

    location: Code
    reason: Annotated[Code, msgspec.Meta(description="One of the seller's reasons, such as not_found.")]
    lines: SomeLines = msgspec.field(default_factory=list)
    rejects_max: Annotated[int, msgspec.Meta(ge=1, le=100)] = REJECTS_MAX
    ship_to: ShipTo | None = None
    prefer: Prefer = msgspec.field(default_factory=list)


class ReasonInForce(msgspec.Struct, frozen=True):
    """
    A reason that a reject may name, and what it says of the stock there.

    effect: nothing (none); the refused units are not there (less); nothing that could be sold is there (zero); they are
    there and cannot be sold (unavailable). recount: what lost units by it is to be counted (`GET /v1/recounts`).
    default: every seller has it, and this one has not replaced it.
    """

    code: str
    name: str
    effect: RejectEffect
    recount: bool
    default: bool


class ReasonsInForce(msgspec.Struct, frozen=True):
    """The reasons of the config in force, by code."""

    config: int
    reasons: list[ReasonInForce]


class OrderMoveAsked(Asked, frozen=True, kw_only=True):
    """
    Units of an order go to another location; no lines means all that may.

    Without a `from_location` those go that are in conflict or backordered.
    """

    to_location: Code
    from_location: Code | None = None
    lines: SomeLines = msgspec.field(default_factory=list)
    why: Why = ""


class ConflictsQuery(Asked, frozen=True, kw_only=True):
    """Which conflicts, those of the oldest orders first; '' does not choose."""

    channel: Code | None = None
    sku: Sku | None = None
    limit: PageSize = 100
    cursor: Cursor = ""
    after: After = ""


class Option(msgspec.Struct, frozen=True):
    """Units of the sku that nobody has, at a location; safety stock and quotas are among them."""

    location: str
    available: int


class Conflict(msgspec.Struct, frozen=True):
    """
    Units of an accepted order that lost their location and found no other.

    locations: where somebody may move them now. They may wait, be moved, or be cancelled.
    """

    channel: Code
    external_id: Id
    line: Id
    sku: Sku
    units: int
    placed_ms: int
    locations: list[Option]


class ConflictPage(msgspec.Struct, frozen=True):
    """One page of conflicts."""

    data: list[Conflict]
    next_cursor: str | None
    position: Position
