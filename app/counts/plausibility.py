"""The brakes of a snapshot: figures of what it would do, and which of them are too much to go by itself."""

from collections.abc import Iterable
from typing import Final

import msgspec

from app.store.counting import PlaceFacts

from .deciding import measured

LINES_MIN: Final = 10
"""Fewer lines than this that change, or are tenfold, are looked through by their sender."""


class Brakes(msgspec.Struct, frozen=True):
    """Shares in percent above which a snapshot is parked; see Settings."""

    zeroed_percent: int
    changed_percent: int
    tenfold_percent: int


class Figures(msgspec.Struct, frozen=True):
    """
    What a snapshot would do. places: those of ours that have units, at its locations; zeroed: of them become zero.

    rows: lines whose place is known; changed: get another number; tenfold: get one ten times ours or more, or a tenth
    or less. parked: which of the shares are too large.
    """

    places: int = 0
    zeroed: int = 0
    rows: int = 0
    changed: int = 0
    tenfold: int = 0
    parked: list[str] = []

    def plus(self, places: Iterable[PlaceFacts]) -> "Figures":
        """With these lines too."""
        known = [(measured(place), place.counted) for place in places if place.touched]
        return msgspec.structs.replace(
            self,
            rows=self.rows + len(known),
            zeroed=self.zeroed + sum(ours > 0 >= counted for ours, counted in known),
            changed=self.changed + sum(ours != counted for ours, counted in known),
            tenfold=self.tenfold + sum(is_tenfold(ours, counted) for ours, counted in known),
        )

    def judged(self, places: int, brakes: Brakes) -> "Figures":
        """With the places there are, and what is too much."""
        shares = {
            "zeroed": (1, self.zeroed, places, brakes.zeroed_percent),
            "changed": (LINES_MIN, self.changed, self.rows, brakes.changed_percent),
            "tenfold": (LINES_MIN, self.tenfold, self.rows, brakes.tenfold_percent),
        }
        parked = [
            name
            for name, (least, part, whole, percent) in shares.items()
            if part >= least and part * 100 > whole * percent
        ]
        return msgspec.structs.replace(self, places=places, parked=parked)


def is_tenfold(ours: int, counted: int) -> bool:
    """Whether one number is ten times the other: cartons for pieces, or a misplaced digit. Zero is not."""
    few, many = sorted((ours, counted))
    return few > 0 and many >= 10 * few
