"""What callers send and hear about what a draft of config would make of recent orders, as types."""

from typing import Annotated, Final

import msgspec

from allocator import Code
from app.requests import Asked

ORDERS_MAX: Final = 1_000
"""Most orders that one preview asks for."""


class DraftPreviewAsked(Asked, frozen=True, kw_only=True):
    """Which orders: so many of the newest, of one channel, placed at `since_ms` or later (ms since 1970)."""

    orders: Annotated[int, msgspec.Meta(ge=1, le=ORDERS_MAX)] = 100
    channel: Code | None = None
    since_ms: Annotated[int, msgspec.Meta(ge=0)] = 0


class LineRoute(msgspec.Struct, frozen=True):
    """Units of a line by location, and units that would wait or be forgone."""

    locations: dict[str, int]
    missing: int


class LineForeseen(msgspec.Struct, frozen=True):
    """A line that would go elsewhere."""

    line: str
    sku: str
    before: LineRoute
    after: LineRoute


class Route(msgspec.Struct, frozen=True):
    """
    How an order would be routed now.

    outcome: placed, or the word of the refusal. parcels: how many locations it leaves from. missing: units that would
    wait. ship_by_ms and deliver_by_ms: as promised, None: not known. cost: of its parcels in integer minor units, None:
    not known of all of them.
    """

    outcome: str
    plan: str
    parcels: int
    missing: int
    ship_by_ms: int | None
    deliver_by_ms: int | None
    cost: int | None


class OrderForeseen(msgspec.Struct, frozen=True):
    """An order of which something changes; lines: those that would go elsewhere."""

    channel: str
    external_id: str
    placed_ms: int
    before: Route
    after: Route
    lines: list[LineForeseen]


class LocationForeseen(msgspec.Struct, frozen=True):
    """What one location would send of all orders compared."""

    location: str
    units_before: int
    units_after: int
    parcels_before: int
    parcels_after: int


class DraftTotals(msgspec.Struct, frozen=True):
    """
    Sums over all orders compared.

    now_served: complete with the draft alone; now_short: only without it. costs: of the orders of which both are known.
    """

    unchanged: int
    changed: int
    now_served: int
    now_short: int
    parcels_before: int
    parcels_after: int
    cost_before: int
    cost_after: int
    locations: list[LocationForeseen]


class DraftPreview(msgspec.Struct, frozen=True):
    """
    What a draft would do to recent orders now; nothing was written.

    version: of the draft. config_version: the one in force. compared of `found` orders: fewer where the time was up,
    the newest first. unsteady: left out, because units moved while they were asked for. orders: those that change.
    """

    version: int
    config_version: int
    found: int
    compared: int
    unsteady: int
    totals: DraftTotals
    orders: list[OrderForeseen]
