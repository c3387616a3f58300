"""What tills are answered, and the numbers they may sell."""

from typing import Annotated, Literal

import msgspec

from app.requests import Asked

Limit = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
Cursor = Annotated[str, msgspec.Meta(max_length=400, description="`next` of the answer before.")]


class EventResult(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of an event: applied, duplicate (it was before; nothing was done now) or rejected.

    code: why it was rejected, or what was done otherwise than one would think; says: the same in words, and what to do.
    available_after: what the channel may promise of its skus once all events were booked, in their units.
    """

    event_id: str
    status: Literal["applied", "duplicate", "rejected"]
    code: str
    says: str
    available_after: dict[str, str]


class EventResults(msgspec.Struct, frozen=True):
    """A result for each event, in the order in which they were sent."""

    results: list[EventResult]


class FeedQuery(Asked, frozen=True, kw_only=True):
    """What changed after `since`; without it everything."""

    since: Cursor = ""
    limit: Limit = 1_000


class FeedRow(msgspec.Struct, frozen=True):
    """What may be sold of a sku, in its unit; version -1: there is no such sku any more, -2: it is frozen."""

    sku: str
    available: str
    published: str
    version: int


class Feed(msgspec.Struct, frozen=True):
    """
    Numbers that may have changed. next: where to go on; more: there is more already. reset: forget all numbers first,
    everything is told again, beginning with these rows.
    """

    rows: list[FeedRow]
    next: str
    more: bool
    reset: bool
