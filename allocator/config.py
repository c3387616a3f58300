"""
What operators decide: locations, channels, skus and rules. Quotas are stock, not config.

The document is mastered outside; `rules.compile_config` turns it into the fields the scripts read, and
`configure.lua` puts them in force under a version.
"""

from datetime import date
from typing import Annotated, Final, Literal

import msgspec

from .model import Code, Demand, Sku

Overflow = Literal["none", "shared", "borrow"]
LocationKind = Literal["warehouse", "store", "third_party", "supplier"]
ChannelKind = Literal["shop", "marketplace", "pos"]
RuleKind = Literal["safety_stock", "buffer", "cutoff", "max_published"]

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

WEEK: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Every day, from Monday."""

LowersAt = Literal["order", "payment"]

PENDING_MINUTES_MAX = 60 * 24 * 60
"""Sixty days: what a bank transfer may take at most."""

RejectEffect = Literal["none", "less", "zero", "unavailable"]
"""What a reject says of the stock: it is there, less is there, nothing is there, it cannot be sold."""

Acknowledge = Literal["fsynced", "replicated", "ledger"]
"""
The level an answer waits for: it is on the server's disk, `replicas` of the server have it, or the ledger's copy has.

`ledger` is a word here and nothing more: who copies the ledger, and where to, is not this room's business.
"""

Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Rank = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Name = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*\Z", description="For people.")]
Label = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
UnitName = Annotated[str, msgspec.Meta(min_length=1, max_length=20, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
Area = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=129, pattern=r"^[^\x00-\x1f\x7f]+\Z", description='"country" or "country/region".'
    ),
]
CutOff = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?\Z", description="HH:MM, local time; '' means none.", max_length=5
    ),
]
WorkingDays = Annotated[
    tuple[Weekday, ...],
    msgspec.Meta(min_length=1, max_length=7, description="Every day unless said."),
]
ClosedDays = Annotated[
    tuple[date, ...], msgspec.Meta(max_length=400, description="Dates on which nobody works, such as 2026-12-25.")
]
Days = Annotated[int, msgspec.Meta(ge=0, le=60, description="Working days.")]
SplitLimit = Annotated[int, msgspec.Meta(ge=1, le=15)]
Money = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000_000, description="Integer minor units of one currency.")]
Gtin = Annotated[
    str,
    msgspec.Meta(pattern=r"^([0-9]{8}|[0-9]{12,14})?\Z", description="8, 12, 13 or 14 digits, or ''.", max_length=14),
]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A document struct: every unknown field is an error, so that a typing mistake is not a silent default."""


class Location(_Strict, frozen=True):
    """
    A place where units lie.

    `priority` 1 is the most preferred. `costs` are per delivery zone, in integer minor units of one currency; they
    count only where it names no `carriers`. An order from the `cut_off` on (local time of `time_zone`, an IANA name)
    belongs to the next of its working days; `handling_days` of them later it is handed over. `daily_orders`: how many
    orders can leave on one day. `pickup`: buyers may fetch their orders there.
    """

    code: Code
    kind: LocationKind = "warehouse"
    name: Name = ""
    active: bool = True
    priority: Rank = 100
    country: Label = ""
    region: Label = ""
    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180)] | None = None
    costs: dict[Label, Count] = {}
    daily_orders: Count | None = None
    cut_off: CutOff = ""
    time_zone: Label = ""
    handling_days: Days = 0
    working_days: WorkingDays = WEEK
    closed_on: ClosedDays = ()
    pickup: bool = False
    carriers: Annotated[tuple[Code, ...], msgspec.Meta(max_length=50)] = ()


class Rate(_Strict, frozen=True, kw_only=True):
    """
    What a carrier takes from one location ('': from any) to one of its zones.

    cost: integer minor units. transit_days: of the carrier's own working days, after the day it was handed over.
    """

    origin: Annotated[str, msgspec.Meta(max_length=64)] = ""
    zone: Label
    cost: Count
    transit_days: Days


class Carrier(_Strict, frozen=True):
    """
    Who brings goods to the buyer: where it goes, what it takes and how long it needs.

    `zones` maps "country" or "country/region" to a zone of this carrier; `working_days` and `closed_on` say when it
    delivers.
    """

    code: Code
    name: Name = ""
    zones: dict[Area, Label] = {}
    rates: Annotated[list[Rate], msgspec.Meta(max_length=5_000)] = []
    working_days: WorkingDays = WEEK
    closed_on: ClosedDays = ()


