"""What callers say and are told about orders that were heard from a channel, and about what it is told back."""

from typing import Annotated, Literal

import msgspec

from allocator import Code, Id
from app.requests import Asked
from app.store.errands import ErrandFacts
from app.store.heard import HeardFacts

LIMIT_MAX = 500
NAMED_MAX = 500

Limit = Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MAX)]
Cursor = Annotated[str, msgspec.Meta(max_length=500, description="The page before says it.")]
Named = Annotated[list[Id], msgspec.Meta(max_length=NAMED_MAX)]
Keys = Annotated[list[Annotated[str, msgspec.Meta(max_length=200)]], msgspec.Meta(max_length=NAMED_MAX)]


class HeardQuery(Asked, frozen=True, kw_only=True):
    """Which orders; without a state all of them."""

    state: Literal["waiting", "taken", "parked"] | None = None
    limit: Limit = 100
    cursor: Cursor = ""


class ErrandsQuery(Asked, frozen=True, kw_only=True):
    """Which errands; without a state all of them."""

    state: Literal["waiting", "done", "dead"] | None = None
    limit: Limit = 100
    cursor: Cursor = ""


class ReplayOrders(Asked, frozen=True, kw_only=True):
    """Which parked orders are to be taken again; none named means all of them."""

    orders: Named | None = None


class ReplayErrands(Asked, frozen=True, kw_only=True):
    """
    Which dead errands are to be told again, by their keys; none named means all of them, but those that are `in_part`.

    One that is `in_part` is told to no channel: by its key people say that they have done it there.
    """

    keys: Keys | None = None


class PullAsked(Asked, frozen=True, kw_only=True):
    """From when on orders are to be looked for; without a time from where the last look ended."""

    since_ms: Annotated[int, msgspec.Meta(ge=0)] | None = None


class HeardOrder(msgspec.Struct, frozen=True):
    """
    An order as a channel told it last.

    revision: the newest that was heard, taken: the newest that our order follows; -1 for none. state: waiting (from
    due_ms on), taken or parked: then somebody must look; code and says tell why, and what to do. ask: the channel is to
    be asked for it. via: hook, poll, pull (from further back) or ask. Times in ms, 0 for never.
    """

    channel: str
    external_id: str
    state: str
    code: str
    says: str
    revision: int
    taken: int
    ask: bool
    attempts: int
    due_ms: int
    via: str
    placed_ms: int
    heard_ms: int
    taken_ms: int


class HeardPage(msgspec.Struct, frozen=True):
    """Orders, the newest heard first; `cursor` leads to the next page, None after the last."""

    data: list[HeardOrder]
    cursor: str | None


class Errand(msgspec.Struct, frozen=True):
    """
    Something a channel is told about one of its orders. kind: ship or cancel.

    state: waiting (from due_ms on), done, or dead: then it will not be told by itself; code and says tell why.
    """

    key: str
    kind: str
    external_id: str
    state: str
    code: str
    says: str
    attempts: int
    due_ms: int
    made_ms: int
    done_ms: int


class ErrandPage(msgspec.Struct, frozen=True):
    """Errands, newest first; `cursor` leads to the next page, None after the last."""

    data: list[Errand]
    cursor: str | None


class Woken(msgspec.Struct, frozen=True):
    """How many are tried again."""

    woken: int


class Pulled(msgspec.Struct, frozen=True):
    """Orders are looked for at once, from this time on."""

    connection: Code
    since_ms: int


def show_heard(channel: str, facts: HeardFacts) -> HeardOrder:
    """An order for people; of its picture nothing."""
    own = {name: getattr(facts, name) for name in HeardOrder.__struct_fields__ if name != "channel"}
    return HeardOrder(channel=channel, **own)


def show_errand(facts: ErrandFacts) -> Errand:
    """An errand for people."""
    return Errand(**{name: getattr(facts, name) for name in Errand.__struct_fields__})
