"""
Whether SQL's history is what entries say: what left the shelves, what holds were made of, what lies where, transfers.

Nothing here is compared where entries are missing or damaged: then nobody knows what it should be.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from allocator.records import UNREADABLE, decode_state
from allocator.shipments import shipped_order
from app.draining.rows import Row, place_row
from app.draining.transfers import add_up
from app.store import inspecting as store
from app.store import transfers
from app.store.database import Session

from .derived import Projection, Read, decode_entry
from .findings import Findings, Rows

UNSURE: Final = ("entry_damaged", "entry_missing", "subjects_differ")
"""Findings after which orders are not known as they were."""

MADE: Final = {
    "shipments": ("shipped", "shipment_rows_differ"),
    "shipment_lines": ("shipped", "shipment_rows_differ"),
    "transfer_steps": ("moved", "transfer_rows_differ"),
}
"""Tables whose rows are made by one entry each: how they are put right, and the finding."""

Tuples = store.Tuples


class HistoryCheck:
    """One seller's check of the tables that keep what records forget."""

    def __init__(self, session: Session, findings: Findings) -> None:
        self.session = session
        self.findings = findings
        self.seller = findings.seller

    async def orders_before(self, reads: Sequence[Read], after: int) -> dict[str, bytes]:
        """The packed orders that these entries ship, as the entry `after` left them."""
        ids = sorted({shipped_order(read.entry) for read in reads if read.entry} - {""})
        return await orders_after(self.session, self.seller, ids, after)

    # --- what entries make -------------------------------------------------------------------------------------

    async def compare(self, group: Projection, after: int, last: int) -> None:
        """Look at what the entries between these numbers have made."""
        await self._compare_hold_lines(group)
        if self.findings.has(*UNSURE):
            return
        wrong: dict[tuple[str, str], set[int]] = defaultdict(set)
        for kind, how in MADE.items():
            wrong[how] |= await self._differing(kind, getattr(group, kind), after, last)
        for (word, finding), numbers in wrong.items():
            for number in sorted(numbers - group.unsure):
                self.findings.add(finding, f"entry {number}", "other units", "its own", Rows(word, (number,)))

    async def _differing(self, kind: str, rows: list[Row], after: int, last: int) -> set[int]:
        found = await store.made_between(self.session, self.seller, kind, after, last)
        return {row[0] for row in {*store.as_tuples(kind, rows)} ^ {*found}}

    async def _compare_hold_lines(self, group: Projection) -> None:
        expected = _by_first(store.as_tuples("hold_lines", group.hold_lines))
        found = _by_first(await self._rows_of("hold_lines", [(id,) for id in expected]))
        for id, rows in expected.items():
            if found.get(id) != rows:
                says = f"made of {len(found.get(id, []))} other lines"
                self.findings.add("hold_row_differs", id, says, f"made of {len(rows)}", Rows("hold", (id,)))

    # --- what belongs to nothing -------------------------------------------------------------------------------

    async def judge_rest(self, last: int, limit: int) -> None:
        """
        Rows of entries after the last one, lines of no hold, places of no balance, transfers that are not their steps;
        all entries must be whole.
        """
        for kind, (word, finding) in MADE.items():
            for number in sorted({row[0] for row in await store.made_between(self.session, self.seller, kind, last)}):
                self.findings.add(finding, f"entry {number}", "units", "no such entry", Rows(word, (number,)))
        await self._compare_transfers(limit)
        for kind, word, finding in (
            ("hold_lines", "hold", "hold_row_differs"),
            ("places", "balance", "balance_differs"),
        ):
            for [id] in await store.orphans(self.session, self.seller, kind, limit):
                self.findings.add(finding, id, f"{kind} of nothing", "none", Rows(word, (id,)))

    async def _compare_transfers(self, limit: int) -> None:
        """Transfers and their lines, `limit` at a time, with what their steps add up to."""
        after = ""
        while ids := await transfers.ids_after(self.session, self.seller, after, limit):
            rows = add_up(await transfers.steps_of(self.session, self.seller, ids))
            for kind, expected in zip(("transfers", "transfer_lines"), rows, strict=True):
                found = _by_first(await self._rows_of(kind, [(id,) for id in ids]))
                told = _by_first(store.as_tuples(kind, expected))
                for id in [id for id in ids if found.get(id) != told.get(id)]:
                    fix = Rows("transfer", (id,))
                    self.findings.add("transfer_rows_differ", id, f"other {kind}", "what its steps add up to", fix)
            after = ids[-1]

    # --- what balances say -------------------------------------------------------------------------------------

    async def compare_places(self, rows: Sequence[tuple[str, int, bytes]], last: int) -> None:
        """The units of these balances (sku, version, packed) by place."""
        found = _by_first([row for row in await self._rows_of("places", [row[:1] for row in rows]) if any(row[2:])])
        for sku, _, packed in rows:
            expected = _places_of(self.seller, sku, packed)
            if expected is not None and found.get(sku, []) != expected:
                fix = Rows("balance", (sku,), packed, last)
                self.findings.add("balance_differs", sku, "other units at its places", "those of its state", fix)

    async def _rows_of(self, kind: str, keys: list[tuple[str, ...]]) -> Tuples:
        return await store.rows_of(self.session, self.seller, kind, keys)


async def orders_after(session: Session, seller: str, ids: Sequence[str], number: int) -> dict[str, bytes]:
    """The packed orders of these ids as the entry with this number, and those before it, left them."""
    numbers = await store.last_until(session, seller, "order", ids, number)
    found = {}
    for row in await store.entries_with(session, seller, sorted(set(numbers.values()))):
        entry = decode_entry(row)
        if entry is not None:
            found[row.number] = entry.records
    before = {id: found.get(number, {}).get(f"order:{id}") for id, number in numbers.items()}
    return {id: packed for id, packed in before.items() if packed is not None}


def _places_of(seller: str, sku: str, packed: bytes) -> Tuples | None:
    """Where units of a sku are; None for a state that cannot be read."""
    try:
        places = decode_state(packed).places
    except UNREADABLE:
        return None
    rows = store.as_tuples("places", [place_row(seller, sku, location, place) for location, place in places.items()])
    return sorted(row for row in rows if any(row[2:]))


def _by_first(rows: Tuples) -> dict[Any, Tuples]:
    found: defaultdict[Any, Tuples] = defaultdict(list)
    for row in rows:
        found[row[0]].append(row)
    return {key: sorted(each) for key, each in found.items()}
