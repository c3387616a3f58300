"""
What callers send: bodies, paths and queries as types, with the limits that give a good message early.

The scripts check everything again; nothing here is needed for safety.
"""

from typing import Annotated, Literal

import msgspec

from allocator import (
    LINES_MAX,
    MOVES_MAX,
    AdjustLine,
    ArrivedLine,
    CancelLine,
    Code,
    Demand,
    EditLine,
    Id,
    Line,
    ReturnLine,
    SentLine,
    ShipLine,
    ShipTo,
    Sku,
    StockLine,
    TransferId,
    Units,
)
from allocator.config import Money

SKUS_MAX = 1_000
"""Most skus one question may name; the allocator is asked for a hundred at a time."""

CHANNELS_MAX = 100

BULK_MAX = 100
"""Most orders of one request."""

Text = Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
Why = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*\Z", description="Kept in the ledger.")]
Seconds = Annotated[int, msgspec.Meta(ge=1, description="From now.")]
Prefer = Annotated[list[Code], msgspec.Meta(max_length=100, description="Locations to rank first.")]
Form = Literal["json", "text"]
"""Of an answer; when nothing is said, what the header Accept asks for."""

Moves = Annotated[list[StockLine], msgspec.Meta(min_length=1, max_length=MOVES_MAX)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A field nobody knows is an error, so that a typing mistake is not a silent default."""


class LineAsked(Asked, frozen=True, kw_only=True):
    """One line of demand. `line` is the caller's name for it; without one it is its number from 1."""

    sku: Sku
    units: Units
    line: Text = ""


Lines = Annotated[list[LineAsked], msgspec.Meta(min_length=1, max_length=LINES_MAX)]


def named(lines: list[LineAsked]) -> list[Line]:
    """The lines with a name each."""
    return [Line(asked.line or str(number), asked.sku, asked.units) for number, asked in enumerate(lines, 1)]


# --- paths -----------------------------------------------------------------------------------------------------


class SkuPath(Asked, frozen=True, kw_only=True):
    """One sku."""

    sku: Sku


class HoldPath(Asked, frozen=True, kw_only=True):
    """The caller's id of a hold. It is the idempotency key."""

    hold_id: Id


class OrderPath(Asked, frozen=True, kw_only=True):
    """A channel and its own id of an order. Together with the attempt they are the idempotency key."""

    channel: Code
    external_id: Id


class TransferPath(Asked, frozen=True, kw_only=True):
    """The caller's id of a transfer. It is the idempotency key of sending it."""

    transfer_id: TransferId


class ProblemPath(Asked, frozen=True, kw_only=True):
    """The last part of a problem's `type`."""

    slug: Code


# --- queries ---------------------------------------------------------------------------------------------------


Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]


class Place(Asked, frozen=True, kw_only=True):
    """Whose holds to add back, and where the goods would go."""

    owner: Text = ""
    country: Text = ""
    region: Text = ""
    latitude: Latitude | None = None
    longitude: Longitude | None = None

    def ship_to(self) -> ShipTo | None:
        """The ship-to, or None when nothing of it was said."""
        return _ship_to(self)


class AvailabilityQuery(Place, frozen=True, kw_only=True):
    """No channel means all of them; with a ship-to name one."""

    channel: Annotated[list[Code], msgspec.Meta(max_length=CHANNELS_MAX)] = []


class ExplainQuery(Place, frozen=True, kw_only=True):
    """One channel, and the form of the answer."""

    channel: Code
    format: Form | None = None


class OrderExplainQuery(Asked, frozen=True, kw_only=True):
    """Which attempt; and the ship-to and preferred locations of the order, which are not kept, for its rankings."""

    attempt: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    country: Text = ""
    region: Text = ""
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    prefer: Prefer = []
    format: Form | None = None

    def ship_to(self) -> ShipTo:
        """The ship-to; an empty one when nothing of it was said."""
        return _ship_to(self) or ShipTo()


