"""Decimal quantities of tills and the whole units that everything else counts: one is 1/scale of the sku's unit."""

from decimal import Decimal
from typing import Final

from allocator import UNITS_MAX

SIGNED: Final = frozenset({"adjustment"})
"""Events whose quantities may be below 0."""

MAYBE_NONE: Final = frozenset({"count"})
"""Events whose quantities may be 0."""


def units_of(quantity: str, scale: int) -> int | None:
    """The units, or None when it is not a whole number of them, or more than one line may have."""
    exact = Decimal(quantity) * scale
    units = int(exact)
    return units if units == exact and abs(units) <= UNITS_MAX else None


def fits(type: str, units: int) -> bool:
    """Whether an event of this type may have so many units in a line."""
    return units > 0 or (units == 0 and type in MAYBE_NONE) or (units < 0 and type in SIGNED)


def shown(units: int, scale: int) -> str:
    """The units as a decimal number of the sku's unit, without zeros that say nothing."""
    text = format(Decimal(units) / scale, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
