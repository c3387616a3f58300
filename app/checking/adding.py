"""
Whether balances are what entries add up to, told by sums: a million skus are added up in the memory of none of them.

Every unit an entry moves is weighed with a number drawn for its sku and one for its bucket; a balance is taken off with
the same weights. Weights are 64 bits that differ in every process, so sums are nothing if, but for one case in 10^18,
and only if nothing differs. They are kept apart by groups of skus: one that is not nothing says where to look closer.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from allocator.records import UNREADABLE, Change

GROUPS: Final = 4096

_unpack = msgspec.msgpack.Decoder(list[Any]).decode


def group_of(sku: str) -> int:
    """The group a sku is added up in."""
    return hash(sku) % GROUPS


class Sums:
    """What entries say less what balances say, by group: units, versions, and how many skus there are."""

    def __init__(self) -> None:
        self._units = [0] * GROUPS
        self._steps = [0] * GROUPS
        self._skus = [0] * GROUPS
        self._weights: dict[tuple[str, str, str], int] = {}
        self._unreadable: set[int] = set()

    def add_made(self, skus: Iterable[str]) -> None:
        """Skus that a config made."""
        for sku in skus:
            self._skus[group_of(sku)] += hash(sku)

    def add_change(self, change: Change) -> None:
        """A sku's part of an entry."""
        weight = hash(change.sku)
        group = weight % GROUPS
        total = 0
        for location, bucket, of, units in change.moves:
            total += units * self._weight((location, bucket, of))
        self._units[group] += weight * total
        self._steps[group] += weight * change.version

    def take(self, sku: str, version: int, packed: bytes) -> None:
        """A sku's balance."""
        weight = hash(sku)
        group = weight % GROUPS
        self._skus[group] -= weight
        try:
            flat = _unpack(packed)
            self._units[group] -= weight * self._of_state(flat)
            # Versions that follow one another from 1 add up to this.
            self._steps[group] -= weight * (version * (version + 1) // 2)
            if flat[0] != version:
                self._unreadable.add(group)
        except UNREADABLE:
            self._unreadable.add(group)

    def suspicious(self) -> set[int]:
        """The groups in which something differs."""
        sums = zip(self._units, self._steps, self._skus, strict=True)
        return {group for group, found in enumerate(sums) if any(found)} | self._unreadable

    def _weight(self, place: tuple[str, str, str]) -> int:
        found = self._weights.get(place)
        if found is None:
            found = self._weights[place] = hash(place)
        return found

    def _of_state(self, flat: list[Any]) -> int:
        """A state weighed as the moves that lead to it are; its form is told in lua/shared/stock.lua."""
        weight, total = self._weight, 0
        if flat[1]:
            total += flat[1][0] * weight(("", "backordered", "")) + flat[1][1] * weight(("", "conflict", ""))
        for at in range(2, len(flat), 5):
            code = flat[at]
            total += flat[at + 1] * weight((code, "on_hand", ""))
            if flat[at + 2]:
                total += flat[at + 2] * weight((code, "held", ""))
            if flat[at + 3]:
                total += flat[at + 3] * weight((code, "committed", ""))
            if flat[at + 4]:
                total += self._of_extra(code, *flat[at + 4])
        return total

    def _of_extra(self, code: str, deficit: int, reasons: list[Any], quotas: list[Any], transit: Any = ()) -> int:
        weight = self._weight
        total = deficit * weight((code, "deficit", ""))
        for i in range(0, len(reasons), 2):
            total += reasons[i + 1] * weight((code, "unavailable", reasons[i]))
        for i in range(0, len(quotas), 5):
            for offset, bucket in enumerate(("quota", "consumed", "spent", "floor"), 1):
                total += quotas[i + offset] * weight((code, bucket, quotas[i]))
        for i in range(0, len(transit), 2):
            total += transit[i + 1] * weight((code, "in_transit", transit[i]))
        return total
