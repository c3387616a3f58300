"""What can be imported and exported: every kind of config, and stock as units received; recounts are only exported."""

from datetime import datetime
from typing import Annotated, Final, NamedTuple

import msgspec

from allocator.config import Count
from allocator.model import Code, Sku
from app.config.kinds import KINDS as CONFIG_KINDS

from .columns import Column, make_columns
from .recounts import RecountTableRow


class StockRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units to receive at a location; 0 is a row of an export that has nothing to receive."""

    sku: Sku
    location: Code
    units: Count


class CountedRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What lies at a location, when it was counted, and which version of the sku the counter has seen."""

    sku: Sku
    location: Code
    counted: Annotated[int, msgspec.Meta(ge=-1_000_000_000, le=1_000_000_000)]
    as_of: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    seen_up_to: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None


class Kind(NamedTuple):
    """
    One kind of table.

    `type` is what a row is decoded to, `key` the fields that no two rows may share. Columns that are `read_only` are
    exported and, in an import, passed over.
    """

    name: str
    type: type[msgspec.Struct]
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    read_only: tuple[str, ...] = ()

    @property
    def titles(self) -> list[str]:
        """The columns as people may name them; `attributes.…` stands for all of that name."""
        return [f"{column.name}.…" if column.keyed else column.name for column in self.columns]


def _make(name: str, type: type[msgspec.Struct], key: tuple[str, ...], *read_only: str) -> Kind:
    columns = sorted(make_columns(type), key=lambda column: column.field not in key)
    return Kind(name, type, key, tuple(columns), read_only)


STOCK: Final = "stock"
COUNTERS: Final = ("unavailable", "held", "committed", "available", "deficit", "in_transit")
"""What an export of stock has beside the units on the shelf."""

KINDS: Final = {
    **{kind.name: _make(kind.name, kind.item, kind.keys) for kind in CONFIG_KINDS.values()},
    STOCK: _make(STOCK, StockRow, ("sku", "location"), *COUNTERS),
}

RECOUNTS: Final = "recounts"

EXPORTS: Final = {**KINDS, RECOUNTS: _make(RECOUNTS, RecountTableRow, ("sku", "location"))}
"""What can be exported: all that can be imported, and what is to be counted."""

COUNTS: Final = _make("counts", CountedRow, ("sku", "location"))
"""What `allot count` reads."""
