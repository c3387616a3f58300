"""What a draft changes, added up over orders."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from allocator import Order

from .foreseen_forms import DraftTotals, LineForeseen, LineRoute, LocationForeseen, Route


class Side(Protocol):
    """What an order would get."""

    @property
    def route(self) -> Route:
        """How it would be routed."""
        ...

    @property
    def lines(self) -> dict[str, LineRoute]:
        """Each of its lines."""
        ...

    @property
    def serves(self) -> bool:
        """Whether nothing of it would wait."""
        ...


def line_changes(order: Order, before: Mapping[str, LineRoute], after: Mapping[str, LineRoute]) -> list[LineForeseen]:
    """The lines that would go elsewhere, in the order's order."""
    return [
        LineForeseen(line.line, line.sku, before[line.line], after[line.line])
        for line in order.lines
        if line.line in before and before[line.line] != after[line.line]
    ]


def totals_of(pairs: Sequence[tuple[Side, Side]]) -> DraftTotals:
    """Sums over orders, of each what it would get before and after."""
    changed = sum(before != after for before, after in pairs)
    befores, afters = ([pair[side] for pair in pairs] for side in (0, 1))
    costs = [
        (before.route.cost, after.route.cost)
        for before, after in pairs
        if before.route.cost is not None and after.route.cost is not None
    ]
    return DraftTotals(
        unchanged=len(pairs) - changed,
        changed=changed,
        now_served=sum(after.serves and not before.serves for before, after in pairs),
        now_short=sum(before.serves and not after.serves for before, after in pairs),
        parcels_before=sum(side.route.parcels for side in befores),
        parcels_after=sum(side.route.parcels for side in afters),
        cost_before=sum(before for before, _ in costs),
        cost_after=sum(after for _, after in costs),
        locations=_by_location(befores, afters),
    )


def _by_location(befores: Iterable[Side], afters: Iterable[Side]) -> list[LocationForeseen]:
    (units, parcels), (units_then, parcels_then) = _sent(befores), _sent(afters)
    return [
        LocationForeseen(code, units[code], units_then[code], parcels[code], parcels_then[code])
        for code in sorted(units | units_then)
    ]


def _sent(sides: Iterable[Side]) -> tuple[Counter[str], Counter[str]]:
    """Units and parcels by location."""
    units: Counter[str] = Counter()
    parcels: Counter[str] = Counter()
    for side in sides:
        for line in side.lines.values():
            units.update(line.locations)
        parcels.update({code for line in side.lines.values() for code in line.locations})
    return units, parcels
