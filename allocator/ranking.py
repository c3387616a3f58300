"""
Rankings order the locations that may serve an order; they never decide quantities.

A ranking is a plain function without stock, which gives one location a whole number, lower is better. What it
does not know is a tie, never a guess. A channel's `routing` lists rankings by name: the first that does not tie
decides. Because the script counts the units, a wrong ranking can cost a longer route, but never an oversold unit.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from math import asin, cos, radians, sin, sqrt
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec

from .calendar import local_date, promises, ship_days
from .carriers import NO_CARRIERS, Carriers, area_of
from .config import Channel, Config, Location
from .model import CANDIDATES_MAX, ShipTo

LAST: Final = 1_000_000_000_000
"""What an unknown distance or cost counts as: worse than any known one."""

EARTH_RADIUS_KM: Final = 6371

REJECT_STEP: Final = 5
"""Percent of rejected units that are no reason to prefer another place."""

RejectRates = Mapping[str, int]
"""Location -> whole percent of its units that it rejected; those of which too little is known are missing."""

NO_RATES: Final[RejectRates] = {}


def rejected_percent(taken: int, rejected: int) -> int:
    """Whole percent of the units taken that were rejected, rounded down, at most 100."""
    return min(100, rejected * 100 // max(taken, 1))


class Candidate(msgspec.Struct, frozen=True):
    """A location a ranking offers; candidates of the same `tie` are equally good, lower is better."""

    location: str
    tie: int


class Spot(NamedTuple):
    """A location as one channel sees it; `position` counts from 0 in the channel's own order, `rejects` in percent."""

    location: Location
    position: int
    rejects: int = 0


class Wish(NamedTuple):
    """
    What an order says about its route, and when: milliseconds since 1970 UTC, or None for any time.

    `zone` is the delivery zone of the ship-to, or ''.
    """

    ship_to: ShipTo
    prefer: Sequence[str]
    zone: str
    at_ms: int | None = None
    carriers: Carriers = NO_CARRIERS


class Reason(NamedTuple):
    """
    Why a location stands where it does among a channel's candidates, or not among them.

    removed: '' for a candidate, else not_listed (the channel does not sell from it), inactive, other_region (the
    channel delivers within a region only) or beyond_limit (there are CANDIDATES_MAX better ones). values: what each
    ranking says, lower is better, None for what is not known. tie: candidates of the same number are equally good.
    """

    location: str
    removed: str
    values: dict[str, int | None]
    tie: int | None


Ranking = Callable[[Spot, Wish], int]


def channel_rank(spot: Spot, _wish: Wish) -> int:
    """Prefer the location that is earlier in the channel's own list; it never ties."""
    return spot.position


def priority(spot: Spot, _wish: Wish) -> int:
    """Prefer the lower priority number; equal numbers tie."""
    return spot.location.priority


def distance(spot: Spot, wish: Wish) -> int:
    """Prefer fewer whole kilometres to the ship-to, unknown coordinates last; all tie if the ship-to has none."""
    place, target = spot.location, wish.ship_to
    if target.latitude is None or target.longitude is None:
        return 0
    if place.latitude is None or place.longitude is None:
        return LAST
    return distance_km(place.latitude, place.longitude, target.latitude, target.longitude)


def cost(spot: Spot, wish: Wish) -> int:
    """Prefer the lower cost to the ship-to (`Carriers.cost`), an unknown cost last; all tie if none is known."""
    known = wish.carriers.cost(spot.location, wish.ship_to, wish.zone)
    return LAST if known is None else known


def region_match(spot: Spot, wish: Wish) -> int:
    """Prefer the ship-to's region, then its country, then the rest; all tie if the ship-to has neither."""
    if same_region(spot.location, wish.ship_to):
        return 0
    return 1 if wish.ship_to.country and spot.location.country == wish.ship_to.country else 2


def ship_by(spot: Spot, wish: Wish) -> int:
    """Prefer the location that hands over sooner, in days from today there; what is not known comes last."""
    place = spot.location
    if wish.at_ms is None or not promises(place):
        return LAST
    return (ship_days(place, wish.at_ms)[0] - local_date(place, wish.at_ms)).days


def deliver_by(spot: Spot, wish: Wish) -> int:
    """Prefer the location from which its cheapest carrier delivers sooner, in days; what is not known comes last."""
    place, way = spot.location, wish.carriers.cheapest(spot.location, wish.ship_to)
    if wish.at_ms is None or way is None or not promises(place):
        return LAST
    return (way.arrives(ship_days(place, wish.at_ms)[0]) - local_date(place, wish.at_ms)).days


def preferred(spot: Spot, wish: Wish) -> int:
    """Prefer the locations the caller names, in the caller's order; all others tie."""
    code = spot.location.code
    return wish.prefer.index(code) if code in wish.prefer else LAST


def reject_rate(spot: Spot, _wish: Wish) -> int:
    """Prefer the location that rejects fewer units, in steps of five percent; without enough units to judge by, 0."""
    return spot.rejects - spot.rejects % REJECT_STEP


RANKINGS: Final[Mapping[str, Ranking]] = {
    ranking.__name__: ranking
    for ranking in (channel_rank, priority, distance, cost, region_match, ship_by, deliver_by, preferred, reject_rate)
}

FIXED: Final = frozenset({"channel_rank", "priority", "reject_rate"})
"""Rankings that say the same for every order, so that their result is computed once per config."""


def same_region(location: Location, ship_to: ShipTo) -> bool:
    """Tell whether both name the same region of the same country; an unnamed region is nobody's."""
    return ship_to.region != "" and (location.region, location.country) == (ship_to.region, ship_to.country)