class SplitRule(_Strict, frozen=True, kw_only=True):
    """
    Another split limit for some orders: with a line of this category ('': any), and a value from `from_value` up to
    `to_value`, which is not included (None: however much).
    """

    category: Label = ""
    from_value: Money = 0
    to_value: Money | None = None
    split_limit: SplitLimit


class ChannelLocation(_Strict, frozen=True):
    """A location a channel may sell from. The list's order is the rank; `own_shelf` ignores the safety stock there."""

    code: Code
    own_shelf: bool = False


class Channel(_Strict, frozen=True):
    """
    A place that sells.

    rank: 1 is covered first. overflow: what lies beyond its quota. split_limit: most locations one order may be
    served from; the first of the split_rules that fits an order decides instead. routing: names of rankings, the
    first that does not tie decides. same_region_only: only locations in the ship-to's region (a hard constraint; a
    firm order relaxes it). lowers_at: when the channel's own stock number goes down, at the order or at its payment;
    so an order whose payment or check is pending claims its units at once, or none before it is paid.
    pending_minutes: how long such an order keeps its units; null when orders always come paid. acknowledge: the least
    level at which its holds, orders and quotas are answered.
    """

    code: Code
    kind: ChannelKind = "shop"
    name: Name = ""
    rank: Rank = 100
    demand: Demand = "promise"
    overflow: Overflow = "shared"
    split_limit: SplitLimit = 3
    locations: list[ChannelLocation] = []
    routing: tuple[str, ...] = ("channel_rank",)
    same_region_only: bool = False
    lowers_at: LowersAt = "order"
    pending_minutes: Annotated[int, msgspec.Meta(ge=1, le=PENDING_MINUTES_MAX)] | None = None
    acknowledge: Acknowledge = "fsynced"
    split_rules: Annotated[tuple[SplitRule, ...], msgspec.Meta(max_length=50)] = ()


class SkuConfig(_Strict, frozen=True):
    """A sku the seller has, counted in whole 1/scale of `unit`: kg with scale 1,000 means whole grams."""

    sku: Sku
    name: Name = ""
    category: Label = ""
    unit: UnitName = "piece"
    scale: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    gtin: Gtin = ""
    attributes: dict[Label, Name] = {}


class Rule(_Strict, frozen=True):
    """
    One rule: a kind, a scope and a value.

    Scope: any of sku or category (not both), with location (safety_stock only) or channel (the other kinds); none
    of them is the global scope. safety_stock, cutoff, max_published have `units`; buffer has `units` and `percent_bp`
    (hundredths of a percent), of which the larger counts.
    """

    kind: RuleKind
    sku: str = ""
    category: Label = ""
    location: str = ""
    channel: str = ""
    units: Count = 0
    percent_bp: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0


class RejectReason(_Strict, frozen=True):
    """
    Why a location may refuse what an order was to get there, and what that says of the stock there.

    effect: nothing (none); the refused units are not there (less); nothing that could be sold is there (zero); they are
    there and cannot be sold, with this code as the reason (unavailable). recount: when units left the books by it,
    somebody is to count the sku there.
    """

    code: Code
    name: Name = ""
    effect: RejectEffect = "none"
    recount: bool = False


DEFAULT_REASONS: Final = (
    RejectReason(code="not_found", name="Not found", effect="zero", recount=True),
    RejectReason(code="mismatch", name="Fewer there than booked", effect="less", recount=True),
    RejectReason(code="damaged", name="Damaged", effect="unavailable"),
    RejectReason(code="too_busy", name="Too busy"),
    RejectReason(code="closed", name="Closed"),
    RejectReason(code="other", name="Another reason"),
)
"""What every seller has; one of the seller's own with the same code replaces it."""


class Config(_Strict, frozen=True):
    """
    Everything operators decide for one seller.

    `zones` maps "country" or "country/region" to a delivery zone; `reasons` are those beside DEFAULT_REASONS.
    """

    locations: list[Location] = []
    channels: list[Channel] = []
    skus: list[SkuConfig] = []
    rules: list[Rule] = []
    zones: dict[Area, Label] = {}
    carriers: list[Carrier] = []
    reasons: list[RejectReason] = []


class ConfigChange(msgspec.Struct, frozen=True):
    """
    One change of the compiled config: the fields to set and to remove, and the skus that must exist from then on.

    Made against version `base`, in force as `version` (greater). At most 1,000 fields in all, and 1,000 skus.
    """

    base: int
    version: int
    fields: dict[str, bytes] = {}
    removed: list[str] = []
    skus: list[str] = []
