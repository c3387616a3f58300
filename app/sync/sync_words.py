"""What callers ask and are told about the way of numbers to channels, as types."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from allocator import Sku
from app.requests import Asked

SKUS_MAX = 1_000

ListState = Literal["due", "dead", "retried", "drift", "unmapped", "held_back"]


class ShownQuery(Asked, frozen=True, kw_only=True):
    """
    Which listings: all, or those not pushed yet (`due`), given up (`dead`), given up and tried again by themselves
    (`retried`), that show another number than they were told (`drift`), that are no listing of ours (`unmapped`), or
    whose change waits for the day's budget (`held_back`).
    """

    state: ListState | None = None
    sku: Sku | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100
    cursor: Annotated[str, msgspec.Meta(max_length=400)] = ""


class ExchangesQuery(Asked, frozen=True, kw_only=True):
    """Which requests to a channel: of one operation, only what `failed`."""

    operation: Annotated[str, msgspec.Meta(max_length=100)] = ""
    failed: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, msgspec.Meta(max_length=200)] = ""


class SkusAsked(Asked, frozen=True, kw_only=True):
    """Of which skus; left out: of all."""

    skus: Annotated[list[Sku], msgspec.Meta(min_length=1, max_length=SKUS_MAX)] | None = None


class Numbers(msgspec.Struct, frozen=True):
    """
    Listings by what there is to say of them. listed: all of ours.

    due: to be pushed now; waiting: later, after a failure or for the budget's sake; held_back: those of them that the
    budget keeps; on_their_way: in a bulk push. dead: given up, until somebody replays them; retried: those of them that
    are tried again by themselves, because they may show more than there is. drift: showing another number than they
    were told. unmapped: sold there, and no listing of ours.
    """

    listed: int
    due: int
    waiting: int
    held_back: int
    on_their_way: int
    dead: int
    retried: int
    drift: int
    unmapped: int


class SyncStatus(msgspec.Struct, frozen=True):
    """
    How far a channel is behind the stock.

    oldest_unpushed_ms: for how long the oldest change has not been pushed, 0 when all are. revisions_per_day: how often
    one listing may be changed there in a day. position: the ledger entry up to which changes are noted; behind_ms: how
    much older it is than the ledger's newest, null when the store was not asked. reconciled_ms: when all numbers were
    last compared. failing: what keeps the connection from going on, '' for nothing.
    """

    connection: str
    connector: str
    channel: str
    paused: bool
    failing: str
    failing_since_ms: int
    numbers: Numbers
    oldest_unpushed_ms: int
    revisions_per_day: int | None
    position: str
    behind_ms: int | None
    reconciled_ms: int


class ShownListing(msgspec.Struct, frozen=True):
    """
    A listing: what it was told and what it shows. Times in ms, 0 for never.

    sku: '' for what is no listing of ours; named: what the channel calls it. pushed: its newest number was accepted.
    told: in units of the listing, null while nobody knows; version: the sku's by then. outcome: '' before the first
    push, accepted (taken, not seen yet), applied (seen on the channel), failed (it is tried again at due_ms) or dead
    (looked at again at due_ms if it may show more than there is, else 0); code and says: why. ticket: the bulk push
    that carries it. shown: what the channel showed at the last look.
    """

    listing: str
    sku: str
    named: str
    pushed: bool
    told: int | None
    told_places: Mapping[str, int]
    told_ms: int
    version: int
    outcome: str
    code: str
    says: str
    attempts: int
    changed_ms: int
    due_ms: int
    ticket: str
    shown: int | None
    shown_places: Mapping[str, int]
    shown_ms: int
    revisions: int


class ShownPage(msgspec.Struct, frozen=True):
    """Listings by their ids, and the cursor of the next page or null."""

    data: list[ShownListing]
    next_cursor: str | None


class Marked(msgspec.Struct, frozen=True):
    """How many listings were made due."""

    listings: int


class ExchangeShown(msgspec.Struct, frozen=True):
    """One request to the channel and its answer, without secrets and buyers. status 0: no answer, `error` says why."""

    id: int
    at_ms: int
    operation: str
    attempt: int
    request: str
    sent: str
    status: int
    answered: str
    took_ms: int
    error: str


class ExchangePage(msgspec.Struct, frozen=True):
    """What was said with a channel, newest first, and the cursor of the next page or null."""

    data: list[ExchangeShown]
    next_cursor: str | None
