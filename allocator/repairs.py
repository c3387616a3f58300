"""
What a repair asks for: things as they were inspected, and as they should be.

A repair counts only while everything it names is as it was inspected, byte for byte.
"""

from typing import Literal

import msgspec

from .arguments import Argument, flat
from .model import Version

STEP_MAX = 20
"""Most things of one repair: few enough for its reason to name them. The script takes more."""

RecordKind = Literal["hold", "order", "answer", "field"]
"""A hold by its id, an order by channel:external id, an op's answer, a field of the compiled config."""

Index = Literal["deadlines", "owners", "waiting", "slots"]


class SkuRepair(msgspec.Struct, frozen=True):
    """
    A sku as it was inspected (packed, b"" when it was not there) and as the ledger has it (packed).

    moves are (location, bucket, of, units), booked on top: location '' for backordered and conflict.
    """

    sku: str
    inspected: bytes
    state: bytes
    moves: list[tuple[str, str, str, int]] = []


class RecordRepair(msgspec.Struct, frozen=True):
    """
    A record as it was inspected (b"" when it was not there) and as the ledger has it (b"" for a field that is to go).

    With both the same, only the indexes that follow from it are put right.
    """

    kind: RecordKind
    id: str
    inspected: bytes
    record: bytes


class Stray(msgspec.Struct, frozen=True):
    """A member of an index that no record wants there."""

    index: Index
    member: bytes


class Repaired(msgspec.Struct, frozen=True):
    """What an inspection found was put right. strays: index members that went."""

    versions: list[Version]
    strays: int
    replayed: bool


class Repair(msgspec.Struct, frozen=True):
    """One step: all of it, or nothing."""

    skus: list[SkuRepair] = []
    records: list[RecordRepair] = []
    strays: list[Stray] = []

    def arguments(self) -> list[Argument]:
        """What the script reads after the reason."""
        skus = [(row.sku, row.inspected, row.state, *flat(row.moves)) for row in self.skus]
        records = [(row.kind, row.id, row.inspected, row.record) for row in self.records]
        strays = [(row.index, row.member) for row in self.strays]
        return [*flat(skus), *flat(records), *flat(strays)]