def _ship_to(asked: Place | OrderExplainQuery) -> ShipTo | None:
    said = asked.country or asked.region or asked.latitude is not None or asked.longitude is not None
    return ShipTo(asked.country, asked.region, asked.latitude, asked.longitude) if said else None


class ReadyQuery(Asked, frozen=True, kw_only=True):
    """`verbose`: where each seller stands, too."""

    verbose: Literal["", "true", "1"] | None = None


# --- bodies ----------------------------------------------------------------------------------------------------


class AvailabilityAsked(Asked, frozen=True, kw_only=True):
    """Many skus at once; no channels means all of them."""

    skus: Annotated[list[Sku], msgspec.Meta(min_length=1, max_length=SKUS_MAX)]
    channels: Annotated[list[Code], msgspec.Meta(max_length=CHANNELS_MAX)] = []
    owner: Text = ""
    ship_to: ShipTo | None = None


class HoldAsked(Asked, frozen=True, kw_only=True):
    """A claim for a limited time; an owner (a cart) has one open hold per channel."""

    channel: Code
    lines: Lines
    owner: Text = ""
    ttl_seconds: Seconds | None = None
    partial: bool = False
    ship_to: ShipTo = ShipTo()
    prefer: Prefer = []


class ExtendAsked(Asked, frozen=True, kw_only=True):
    """How long the hold shall live from now on."""

    ttl_seconds: Seconds


class Wanted(Asked, frozen=True, kw_only=True):
    """What is wanted of an order that is placed, kept, tried, or one of many."""

    lines: Lines
    attempt: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    kind: Demand | None = None
    hold: Text = ""
    at: Text = ""
    partial: bool = False
    ship_to: ShipTo = ShipTo()
    prefer: Prefer = []
    ship_complete: Annotated[bool, msgspec.Meta(description="Nothing is picked or shipped while units wait.")] = False
    pickup: Annotated[Code | None, msgspec.Meta(description="The store where it is fetched.")] = None
    value: Annotated[Money | None, msgspec.Meta(description="What it is worth, for the channel's split rules.")] = None


Pending = Literal["", "payment", "fraud_check"]


class OrderAsked(Wanted, frozen=True, kw_only=True):
    """
    Demand to be accepted.

    kind: promise, firm or gone; without one the channel's own. hold: a hold to take over. at: the location that goods
    that are gone have left. pending: its payment or fraud check is, so it is only kept until it comes again without
    that. A refusal is final for its attempt.
    """

    pending: Pending = ""


class PreviewAsked(Wanted, frozen=True, kw_only=True):
    """An order that is only tried."""

    channel: Code


class OrderInBulk(Wanted, frozen=True, kw_only=True):
    """One of many orders. pending: its payment or fraud check is, so it is only kept, as if it came alone."""

    channel: Code
    external_id: Id
    pending: Pending = ""


class BulkOrders(Asked, frozen=True, kw_only=True):
    """Many orders, each by itself."""

    orders: Annotated[list[OrderInBulk], msgspec.Meta(min_length=1, max_length=BULK_MAX)]


class PickAsked(Asked, frozen=True, kw_only=True):
    """Where the pick has started; without a location everywhere."""

    location: Annotated[str, msgspec.Meta(max_length=64)] = ""


class ShipAsked(Asked, frozen=True, kw_only=True):
    """
    What has left; no lines means all that is committed.

    carrier and tracking: by whom it goes and its number there, for the channel that the order came from.
    """

    lines: Annotated[list[ShipLine], msgspec.Meta(max_length=LINES_MAX)] = []
    carrier: Text = ""
    tracking: Text = ""


class CancelAsked(Asked, frozen=True, kw_only=True):
    """
    What is no longer wanted; no lines means the whole order.

    picked: units whose pick has started, too. They wait, unavailable with the reason put_away, where they were picked.
    """

    lines: Annotated[list[CancelLine], msgspec.Meta(max_length=LINES_MAX)] = []
    picked: bool = False
    why: Why = ""


