"""What it costs to send an order from a location to a ship-to, and how long it is under way."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final, NamedTuple

from .calendar import work_days
from .config import Carrier, Location, Rate
from .model import ShipTo


class Carriage(NamedTuple):
    """One way from a location to a ship-to. cost: integer minor units."""

    cost: int
    transit_days: int
    carrier: Carrier

    def arrives(self, shipped: date) -> date:
        """When it arrives at the latest: `transit_days` of the carrier's days later; with none the same day."""
        days = work_days(self.carrier.working_days, self.carrier.closed_on)
        return days.after(shipped, self.transit_days)


class Carriers:
    """The carriers of one config; made once, then only read."""

    def __init__(self, carriers: Iterable[Carrier] = ()) -> None:
        self._by_code = {carrier.code: carrier for carrier in carriers}

    def cheapest(self, location: Location, ship_to: ShipTo) -> Carriage | None:
        """The cheapest way of its carriers that leads there, of equal ones the faster; None: there is none."""
        known = (self._by_code[code] for code in location.carriers if code in self._by_code)
        ways = [way for carrier in known if (way := _way(carrier, location, ship_to))]
        return min(ways, key=lambda way: (way.cost, way.transit_days, way.carrier.code), default=None)

    def cost(self, location: Location, ship_to: ShipTo, zone: str) -> int | None:
        """
        What decides what a location costs, in integer minor units; None: not known.

        A location with carriers costs what its cheapest one takes, and nothing is known where none of them goes; its
        own `costs` by delivery `zone` count only if it names no carrier.
        """
        if location.carriers:
            way = self.cheapest(location, ship_to)
            return way.cost if way else None
        return location.costs.get(zone)


NO_CARRIERS: Final = Carriers()


def area_of(areas: Mapping[str, str], ship_to: ShipTo) -> str:
    """What is said of the ship-to's region, else of its country, else ''."""
    return areas.get(f"{ship_to.country}/{ship_to.region}", areas.get(ship_to.country, ""))


def _way(carrier: Carrier, location: Location, ship_to: ShipTo) -> Carriage | None:
    zone = area_of(carrier.zones, ship_to)
    rates = [rate for rate in carrier.rates if zone and rate.zone == zone and rate.origin in {"", location.code}]
    rate = min(rates, key=_precedence, default=None)
    return None if rate is None else Carriage(rate.cost, rate.transit_days, carrier)


def _precedence(rate: Rate) -> tuple[bool, int, int]:
    """A rate from this very location wins over one from anywhere."""
    return not rate.origin, rate.cost, rate.transit_days
