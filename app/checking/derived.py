"""Entries as SQL has them, and the rows that they make."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from allocator.ledger import Damaged
from allocator.records import UNREADABLE, Entry
from app.draining.rows import Group, hash_of
from app.store.inspecting import EntryRead

COLUMNS: Final = ("verb", "op", "actor", "why", "config", "at_ms", "epoch")
"""Columns of an entry that repeat what its body says."""

_decode = msgspec.msgpack.Decoder(Entry).decode


class Read(NamedTuple):
    """An entry with its number and stream id; None as the entry when it is damaged."""

    number: int
    id: str
    entry: Entry | None


def decode_entry(row: EntryRead) -> Entry | None:
    """The entry of a row; None when its body is not what was drained."""
    if hash_of(row.body) != row.hash:
        return None
    try:
        return _decode(row.body)
    except UNREADABLE:
        return None


class Projection(Group):
    """
    The rows that entries make, without adding balances up.

    What left the shelves is told by orders as they were before; `unsure` are entries whose orders are not given.
    """

    def __init__(self, seller: str, orders: Mapping[str, bytes] | None = None) -> None:
        super().__init__(seller, {}, orders or {}, recorded_ms=0)
        self.unsure: set[int] = set()

    def _fold(self, number: int, entry: Entry) -> None:
        pass

    def _add_shipments(self, number: int, entry: Entry) -> None:
        try:
            super()._add_shipments(number, entry)
        except Damaged:
            self.unsure.add(number)

    def _add_transfers(self, number: int, entry: Entry) -> None:
        try:
            super()._add_transfers(number, entry)
        except Damaged:
            self.unsure.add(number)
