"""The right number of every listing at every moment, as the ledger alone has it."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from allocator import Allocator, Order, ledger
from allocator.records import Entry, SkuState
from tests.simulator.loop import drive

from .shop import Listed, Stand

Key = tuple[str, str]
"""A channel and one of its listings."""


class Was(NamedTuple):
    """A number that was right from a moment on (s)."""

    since_s: float
    units: int


class Changed(NamedTuple):
    """What an entry changed of a listing's number."""

    key: Key
    before: int
    after: int


class Numbers:
    """Follows the ledger entry by entry. `owed`: units by sku that were promised and are not there."""

    def __init__(self, stands: Iterable[Stand], allocator: Allocator) -> None:
        self.allocator = allocator
        self.channels = [stand.channel for stand in stands]
        self.listed: dict[str, list[tuple[Stand, Listed]]] = defaultdict(list)
        for stand in stands:
            for listed in stand.listings:
                self.listed[listed.sku].append((stand, listed))
        self.history: dict[Key, list[Was]] = {}
        self.orders: dict[tuple[str, str], Order] = {}
        self.open: dict[tuple[str, str], int] = defaultdict(int)
        self.owed: dict[str, int] = defaultdict(int)

    def begin(self, skus: Iterable[str], at_s: float) -> None:
        """Take down where everything stands."""
        for sku in skus:
            self._look(sku, at_s)
            self.owed[sku] = self._owed(sku)

    def see(self, entry: Entry, at_s: float) -> tuple[list[Changed], dict[str, int]]:
        """What an entry changed: numbers, and units owed by sku, where they rose."""
        for order in ledger.orders_of(entry):
            self._keep(order)
        changed: list[Changed] = []
        rose: dict[str, int] = {}
        for sku in {change.sku for change in entry.changes}:
            changed += self._look(sku, at_s)
            before, self.owed[sku] = self.owed[sku], self._owed(sku)
            if self.owed[sku] > before:
                rose[sku] = self.owed[sku] - before
        return changed, rose

    def _keep(self, order: Order) -> None:
        """Open units of a channel's orders, by sku."""
        before = self.orders.get((order.channel, order.external_id))
        for one, sign in ((before, -1), (order, 1)):
            for line in one.lines if one else ():
                self.open[order.channel, line.sku] += sign * (line.committed + line.backordered + line.conflict)
        self.orders[order.channel, order.external_id] = order

    def _look(self, sku: str, at_s: float) -> list[Changed]:
        levels = drive(self.allocator.availability([sku], self.channels))
        published = {level.channel: level.published for level in levels}
        changed = []
        for stand, listed in self.listed[sku]:
            units = published[stand.channel]
            if stand.counts == "gross":
                units += self.open[stand.channel, sku]
            key, right = (stand.name, listed.listing), units // listed.pack
            there = self.history.setdefault(key, [])
            if not there or there[-1].units != right:
                changed.append(Changed(key, there[-1].units if there else 0, right))
                there.append(Was(at_s, right))
        return changed

    def _owed(self, sku: str) -> int:
        [state] = drive(self.allocator.stock([sku]))
        return 0 if state is None else owed(state)

    # --- asking ------------------------------------------------------------------------------------------------

    def right(self, key: Key) -> int:
        """The number as it is now."""
        return self.history[key][-1].units

    def was_right_until(self, key: Key, units: int, at_s: float) -> float | None:
        """When a number became wrong, which was told at a moment; infinity while it is right, None if it never was."""
        there = self.history[key]
        for number in range(bisect_right(there, at_s, key=lambda one: one.since_s) - 1, -1, -1):
            if there[number].units == units:
                return there[number + 1].since_s if number + 1 < len(there) else float("inf")
        return None


def owed(state: SkuState) -> int:
    """Units that orders wait for, and those that are promised at places where they are not."""
    return state.backordered + state.conflict + sum(place.missing for place in state.places.values())