def distance_km(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> int:
    """Great-circle distance (haversine) in whole kilometres: closer than that is no reason to prefer a place."""
    north, south = radians(latitude), radians(other_latitude)
    across = sin(radians(other_longitude - longitude) / 2) ** 2
    chord = sin((south - north) / 2) ** 2 + cos(north) * cos(south) * across
    return round(2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(chord))))


def reasons(
    config: Config,
    channel: str,
    ship_to: ShipTo,
    prefer: Sequence[str] = (),
    *,
    relax: bool,
    at_ms: int | None = None,
    rates: RejectRates = NO_RATES,
) -> list[Reason]:
    """Say of every location of the seller why it is where in the ranking: candidates first, as `rank` has them."""
    ranker, entry = Ranker(config, rates), next((row for row in config.channels if row.code == channel), None)
    if entry is None:
        return []
    wish = ranker.wish(ship_to, prefer, at_ms)
    positions = {shelf.code: position for position, shelf in reversed(list(enumerate(entry.locations)))}
    ranked = ranker.rank(channel, ship_to, prefer, relax=relax, at_ms=at_ms)
    ties = {candidate.location: candidate.tie for candidate in ranked}
    places = {location.code: location for location in config.locations}
    names = [*(["preferred"] if prefer else []), *entry.routing]

    def reason(code: str) -> Reason:
        if code not in positions:
            return Reason(code, "not_listed", {}, None)
        spot = Spot(places[code], positions[code], rates.get(code, 0))
        values = {name: _known(RANKINGS[name](spot, wish)) if _speaks(name, ship_to) else None for name in names}
        return Reason(code, "" if code in ties else _removal(entry, spot, ship_to, relax=relax), values, ties.get(code))

    rest = sorted(places.keys() - ties.keys(), key=lambda code: (positions.get(code, LAST), code))
    return [reason(code) for code in (*ties, *rest)]


def _speaks(name: str, ship_to: ShipTo) -> bool:
    """Whether a ranking tells locations apart for this ship-to; with an unknown one some let all of them tie."""
    if name == "distance":
        return ship_to.latitude is not None and ship_to.longitude is not None
    return name != "region_match" or bool(ship_to.country or ship_to.region)


def _known(value: int) -> int | None:
    return None if value == LAST else value


def _removal(channel: Channel, spot: Spot, ship_to: ShipTo, *, relax: bool) -> str:
    if not spot.location.active:
        return "inactive"
    if channel.same_region_only and not relax and not same_region(spot.location, ship_to):
        return "other_region"
    return "beyond_limit"


class Ranker:
    """Ranks the locations of every channel of one config with one set of rates; made once for these, then only read."""

    def __init__(self, config: Config, rates: RejectRates = NO_RATES) -> None:
        locations = {location.code: location for location in config.locations}
        self._zones = config.zones
        self.carriers = Carriers(config.carriers)
        self._routes = {channel.code: _Route(channel, locations, rates) for channel in config.channels}

    def rank(
        self, channel: str, ship_to: ShipTo, prefer: Sequence[str] = (), *, relax: bool, at_ms: int | None = None
    ) -> tuple[Candidate, ...]:
        """
        Name the channel's active locations, best first, each once, at most CANDIDATES_MAX; equal ones share a tie.

        `at_ms` is the moment that `ship_by` and `deliver_by` ask about. `prefer` decides before the channel's routing
        does. A location that breaks a hard constraint of the channel is left out, or, with `relax`, follows after all
        that keep it. An unknown channel has no candidates: the script is the one to refuse it.
        """
        route = self._routes.get(channel)
        if route is None:
            return ()
        if route.always is not None and not prefer:
            return route.always
        return route.rank(self.wish(ship_to, prefer, at_ms), relax=relax)

    def wish(self, ship_to: ShipTo, prefer: Sequence[str], at_ms: int | None = None) -> Wish:
        """What an order says about its route, with its zone."""
        return Wish(ship_to, prefer, area_of(self._zones, ship_to), at_ms, self.carriers)


class _Route:
    """One channel's part of a Ranker; `always` is its ranking if no ship-to can change it, else None."""

    def __init__(self, channel: Channel, locations: Mapping[str, Location], rates: RejectRates) -> None:
        codes = dict.fromkeys(shelf.code for shelf in channel.locations)
        spots = [Spot(locations[code], position, rates.get(code, 0)) for position, code in enumerate(codes)]
        self.spots = [spot for spot in spots if spot.location.active]
        self.rankings = [preferred, *(RANKINGS[name] for name in channel.routing)]
        self.same_region_only = channel.same_region_only
        fixed = FIXED.issuperset(channel.routing) and not channel.same_region_only
        self.always = self.rank(Wish(ShipTo(), (), ""), relax=False) if fixed else None

    def rank(self, wish: Wish, *, relax: bool) -> tuple[Candidate, ...]:
        judged = sorted((self._judge(spot, wish), spot.position, spot.location.code) for spot in self.spots)
        kept = [entry for entry in judged if relax or not entry[0][0]]
        ties = enumerate(group for _, group in groupby(kept, key=itemgetter(0)))
        ranked = [Candidate(code, tie) for tie, group in ties for _, _, code in group]
        return tuple(ranked[:CANDIDATES_MAX])

    def _judge(self, spot: Spot, wish: Wish) -> tuple[int, ...]:
        """First whether a hard constraint is broken, then what each ranking says: the smaller tuple is better."""
        broken = self.same_region_only and not same_region(spot.location, wish.ship_to)
        return (int(broken), *(ranking(spot, wish) for ranking in self.rankings))
