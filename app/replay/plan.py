"""
The stock a replay starts with and receives week by week: a set share of what the file will ask for.

Both are computed from the file, article by article: each store gets what its tills will sell, the warehouses share what
is ordered online. Below 100 % somebody must go without, and because channels sell from each other's shelves it
is not always the one the units were meant for.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

from .order_file import Invoice
from .split import PARTS, Split

DAYS_A_WEEK: Final = 7

Week = int
Shelf = tuple[str, str]
"""An article and a location."""


class Receipt(NamedTuple):
    """Units of an article that arrive at a location."""

    sku: str
    location: str
    units: int


class Plan(NamedTuple):
    """Receipts by week from the first order on; week 0 is the opening stock."""

    first_day: date
    weeks: list[list[Receipt]]

    def week_of(self, time: datetime) -> Week:
        """The week a time lies in."""
        return (time.date() - self.first_day).days // DAYS_A_WEEK


def make_plan(invoices: Sequence[Invoice], split: Split, stocked: float) -> Plan:
    """Plan receipts that cover `stocked` of each article's demand, from the first week to each week's end."""
    plan = Plan(invoices[0].placed_at.date(), [])
    demand = _demand_by_week(plan, invoices, split)
    asked: dict[str, Counter[str]] = {}
    given: Counter[Shelf] = Counter()
    for week in range(max(demand) + 1):
        coming = demand.get(week, {})
        for sku, by_location in coming.items():
            asked.setdefault(sku, Counter()).update(by_location)
        receipts = [receipt for sku in coming for receipt in _top_up(sku, asked[sku], given, stocked)]
        given.update({(receipt.sku, receipt.location): receipt.units for receipt in receipts})
        plan.weeks.append(receipts)
    return plan


def _demand_by_week(plan: Plan, invoices: Iterable[Invoice], split: Split) -> dict[Week, dict[str, Counter[str]]]:
    """
    Units by week, article and the location that is stocked for them, each times PARTS.

    Online demand is divided among the warehouses; counting in parts of a unit keeps the division exact.
    """
    online = _warehouse_parts(split.warehouses)
    demand: dict[Week, dict[str, Counter[str]]] = {0: {}}
    for invoice in invoices:
        shares = {split.store(invoice.id): PARTS} if split.share(invoice.id).kind == "gone" else online
        week = demand.setdefault(plan.week_of(invoice.placed_at), {})
        for line in invoice.ordered:
            places = week.setdefault(line.sku, Counter())
            for location, parts in shares.items():
                places[location] += line.units * parts
    return demand


def _warehouse_parts(warehouses: Sequence[str]) -> dict[str, int]:
    """The first warehouse gets the most: three of five units where there are two."""
    weights = {code: len(warehouses) - position + 1 for position, code in enumerate(warehouses)}
    total = sum(weights.values())
    parts = {code: PARTS * weight // total for code, weight in weights.items()}
    parts[warehouses[0]] += PARTS - sum(parts.values())
    return parts


def _top_up(sku: str, asked: Counter[str], given: Counter[Shelf], stocked: float) -> list[Receipt]:
    """What must arrive so that the article's receipts are `stocked` of all that was asked for so far."""
    before = {location: given[sku, location] for location in asked}
    total = round(asked.total() * stocked / PARTS)
    missing = max(0, total - sum(before.values()))
    units = _divide(missing, {location: parts * stocked / PARTS for location, parts in asked.items()}, before)
    return [Receipt(sku, location, count) for location, count in units.items() if count]


def _divide(missing: int, wanted: dict[str, float], before: dict[str, int]) -> dict[str, int]:
    """Give whole units to the locations that lag behind what they should have, then single ones to the furthest."""
    units: dict[str, int] = {}
    for location in sorted(wanted):
        units[location] = min(missing, max(0, int(wanted[location]) - before[location]))
        missing -= units[location]
    for _ in range(missing):
        lagging = max(sorted(wanted), key=lambda location: wanted[location] - before[location] - units[location])
        units[lagging] += 1
    return units