class EditAsked(Asked, frozen=True, kw_only=True):
    """
    What is to be different about an order; lines that are not named stay as they are.

    ship_to, prefer: rank the locations anew; without a ship_to the order keeps the ranking it has. replan: units whose
    pick has not started are given back and taken anew, in the same step. partial: of a promise as much as there is,
    instead of all or nothing.
    """

    lines: Annotated[list[EditLine], msgspec.Meta(max_length=LINES_MAX)] = []
    ship_to: ShipTo | None = None
    prefer: Prefer = []
    replan: bool = False
    partial: bool = False
    why: Why = ""


class ReturnAsked(Asked, frozen=True, kw_only=True):
    """Goods of an order that came back, by its lines; return_id: the return that they are, announced or not."""

    lines: Annotated[list[ReturnLine], msgspec.Meta(min_length=1, max_length=MOVES_MAX)]
    why: Why = ""
    return_id: Text = ""


class ExchangedFor(Asked, frozen=True, kw_only=True):
    """
    The order that goods are exchanged for.

    kind: promise, firm or gone; without one the channel's own. at: the location that goods that are gone have left.
    """

    channel: Code
    external_id: Id
    lines: Lines
    kind: Demand | None = None
    at: Text = ""
    ship_to: ShipTo = ShipTo()
    prefer: Prefer = []


class ExchangeAsked(Asked, frozen=True, kw_only=True):
    """Goods of an order that came back, by its lines, and the order that is placed for them."""

    lines: Annotated[list[ReturnLine], msgspec.Meta(min_length=1, max_length=MOVES_MAX)]
    order: ExchangedFor
    why: Why = ""


class StockReturnAsked(ReturnAsked, frozen=True, kw_only=True):
    """Goods that came back and belong to no order we know, by their skus."""


class ReceiveAsked(Asked, frozen=True, kw_only=True):
    """Units that arrive on shelves."""

    lines: Moves
    why: Why = ""


class AdjustAsked(Asked, frozen=True, kw_only=True):
    """Corrections of on_hand, up or down, with a reason."""

    lines: Annotated[list[AdjustLine], msgspec.Meta(min_length=1, max_length=MOVES_MAX)]
    why: Annotated[Why, msgspec.Meta(min_length=1)]


class UnavailableAsked(Asked, frozen=True, kw_only=True):
    """Units to take out of sale (direction in) or to put back (direction out)."""

    lines: Moves
    reason: Annotated[Code, msgspec.Meta(description="damaged, quality_hold, ...")]
    direction: Literal["in", "out"]


class SetQuotaAsked(Asked, frozen=True, kw_only=True):
    """Units ring-fenced for one channel at one location; `floor` of them nobody may borrow."""

    sku: Sku
    location: Code
    channel: Code
    quota: Count
    floor: Count = 0
    why: Why = ""


class MoveQuotaAsked(Asked, frozen=True, kw_only=True):
    """Ring-fenced units to hand to another channel."""

    sku: Sku
    location: Code
    from_channel: Code
    to_channel: Code
    units: Units
    why: Why = ""


class TransferAsked(Asked, frozen=True, kw_only=True):
    """What leaves one location for another. All lines or none; a refusal is final for this id."""

    from_location: Code
    to_location: Code
    lines: Annotated[list[SentLine], msgspec.Meta(min_length=1, max_length=MOVES_MAX)]
    why: Why = ""


class ArriveAsked(Asked, frozen=True, kw_only=True):
    """
    What of a transfer has arrived, and what will not come any more.

    location: the transfer's destination. at: where the units did arrive, if that is elsewhere; the sender's, say.
    """

    location: Code
    lines: Annotated[list[ArrivedLine], msgspec.Meta(min_length=1, max_length=MOVES_MAX)]
    at: Code | None = None
    why: Why = ""
