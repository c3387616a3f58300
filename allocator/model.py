"""
The words of the allocator as types: what is asked, and what is answered.

All quantities are whole units of the sku's base unit, all times whole milliseconds since 1970 UTC.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from .announced import AnnouncedReturn
from .pending import HeldFor
from .promised import Promised

UNITS_MAX = 1_000_000_000
"""Most units one line may move. Lua counts exactly to 2^53; sums over lines and locations stay far below."""

LINES_MAX = 1_500
"""Most lines of one order or hold."""

MOVES_MAX = 500
"""Most lines of one stock movement."""

CANDIDATES_MAX = 15
"""Most locations a ranking may offer for one order."""

Units = Annotated[int, msgspec.Meta(ge=1, le=UNITS_MAX, description="Whole units of the sku's base unit.")]
Code = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*\Z",
        description="Letters, digits, '.', '_' and '-', starting with a letter or digit.",
    ),
]
Sku = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+\Z", description="The article code everyone shares."
    ),
]
Id = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+\Z", description="An id of the caller's own."
    ),
]

TransferId = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[!-~]+\Z",
        description="The caller's own id of a transfer: visible ASCII characters.",
    ),
]

Demand = Literal["promise", "firm", "gone"]
Disposition = Literal["restock", "quarantine", "scrap"]


class ShipTo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the goods go, as far as routing needs to know. No names, no streets."""

    country: str = ""
    region: str = ""
    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180)] | None = None


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of demand. `line` is the caller's own name for it, unique in the order."""

    line: Id
    sku: Sku
    units: Units


class HoldRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A claim for a limited time. An owner (a cart, a till's customer) has one open hold per channel."""

    hold_id: Id
    channel: Code
    lines: list[Line]
    ttl_ms: int
    owner: str = ""
    partial: bool = False
    ship_to: ShipTo = ShipTo()
    prefer: list[str] = []


class OrderRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    Accepted demand in the making.

    `kind` None means the channel's own. `hold` names a hold to take over. `at` is where the goods left (needed for
    `gone` unless the channel has one location only). `prefer` names locations to rank first. `ship_complete`: nothing
    of it is picked or shipped while units of it wait. `pickup`: the store where it is fetched. `value`: what it is
    worth, in integer minor units, for the channel's split rules. What is not said of the last three is no part of the
    fingerprint, so that it is that of an older version.
    """

    channel: Code
    external_id: Id
    lines: list[Line]
    attempt: int = 1
    kind: Demand | None = None
    hold: str = ""
    at: str = ""
    partial: bool = False
    ship_to: ShipTo = ShipTo()
    prefer: list[str] = []
    ship_complete: bool | UnsetType = UNSET
    pickup: Code | UnsetType = UNSET
    value: int | UnsetType = UNSET

    def first_attempt(self) -> "OrderRequest":
        """The same as a first attempt; all attempts of an order have its fingerprint."""
        return self if self.attempt == 1 else msgspec.structs.replace(self, attempt=1)


class StockLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units of one sku at one location."""

    sku: Sku
    location: Code
    units: Units


class AdjustLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A correction of on_hand, up or down, never 0."""

    sku: Sku
    location: Code
    units: Annotated[int, msgspec.Meta(ge=-UNITS_MAX, le=UNITS_MAX)]


class SentLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units of one sku that leave with a transfer."""

    sku: Sku
    units: Units


class ArrivedLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units of one sku of a transfer that have arrived, and units that will not come any more; not both 0."""

    sku: Sku
    arrived: Annotated[int, msgspec.Meta(ge=0, le=UNITS_MAX)] = 0
    lost: Annotated[int, msgspec.Meta(ge=0, le=UNITS_MAX)] = 0


class ShipLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units of one order line that left one location."""

    line: Id
    location: Code
    units: Units


class UnitsLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units of one line of an order."""

    line: Id
    units: Units


class CancelLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line to cancel, or some units of it; `units` None means all that can still be cancelled."""

    line: Id
    units: Units | None = None


class EditLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    How many units of a line are wanted in all from now on, those shipped included.

    0: none, as far as they have not left. A name the order does not have is a new line.
    """

    line: Id
    sku: Sku
    units: Annotated[int, msgspec.Meta(ge=0, le=UNITS_MAX)]


class EditRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    What is to be different about an order; lines that are not named stay as they are.

    `ship_to` and `prefer` rank the locations anew; without a `ship_to` the order keeps its ranking. `replan`: units
    whose pick has not started are taken anew. `partial`: as much of a promise as there is, instead of all or none.
    """

    lines: list[EditLine] = []
    ship_to: ShipTo | None = None
    prefer: list[str] = []
    replan: bool = False
    partial: bool = False
    why: str = ""


class ReturnLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Units that came back: with an order's `line`, or without one and then with a `sku`."""

    location: Code
    units: Units
    disposition: Disposition
    line: str = ""
    sku: str = ""


# --- answers ---------------------------------------------------------------------------------------------------


class Part(msgspec.Struct, frozen=True):
    """
    Units of a take by where they came from.

    source: own (the channel's quota), shared, borrowed (another's quota), buffer, safety, deficit (not there).
    quota: the channel whose quota the units consumed, or ''.
    """

    source: str
    units: int
    quota: str


class Take(msgspec.Struct, frozen=True):
    """Units taken for one line at one location; `picking` when their pick has started."""

    sku: str
    location: str
    units: int
    picking: bool
    parts: list[Part]


class Traced(msgspec.Struct, frozen=True):
    """What became of one candidate location: verdict as in lua/shared/tracing.lua."""

    location: str
    verdict: str
    units: int


class Version(msgspec.Struct, frozen=True):
    """A sku's version after the op: one more with every effect."""

    sku: str
    version: int


class HeldLine(msgspec.Struct, frozen=True):
    """How many units of a line the hold has."""

    line: str
    sku: str
    units: int
    held: int


class Held(msgspec.Struct, frozen=True):
    """A hold that was made; `replaced` is the id of the owner's earlier hold, or ''."""

    hold_id: str
    deadline_ms: int
    lines: list[HeldLine]
    takes: list[Take]
    plan: str
    trace: list[Traced]
    replaced: str
    versions: list[Version]
    replayed: bool


class OrderLine(msgspec.Struct, frozen=True):
    """committed + shipped + backordered + conflict + cancelled = ordered; returned is part of shipped."""

    line: str
    sku: str
    ordered: int
    committed: int
    shipped: int
    backordered: int
    conflict: int
    cancelled: int
    returned: int
    takes: list[Take]


class Placed(msgspec.Struct, frozen=True):
    """
    An accepted order.

    state: see `order_state` in lua/shared/orders.lua. hold: what the named hold gave: '' (none named), used, unknown,
    other_channel, or the state of one that has ended. plan: single, pair, triple, greedy, none. promised: None when
    nothing was but the units.
    """

    channel: str
    external_id: str
    kind: str
    state: str
    placed_ms: int
    lines: list[OrderLine]
    hold: str
    plan: str
    trace: list[Traced]
    versions: list[Version]
    replayed: bool
    promised: Promised | None = None


class Order(msgspec.Struct, frozen=True):
    """
    An order as it stands now.

    rejected_at: the locations that rejected it, in order. desk: its units in conflict wait for somebody to decide.
    promised: None when nothing was but the units. announced: its returns that were announced or named.
    """

    channel: str
    external_id: str
    kind: str
    state: str
    placed_ms: int
    lines: list[OrderLine]
    rejected_at: list[str] = []
    desk: bool = False
    promised: Promised | None = None
    announced: list[AnnouncedReturn] = []


class Changed(msgspec.Struct, frozen=True):
    """A later change of an order was made: its state and lines now, and the named return that goods came with."""

    channel: str
    external_id: str
    state: str
    lines: list[OrderLine]
    versions: list[Version]
    replayed: bool
    announced: AnnouncedReturn | UnsetType = UNSET


class Exchanged(msgspec.Struct, frozen=True):
    """Goods came back for one order, and another was placed for them. Both name the versions after the one step."""

    returned: Changed
    placed: Placed
    replayed: bool


class Hold(msgspec.Struct, frozen=True):
    """A hold as it stands now. state: open, released, expired, replaced, ordered. order: what it is for, or null."""

    hold_id: str
    channel: str
    owner: str
    state: str
    deadline_ms: int
    takes: list[Take]
    order: HeldFor | None = None


class Extended(msgspec.Struct, frozen=True):
    """A hold lives longer."""

    hold_id: str
    deadline_ms: int
    replayed: bool


class Released(msgspec.Struct, frozen=True):
    """A hold was let go."""

    hold_id: str
    versions: list[Version]
    replayed: bool


class Moved(msgspec.Struct, frozen=True):
    """A stock movement was made."""

    versions: list[Version]
    replayed: bool


class Level(msgspec.Struct, frozen=True):
    """What one channel may promise of one sku now. version -1: the sku is unknown; -2: it is frozen."""

    sku: str
    channel: str
    atp_now: int
    published: int
    version: int
