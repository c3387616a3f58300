"""Why a channel's number is what it is, as types: every step, every shelf, every rule that spoke."""

import msgspec


class Quota(msgspec.Struct, frozen=True):
    """A channel's ring-fenced units of a sku at a location."""

    channel: str
    quota: int
    consumed: int
    floor: int


class Shelf(msgspec.Struct, frozen=True):
    """
    One location as the channel sees it, in rank order: steps 1 and 2 of ATP.

    in_transit: units that transfers have on their way there; they count for nothing until they arrive.
    """

    location: str
    on_hand: int
    unavailable: int
    held: int
    committed: int
    available: int
    safety_stock: int
    free: int
    own: int
    shared: int
    borrowable: int
    open: int
    deficit: int
    quotas: list[Quota]
    in_transit: int = 0


class RuleSaid(msgspec.Struct, frozen=True):
    """One rule that could speak: units, and percent_bp for a buffer. The first of a list wins, the others lost."""

    scope: str
    units: int
    percent_bp: int


class RuleChoice(msgspec.Struct, frozen=True):
    """The rules of one kind for one place (a location or the channel), the winner first; empty when none speaks."""

    kind: str
    place: str
    rules: list[RuleSaid]


class Explained(msgspec.Struct, frozen=True):
    """Every step from shelves to the published number. max_published -1: no cap."""

    sku: str
    channel: str
    version: int
    overflow: str
    shelves: list[Shelf]
    open: int
    backordered: int
    conflict: int
    deficits: int
    owed: int
    pool: int
    buffer: int
    atp_now: int
    cutoff: int
    max_published: int
    published: int
    spread: dict[str, int]
    rules: list[RuleChoice]
