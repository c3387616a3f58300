"""What callers send and get about what happened."""

from typing import Annotated, Any

import msgspec

from allocator import AnnouncedReturn, Code, Hold, Id, Order, Sku
from allocator.records import decode_hold

from .key_forms import PageSize
from .requests import Asked, Text
from .stock_forms import Stocked
from .store.history import EntryFacts, MoveFacts
from .store.past_holds import HoldFacts
from .store.past_orders import ShipmentFacts

Cursor = Annotated[str, msgspec.Meta(max_length=1_200, description="next_cursor of the page before.")]
After = Annotated[
    str, msgspec.Meta(pattern=r"^([0-9]{1,20}-[0-9]{1,20})?\Z", description="A position the answer must be as new as.")
]
Ms = Annotated[int, msgspec.Meta(ge=0, description="Milliseconds since 1970.")]


class OrdersQuery(Asked, frozen=True, kw_only=True):
    """
    Which orders, newest first; '' does not choose. The end is not included.

    location: units wait there. shipped_from: units have left from there.
    """

    channel: Code | None = None
    location: Code | None = None
    shipped_from: Code | None = None
    state: Text = ""
    sku: Sku | None = None
    from_ms: Ms = 0
    until_ms: Ms | None = None
    limit: PageSize = 100
    cursor: Cursor = ""
    after: After = ""


class MovesQuery(Asked, frozen=True, kw_only=True):
    """Which movements, newest first; '' does not choose. The end is not included."""

    sku: Sku | None = None
    location: Code | None = None
    bucket: Text = ""
    verb: Text = ""
    from_ms: Ms = 0
    until_ms: Ms | None = None
    limit: PageSize = 100
    cursor: Cursor = ""
    after: After = ""


class HoldsQuery(Asked, frozen=True, kw_only=True):
    """
    Which holds, newest first; '' does not choose. The end is not included.

    location: units are held there. pending: those that are orders whose payment or check is pending, or was.
    """

    channel: Code | None = None
    location: Code | None = None
    state: Text = ""
    sku: Sku | None = None
    owner: Text = ""
    pending: bool = False
    from_ms: Ms = 0
    until_ms: Ms | None = None
    limit: PageSize = 100
    cursor: Cursor = ""
    after: After = ""


class ShipmentsQuery(Asked, frozen=True, kw_only=True):
    """Which shipments, newest first; '' does not choose. The end is not included."""

    channel: Code | None = None
    external_id: Text = ""
    location: Code | None = None
    sku: Sku | None = None
    from_ms: Ms = 0
    until_ms: Ms | None = None
    limit: PageSize = 100
    cursor: Cursor = ""
    after: After = ""


class BalancesQuery(Asked, frozen=True, kw_only=True):
    """Which skus, in the order of their codes. A location: some units are there, or on their way."""

    location: Code | None = None
    limit: PageSize = 100
    cursor: Cursor = ""
    after: After = ""


class BalanceQuery(Asked, frozen=True, kw_only=True):
    """As it was at a time, or after an entry of the ledger (`entry` of a movement); as it is when neither is said."""

    at_ms: Ms | None = None
    entry: Annotated[int, msgspec.Meta(ge=0)] | None = None
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
    is the reason of unavailable units, the transfer of those in transit, or the channel of a quota; version is the
    sku's after it.
    """

    sku: str
    version: int
    location: str
    bucket: str
    of: str
    units: int


class Step(Effect, frozen=True, kw_only=True):
    """
    One effect in the life of an order, and what it moved.

    announced: the return that was announced or came, as it stood after it.
    """

    moves: list[Move]
    announced: AnnouncedReturn | None = None


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


class HeldPart(msgspec.Struct, frozen=True):
    """Units of a sku at a location that a hold was made of."""

    sku: str
    location: str
    units: int


class PastHold(Hold, frozen=True, kw_only=True):
    """A hold as it stands, and as it was made: when, and of what. One that has ended has no takes any more."""

    made_ms: int
    made_of: list[HeldPart]


class HoldPage(msgspec.Struct, frozen=True):
    """Some holds; next_cursor is null on the last page."""

    data: list[PastHold]
    next_cursor: str | None
    position: Position


class ShippedPart(msgspec.Struct, frozen=True):
    """Units of one line of an order in a shipment."""

    line: str
    sku: str
    units: int


class Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """
    What of an order left one location in one step, an entry of the ledger.

    gone: it had left before the order came, over a counter.
    """

    entry: int
    at_ms: int
    channel: str
    external_id: str
    location: str
    gone: bool
    units: int
    lines: list[ShippedPart]


class ShipmentPage(msgspec.Struct, frozen=True):
    """Some shipments; next_cursor is null on the last page."""

    data: list[Shipment]
    next_cursor: str | None
    position: Position


class BalancePage(msgspec.Struct, frozen=True):
    """Some skus as the ledger adds up to them; next_cursor is null on the last page."""

    data: list[Stocked]
    next_cursor: str | None
    position: Position


class Balance(msgspec.Struct, frozen=True):
    """One sku as the entries of the ledger add up to it, up to the one with the number `entry`."""

    stock: Stocked
    entry: int
    position: Position


class Story(msgspec.Struct, frozen=True):
    """All that happened to an order or a hold, oldest first."""

    steps: list[Step]
    position: Position


def shown_move(move: MoveFacts) -> Move:
    """A movement, for callers."""
    moved = {name: value for name, value in vars(move).items() if name not in {"entry", "place"}}
    return Move(**_effect(move.entry), **moved)


def shown_step(entry: EntryFacts, moves: list[Move], announced: AnnouncedReturn | None = None) -> Step:
    """An effect, for callers."""
    return Step(**_effect(entry), moves=moves, announced=announced)


def shown_hold(hold: HoldFacts) -> PastHold:
    """A hold, for callers."""
    now = msgspec.structs.asdict(decode_hold(hold.hold_id, hold.record))
    return PastHold(**now, made_ms=hold.made_ms, made_of=[HeldPart(**vars(line)) for line in hold.lines])


def shown_shipment(shipment: ShipmentFacts) -> Shipment:
    """A shipment, for callers."""
    facts = {**vars(shipment), "lines": [ShippedPart(**vars(line)) for line in shipment.lines]}
    return Shipment(**facts)


def _effect(entry: EntryFacts) -> dict[str, Any]:
    facts = vars(entry)
    return {"entry": entry.number, **{name: facts[name] for name in ("at_ms", "verb", "op", "actor", "why")}}
