"""What callers send and get about what happened."""

from typing import Annotated, Any

import msgspec

from allocator import Code, Id, Order, Sku

from .key_forms import PageSize
from .requests import Asked, Text
from .store.history import EntryFacts, MoveFacts

Cursor = Annotated[str, msgspec.Meta(max_length=1_200, description="next_cursor of the page before.")]
After = Annotated[
    str, msgspec.Meta(pattern=r"^([0-9]{1,20}-[0-9]{1,20})?\Z", description="A position the answer must be as new as.")
]
Ms = Annotated[int, msgspec.Meta(ge=0, description="Milliseconds since 1970.")]


class OrdersQuery(Asked, frozen=True, kw_only=True):
    """Which orders, newest first; '' does not choose. A location: units wait there. The end is not included."""

    channel: Code | None = None
    location: Code | None = None
    state: Text = ""
    sku: Sku | None = None
    from_ms: Ms = 0
    until_ms: Ms | None = None
    limit: PageSize = 100
    cursor: Cursor = ""
    after: After = ""


class MovesQuery(Asked, frozen=True, kw_only=True):
    """Which movements, newest first; '' does not choose."""

    sku: Sku | None = None
    location: Code | None = None
    bucket: Text = ""
    limit: PageSize = 100
    cursor: Cursor = ""
    after: After = ""


class StoryPath(Asked, frozen=True, kw_only=True):
    """An order by its channel and the channel's own id."""

    channel: Code
    external_id: Id


class Position(msgspec.Struct, frozen=True):
    """How new an answer is: everything up to this entry of the ledger is in it."""

    id: str


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the ledger: who did what, when and why."""

    entry: int
    at_ms: int
    verb: str
    op: str
    actor: str
    why: str


class Move(Effect, frozen=True, kw_only=True):
    """
    Units that an effect moved into a bucket (out of it below zero). location is '' for what a sku as a whole owes; `of`
    is the reason of unavailable units, or the channel of a quota; version is the sku's after it.
    """

    sku: str
    version: int
    location: str
    bucket: str
    of: str
    units: int


class Step(Effect, frozen=True, kw_only=True):
    """One effect in the life of an order, and what it moved."""

    moves: list[Move]


class OrderPage(msgspec.Struct, frozen=True):
    """Some orders; next_cursor is null on the last page."""

    data: list[Order]
    next_cursor: str | None
    position: Position


class MovePage(msgspec.Struct, frozen=True):
    """Some movements; next_cursor is null on the last page."""

    data: list[Move]
    next_cursor: str | None
    position: Position


class Story(msgspec.Struct, frozen=True):
    """All that happened to an order, oldest first."""

    steps: list[Step]
    position: Position


def shown_move(move: MoveFacts) -> Move:
    """A movement, for callers."""
    moved = {name: value for name, value in vars(move).items() if name not in {"entry", "place"}}
    return Move(**_effect(move.entry), **moved)


def shown_step(entry: EntryFacts, moves: list[Move]) -> Step:
    """An effect, for callers."""
    return Step(**_effect(entry), moves=moves)


def _effect(entry: EntryFacts) -> dict[str, Any]:
    facts = vars(entry)
    return {"entry": entry.number, **{name: facts[name] for name in ("at_ms", "verb", "op", "actor", "why")}}
