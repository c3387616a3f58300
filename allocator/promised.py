"""What an order was promised besides units."""

import msgspec


class PromisedAt(msgspec.Struct, frozen=True):
    """
    What was promised for one location of an order; times in ms, None: not known.

    day: the one of whose places there it has one, or '' where a day has as many as there are orders. shipped: units
    have left from there, so that it keeps its place.
    """

    location: str
    day: str
    ship_by_ms: int
    deliver_by_ms: int | None
    shipped: bool


class Promised(msgspec.Struct, frozen=True):
    """
    What an order was promised when it was placed, besides units; times in ms, None: not known.

    ship_by_ms and deliver_by_ms are the latest of its locations; for an order that is fetched (`pickup`) ship_by_ms is
    when it is ready. locations: those that have units of it, or have shipped some; where it went later nothing was
    promised. country and region are the ship-to's. ship_complete: nothing is picked or shipped while units wait.
    """

    ship_by_ms: int | None
    deliver_by_ms: int | None
    ship_complete: bool
    country: str
    region: str
    pickup: str
    locations: list[PromisedAt]
