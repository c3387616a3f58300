"""
What an order asks for besides units, as the argument `terms` of the script (lua/shared/terms.lua).

Which days each location can be promised for is worked out here; which of them has a place left the script counts.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from .calendar import OPTIONS_MAX, deliver_by_ms, promises, ship_by_ms, ship_days
from .carriers import NO_CARRIERS, Carriers
from .config import Channel, Location, SplitRule
from .model import ShipTo

NOTHING = ""
"""Nothing is promised, and nothing else is asked for."""

NO_LIMIT = -1

_encode = msgspec.json.Encoder(order="deterministic").encode


class Wanted(NamedTuple):
    """What decides the terms of an order, beside the config and the moment."""

    channel: str
    ship_to: ShipTo
    candidates: tuple[str, ...]
    ship_complete: bool
    pickup: str
    limits: tuple[tuple[str, int], ...]


def split_limits(channel: Channel, value: int | None) -> tuple[tuple[str, int], ...]:
    """The rules for an order of this value, in order: the category some line must have ('': any), and the limit."""
    return tuple((rule.category, rule.split_limit) for rule in channel.split_rules if _fits(rule, value))


def _fits(rule: SplitRule, value: int | None) -> bool:
    """A rule with bounds is for orders whose value is known; `to_value` is the first that is too much."""
    if value is None:
        return not rule.from_value and rule.to_value is None
    return rule.from_value <= value and (rule.to_value is None or value < rule.to_value)


def terms_of(wanted: Wanted, places: Iterable[Location], carriers: Carriers, at_ms: int) -> str:
    """The terms for the script; `places` are the candidates' locations."""
    rows = {place.code: options(place, wanted.ship_to, carriers, at_ms) for place in places if promises(place)}
    asked = (wanted.ship_complete, wanted.ship_to.country, wanted.pickup, wanted.limits, rows)
    if not any(asked):
        return NOTHING
    where = wanted.ship_to.country, wanted.ship_to.region
    return _encode([int(wanted.ship_complete), *where, wanted.pickup, wanted.limits, rows]).decode()


def undated(wanted: Wanted) -> str:
    """The same without the days, which are known when the order is placed: as a pending order keeps it."""
    return terms_of(wanted, (), NO_CARRIERS, 0)


def read_undated(channel: str, text: str) -> Wanted:
    """What `undated` has written, of an order of this channel; its candidates are not in it."""
    complete, country, region, pickup, limits, _ = msgspec.json.decode(text)
    where = ShipTo(country=country, region=region)
    return Wanted(channel, where, (), bool(complete), pickup, tuple((category, limit) for category, limit in limits))


def options(place: Location, ship_to: ShipTo, carriers: Carriers, at_ms: int) -> Sequence[int | str]:
    """
    How many orders can leave the location on a day (or -1), then for each day it can be promised for: the day,
    ship_by_ms, deliver_by_ms (0: not known). Without a limit there is one.
    """
    way = carriers.cheapest(place, ship_to)
    limit = NO_LIMIT if place.daily_orders is None else place.daily_orders
    row: list[int | str] = [limit]
    for day in ship_days(place, at_ms, OPTIONS_MAX if limit >= 0 else 1):
        delivered = deliver_by_ms(place, way.arrives(day)) if way else 0
        row += [day.isoformat(), ship_by_ms(place, day), delivered]
    return row
