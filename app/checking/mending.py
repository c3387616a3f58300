"""Derived rows of SQL written again as their entries say; the drain waits meanwhile."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from allocator.ledger import config_of
from allocator.records import Entry, decode_state
from allocator.shipments import shipped_order
from app.audit import By, note
from app.draining.drain import READER, write_transfers
from app.draining.rows import VERSION, Row, place_row
from app.recovery.comparing import NEW_STATE, state_after
from app.store import inspecting, ledger, mending, transfers
from app.store.audit import add_entries
from app.store.cursors import begin_at, hold_still
from app.store.database import Database, Session

from .derived import COLUMNS, Projection, decode_entry
from .findings import Rows
from .histories import orders_after
from .rejects import mend_day, mend_recounts

CHUNK: Final = 100
"""Rows of one transaction."""


async def mend(database: Database, by: By, fixes: Sequence[Rows], reason: str) -> int:
    """Put these rows right, a chunk in each transaction with its note in the audit; how many could be."""
    mended = 0
    for start in range(0, len(fixes), CHUNK):
        part = fixes[start : start + CHUNK]
        async with database.writing() as session:
            await hold_still(session, by.seller, READER)
            mender = _Mender(session, by.seller)
            done = [fix for fix in part if await mender.mend(fix)]
            named = [f"{fix.kind} {':'.join(map(str, fix.key))}" for fix in done]
            detail = {"reason": reason, "rows": named}
            await add_entries(session, [note(by, "store.mend", f"{len(done)} rows", detail)])
        mended += len(done)
    return mended


class _Mender:
    """One transaction's work."""

    def __init__(self, session: Session, seller: str) -> None:
        self.session = session
        self.seller = seller

    async def mend(self, fix: Rows) -> bool:
        """Whether it was put right; not when its entry cannot be read after all."""
        work = getattr(self, f"_{fix.kind}")
        return bool(await work(fix))

    async def _columns(self, fix: Rows) -> bool:
        entry = await self._entry(fix.key[0])
        if entry is None:
            return False
        columns = {name: getattr(entry, name) for name in COLUMNS}
        await mending.mend_columns(self.session, self.seller, fix.key[0], columns)
        return True

    async def _derived(self, fix: Rows) -> bool:
        entry = await self._entry(fix.key[0])
        if entry is None:
            return False
        rows = self._rows(fix.key[0], entry)
        await mending.mend_derived(self.session, self.seller, fix.key[0], rows.moves, rows.subjects)
        return True

    async def _subjects(self, fix: Rows) -> bool:
        await mending.remove_rows(self.session, self.seller, "subjects", [fix.key])
        return True

    async def _order(self, fix: Rows) -> bool:
        key = tuple(fix.key[0].split(":", 1))
        number, entry = await self._last_about("order", fix.key[0])
        if number is None:
            for kind in ("announced", "takes", "lines", "orders"):
                await mending.remove_rows(self.session, self.seller, kind, [key])
        elif entry is not None:
            rows_of_order = (
                [row for row in rows if (row["channel"], row["external_id"]) == key]
                for rows in self._rows(number, entry).orders()
            )
            await ledger.put_orders(self.session, *rows_of_order)
        return number is None or entry is not None

    async def _hold(self, fix: Rows) -> bool:
        number, entry = await self._last_about("hold", fix.key[0])
        if number is None or entry is not None:
            await mending.remove_rows(self.session, self.seller, "hold_lines", [fix.key])
        if number is None:
            await mending.remove_rows(self.session, self.seller, "holds", [fix.key])
        elif entry is not None:
            made_ms, lines = await self._made(fix.key[0])
            rows = [row for row in self._rows(number, entry).holds() if row["hold_id"] == fix.key[0]]
            await ledger.put_holds(self.session, [{**row, "made_ms": made_ms or row["made_ms"]} for row in rows], lines)
        return number is None or entry is not None

    async def _made(self, hold_id: str) -> tuple[int, list[Row]]:
        """When a hold was made, and the rows of what it was made of; 0 and none when that entry cannot be read."""
        number = await inspecting.first_about(self.session, self.seller, "hold", hold_id)
        entry = None if number is None else await self._entry(number)
        if number is None or entry is None:
            return 0, []
        return entry.at_ms, [row for row in self._rows(number, entry).hold_lines if row["hold_id"] == hold_id]

    async def _shipped(self, fix: Rows) -> bool:
        number, entry = fix.key[0], await self._entry(fix.key[0])
        id = shipped_order(entry) if entry else ""
        rows = Projection(self.seller, await orders_after(self.session, self.seller, [id] if id else [], number - 1))
        if entry is not None:
            rows.add(number, "", entry)
        if rows.unsure:
            return False
        for kind in ("shipments", "shipment_lines"):
            await mending.remove_rows(self.session, self.seller, kind, [fix.key])
        await ledger.add_shipments(self.session, rows.shipments, rows.shipment_lines)
        return True

    async def _moved(self, fix: Rows) -> bool:
        """The steps of an entry, and the transfers that have or had them."""
        number, entry = fix.key[0], await self._entry(fix.key[0])
        steps = self._rows(number, entry).transfer_steps if entry is not None else []
        before = await transfers.ids_of_entry(self.session, self.seller, number)
        await mending.remove_rows(self.session, self.seller, "transfer_steps", [fix.key])
        await transfers.add_steps(self.session, steps)
        now = {str(row["transfer_id"]) for row in steps}
        await write_transfers(self.session, self.seller, sorted(now | before))
        return True

    async def _transfer(self, fix: Rows) -> bool:
        await write_transfers(self.session, self.seller, fix.key)
        return True

    async def _recount(self, fix: Rows) -> bool:
        sku, location = fix.key
        return await mend_recounts(self.session, self.seller, (sku, location))

    async def _day(self, fix: Rows) -> bool:
        return await mend_day(self.session, self.seller, *fix.key)

    async def _answer(self, fix: Rows) -> bool:
        row = await inspecting.entry_of_op(self.session, self.seller, fix.key[0])
        entry = decode_entry(row) if row else None
        if row is None or entry is None:
            return False
        await ledger.put_answers(self.session, self._rows(row.number, entry).answers())
        return True

    async def _balance(self, fix: Rows) -> bool:
        sku, packed = fix.key[0], fix.value
        async for entry in self._since(fix.number):
            changes = [change for change in entry.changes if change.sku == sku]
            packed = state_after(packed or NEW_STATE, changes) if changes else packed
        await mending.remove_rows(self.session, self.seller, "places", [fix.key])
        if packed is None:
            await mending.remove_rows(self.session, self.seller, "stock", [fix.key])
            return True
        number = await inspecting.last_touching(self.session, self.seller, sku) or fix.number
        state = decode_state(packed)
        row = {"seller": self.seller, "sku": sku, "version": state.version, "number": number}
        places = [place_row(self.seller, sku, location, place) for location, place in state.places.items()]
        await ledger.put_balances(self.session, [{**row, "state": packed}], places)
        return True

    async def _field(self, fix: Rows) -> bool:
        field, value = fix.key[0], fix.value
        async for entry in self._since(fix.number):
            config = config_of(entry)
            if config is not None:
                set_ = {**config.fields, VERSION: str(config.version).encode()}
                value = None if field in config.removed else set_.get(field, value)
        rows = [] if value is None else [{"seller": self.seller, "field": field, "value": value}]
        await ledger.put_config(self.session, self.seller, rows, [] if rows else [field])
        return True

    async def _cursor(self, fix: Rows) -> bool:
        await begin_at(self.session, self.seller, READER, fix.key[0])
        return True

    # --- reading -----------------------------------------------------------------------------------------------

    async def _entry(self, number: int) -> Entry | None:
        rows = await inspecting.entries_about(self.session, self.seller, [number])
        return decode_entry(rows[0]) if rows else None

    async def _last_about(self, kind: str, id: str) -> tuple[int | None, Entry | None]:
        number = await inspecting.last_about(self.session, self.seller, kind, id)
        return number, None if number is None else await self._entry(number)

    async def _since(self, number: int) -> AsyncIterator[Entry]:
        """Entries that were drained after the check."""
        while rows := await inspecting.entries_after(self.session, self.seller, number, CHUNK):
            for row in rows:
                entry = decode_entry(row)
                if entry is not None:
                    yield entry
            number = rows[-1].number

    def _rows(self, number: int, entry: Entry) -> Projection:
        rows = Projection(self.seller)
        rows.add(number, "", entry)
        return rows
