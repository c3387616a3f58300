"""
Whether SQL agrees with itself: entries with their hashes, and every derived row with the entries it comes from.

All is read in one transaction, so nothing that happens meanwhile is seen in part.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final, NamedTuple

from allocator.balances import VersionGap, apply_change, encode_state
from allocator.ledger import START, config_of, place
from allocator.records import UNREADABLE, Entry, SkuState, decode_state
from app.draining.drain import READER
from app.draining.rows import VERSION, Group, hash_of
from app.store import inspecting as store
from app.store import ledger
from app.store.cursors import read_cursor
from app.store.database import Session
from app.store.inspecting import EntryRead

from .adding import Sums, group_of
from .derived import COLUMNS, Projection, Read, decode_entry
from .findings import Findings, Rows
from .histories import HistoryCheck
from .rejects import RejectCheck

PAGE: Final = 500
MOVES_MAX: Final = 50_000
"""Most moves of the entries that are compared at a time."""

BALANCES: Final = 5_000
ORPHANS_MAX: Final = 1_000

ORDER_PARTS: Final = ("orders", "lines", "takes", "announced")
"""The tables of orders, in the order in which a group of entries has their rows."""

Progress = Callable[[int], None]
"""Hears how many more rows have been looked at."""


class Sound(NamedTuple):
    """What the check of SQL leaves for others: whether entries are whole, and how many there are."""

    whole: bool
    entries: int
    balances: int


class EntryCheck:
    """One seller's check of SQL."""

    def __init__(self, session: Session, findings: Findings, progress: Progress) -> None:
        self.session = session
        self.findings = findings
        self.seller = findings.seller
        self.progress = progress
        self.histories = HistoryCheck(session, findings)
        self.rejects = RejectCheck(session, findings)
        self.sums = Sums()
        self.fields: dict[str, int] = {}
        self.subjects = 0
        self.last = 0
        self.balances = 0
        self._compared = 0
        self._closer = False

    async def run(self, epoch: str) -> Sound:
        """Look at everything."""
        async for reads in self._chunks():
            await self._compare(reads)
        await self._judge_ends(epoch)
        whole = not self.findings.has("entry_damaged", "entry_missing")
        await self._judge_orphans(whole=whole)
        if whole:
            await self.histories.judge_rest(self.last, ORPHANS_MAX)
            await self.rejects.judge()
        await self._add_balances()
        if whole:
            await self._judge_folded()
        return Sound(whole, self.last, self.balances)

    # --- entries and what each of them makes -------------------------------------------------------------------

    async def _chunks(self) -> AsyncIterator[list[Read]]:
        """Entries in groups that make a bounded number of moves."""
        reads: list[Read] = []
        moves = 0
        async for row in self._rows():
            read = self._read(row)
            reads.append(read)
            moves += sum(len(change.moves) for change in read.entry.changes) if read.entry else 0
            if moves >= MOVES_MAX or len(reads) >= PAGE:
                yield reads
                reads, moves = [], 0
        if reads:
            yield reads

    async def _rows(self) -> AsyncIterator[EntryRead]:
        after = 0
        while rows := await store.entries_after(self.session, self.seller, after, PAGE):
            for row in rows:
                self._note_gap(after, row.number)
                yield row
                after = row.number
        self.last = after

    def _note_gap(self, before: int, number: int) -> None:
        if number > before + 1 and not self._closer:
            self.findings.add("entry_missing", f"entries {before + 1} to {number - 1}", "nothing", "entries")

    def _read(self, row: EntryRead) -> Read:
        entry = decode_entry(row)
        if entry is None:
            says = f"hash {hash_of(row.body)}"
            self.findings.add("entry_damaged", f"entry {row.number} ({row.epoch} {row.id})", says, row.hash)
            return Read(row.number, row.id, None)
        for name in COLUMNS:
            found, expected = getattr(row, name), getattr(entry, name)
            if found != expected:
                fix = Rows("columns", (row.number,))
                self.findings.add("entry_columns_differ", f"entry {row.number}, {name}", found, expected, fix)
        return Read(row.number, row.id, entry)

    async def _compare(self, reads: list[Read]) -> None:
        whole = Projection(self.seller, await self.histories.orders_before(reads, self._compared))
        for read in reads:
            if read.entry is not None:
                whole.add(read.number, read.id, read.entry)
                self._add_up(read.entry)
        self.rejects.add(whole)
        damaged = {read.number for read in reads if read.entry is None}
        await self._compare_moves(whole, self._compared, reads[-1].number, damaged)
        await self._compare_subjects(whole)
        await self._compare_orders(whole, reads[-1].number)
        await self._compare_holds(whole, reads[-1].number)
        await self._compare_answers(whole)
        await self.histories.compare(whole, self._compared, reads[-1].number)
        self._compared = reads[-1].number
        self.progress(len(whole.moves) + len(reads))

    def _add_up(self, entry: Entry) -> None:
        for change in entry.changes:
            self.sums.add_change(change)
        config = config_of(entry)
        if config is not None:
            self.sums.add_made(config.made)
            self.fields |= {field: hash(value) for field, value in config.fields.items()}
            for field in config.removed:
                self.fields.pop(field, None)
            self.fields[VERSION] = hash(str(config.version).encode())

    async def _compare_moves(self, group: Group, after: int, last: int, damaged: set[int]) -> None:
        expected = store.as_tuples("moves", group.moves)
        found = await store.moves_between(self.session, self.seller, after, last)
        if found == expected:
            return
        numbers = {row[0] for row in set(found) ^ set(expected)} - damaged
        known = {row["number"] for row in group.entries}
        for number in sorted(numbers):
            counts = [sum(row[0] == number for row in rows) for rows in (found, expected)]
            if number in known:
                fix = Rows("derived", (number,))
                self.findings.add("moves_differ", f"entry {number}", f"{counts[0]} moves", f"{counts[1]} others", fix)

    async def _compare_subjects(self, group: Group) -> None:
        expected = store.as_tuples("subjects", group.subjects)
        self.subjects += len(expected)
        found = await store.subjects_among(self.session, self.seller, expected)
        for kind, id, number in expected:
            if (kind, id, number) not in found:
                self.subjects -= 1
                fix = Rows("derived", (number,))
                self.findings.add("subjects_differ", f"entry {number}", "nothing", f"{kind} {id}", fix)

    async def _compare_orders(self, group: Group, last: int) -> None:
        heads, *parts_of = (store.as_tuples(kind, rows) for kind, rows in zip(ORDER_PARTS, group.orders(), strict=True))
        found = {row[:2]: row for row in await self._rows_of("orders", [row[:2] for row in heads])}
        number_at = len(heads[0]) - 2 if heads else 0
        current = [row[:2] for row in heads if row[:2] in found and found[row[:2]][number_at] == row[number_at]]
        same = {kind: _by_order(rows) for kind, rows in zip(ORDER_PARTS[1:], parts_of, strict=True)}
        stored = {kind: _by_order(await self._rows_of(kind, current)) for kind in same}
        for row in heads:
            key, now = row[:2], found.get(row[:2])
            if now is not None and row[number_at] < now[number_at] > last:
                continue
            parts = all(stored[kind].get(key, []) == same[kind].get(key, []) for kind in same)
            if now != row or not parts:
                says = "nothing" if now is None else f"as entry {now[number_at]} left it" if parts else "other lines"
                fix = Rows("order", (":".join(key),))
                self.findings.add("order_row_differs", ":".join(key), says, f"as entry {row[number_at]} left it", fix)

    async def _compare_holds(self, group: Group, last: int) -> None:
        expected = store.as_tuples("holds", group.holds())
        found = {row[:1]: row for row in await self._rows_of("holds", [row[:1] for row in expected])}
        for row in expected:
            now = found.get(row[:1])
            if now is not None and row[-2] < now[-2] > last:
                continue
            if now != row:
                says = "nothing" if now is None else f"as entry {now[-2]} left it"
                fix = Rows("hold", row[:1])
                self.findings.add("hold_row_differs", str(row[0]), says, f"as entry {row[-2]} left it", fix)

    async def _compare_answers(self, group: Group) -> None:
        expected = store.as_tuples("ops", group.answers())
        found = {row[0]: row for row in await self._rows_of("ops", [row[:1] for row in expected])}
        for row in expected:
            if found.get(row[0]) != row:
                says = "another answer" if row[0] in found else "nothing"
                self.findings.add("answer_row_differs", row[0], says, "its entry's", Rows("answer", row[:1]))

    async def _rows_of(self, kind: str, keys: list[tuple[str, ...]]) -> store.Tuples:
        return await store.rows_of(self.session, self.seller, kind, keys)

    # --- what belongs to no entry, and the ends ----------------------------------------------------------------

    async def _judge_ends(self, epoch: str) -> None:
        for number in sorted({row[0] for row in await store.moves_between(self.session, self.seller, self.last, None)}):
            self.findings.add("entry_missing", f"entry {number}", "moves alone", "an entry")
        newest = await store.newest_of_epoch(self.session, self.seller, epoch) or START
        cursor = await read_cursor(self.session, self.seller, READER)
        position = cursor.position if cursor else START
        if position != newest:
            # What lies between a cursor that is ahead and the newest entry has been lost; that is not put right by it.
            fix = Rows("cursor", (newest,)) if place(position) < place(newest) else None
            self.findings.add("cursor_differs", "the drain's cursor", position, newest, fix)

    async def _judge_orphans(self, *, whole: bool) -> None:
        """Rows that no entry speaks of; while entries are missing or damaged nobody knows whether they are wrong."""
        if await store.count_of(self.session, self.seller, "subjects") != self.subjects:
            await self._judge_subjects(whole=whole)
        if self.findings.has("subjects_differ"):
            return
        for kind, word in (*((kind, "order") for kind in ORDER_PARTS), ("holds", "hold")):
            for key in await store.orphans(self.session, self.seller, kind, ORPHANS_MAX):
                id = ":".join(key)
                fix = Rows(word, (id,)) if whole else None
                self.findings.add(f"{word}_row_differs", id, f"{kind} of an entry that is not about it", "none", fix)

    async def _judge_subjects(self, *, whole: bool) -> None:
        after = ("", "", 0)
        while rows := await store.subjects_after(self.session, self.seller, after, 400):
            numbers = sorted({number for _, _, number in rows})
            entries = {row.number: decode_entry(row) for row in await self._entries(numbers)}
            for kind, id, number in rows:
                entry = entries.get(number)
                if number not in entries or (entry is not None and f"{kind}:{id}" not in entry.records):
                    fix = Rows("subjects", (kind, id, number)) if whole else None
                    self.findings.add("subjects_differ", f"entry {number}", f"{kind} {id}", "nothing", fix)
            after = rows[-1]

    async def _entries(self, numbers: list[int]) -> list[EntryRead]:
        return await store.entries_about(self.session, self.seller, numbers)

    # --- what entries add up to --------------------------------------------------------------------------------

    async def _add_balances(self) -> None:
        async for rows in self._balances():
            for sku, version, packed in rows:
                self.sums.take(sku, version, packed)
            await self.histories.compare_places(rows, self.last)
            self.balances += len(rows)
            self.progress(len(rows))

    async def _balances(self) -> AsyncIterator[list[tuple[str, int, bytes]]]:
        after = ""
        while rows := await store.balances_after(self.session, self.seller, after, BALANCES):
            yield rows
            after = rows[-1][0]

    async def _judge_folded(self) -> None:
        """Only where sums differ: add those skus and fields up again, one by one."""
        groups, fields = self.sums.suspicious(), await self._suspicious_fields()
        if not groups and not fields:
            return
        self._closer = True
        states, values = await self._fold(groups, fields)
        if groups:
            await self._compare_balances(groups, states)
        found = {row[0]: row[1] for row in await self._rows_of("config", [(field,) for field in fields])}
        for field in sorted(fields):
            if found.get(field) != values.get(field):
                fix = Rows("field", (field,), values.get(field), self.last)
                self.findings.add("field_row_differs", field, _says(found.get(field)), _says(values.get(field)), fix)

    async def _suspicious_fields(self) -> set[str]:
        left, wrong = dict(self.fields), set()
        after: tuple[str, ...] | None = None
        while rows := await ledger.page(self.session, "config", self.seller, after, BALANCES):
            for (field,), value in rows:
                if left.pop(field, None) != hash(value):
                    wrong.add(field)
            after = rows[-1][0]
            self.progress(len(rows))
        return wrong | left.keys()

    async def _fold(self, groups: set[int], fields: set[str]) -> tuple[dict[str, SkuState], dict[str, bytes]]:
        states: dict[str, SkuState] = {}
        values: dict[str, bytes] = {}
        async for row in self._rows():
            entry = decode_entry(row)
            if entry is None:
                continue
            config = config_of(entry)
            if config is not None:
                states |= {sku: SkuState() for sku in config.made if group_of(sku) in groups}
                set_ = {**config.fields, VERSION: str(config.version).encode()}
                values |= {field: value for field, value in set_.items() if field in fields}
                for field in config.removed:
                    values.pop(field, None)
            self._fold_changes(row.number, entry, groups, states)
        return states, values

    def _fold_changes(self, number: int, entry: Entry, groups: set[int], states: dict[str, SkuState]) -> None:
        for change in entry.changes:
            if group_of(change.sku) in groups:
                try:
                    apply_change(states.setdefault(change.sku, SkuState()), change)
                except VersionGap as gap:
                    self.findings.add("ledger_gap", f"{gap.sku}, entry {number}", gap.found, gap.expected)
                    states[change.sku].version = change.version

    async def _compare_balances(self, groups: set[int], states: dict[str, SkuState]) -> None:
        gaps = self.findings.has("ledger_gap")
        async for rows in self._balances():
            for sku, version, packed in rows:
                if group_of(sku) in groups:
                    expected = states.pop(sku, None)
                    if not _same(packed, version, expected):
                        self._add_balance(sku, packed, expected, sure=not gaps)
        for sku, expected in sorted(states.items()):
            self._add_balance(sku, None, expected, sure=not gaps)

    def _add_balance(self, sku: str, packed: bytes | None, expected: SkuState | None, *, sure: bool) -> None:
        should = None if expected is None else encode_state(expected)
        fix = Rows("balance", (sku,), should, self.last) if sure else None
        self.findings.add("balance_differs", sku, shown(packed), shown(should), fix)


def shown(packed: bytes | None) -> str:
    """A packed state in words."""
    if packed is None:
        return "nothing"
    try:
        state = decode_state(packed)
    except UNREADABLE:
        return "unreadable"
    places = [f"{code} {p.on_hand}/{p.held}/{p.committed}" for code, p in state.places.items()]
    return f"version {state.version}: {', '.join(places[:5]) or 'nothing'} (on hand/held/committed)"


def _same(packed: bytes, version: int, expected: SkuState | None) -> bool:
    if expected is None or version != expected.version:
        return False
    try:
        return packed == encode_state(expected) or decode_state(packed) == decode_state(encode_state(expected))
    except UNREADABLE:
        return False


def _says(value: bytes | None) -> str:
    return "nothing" if value is None else f"{len(value)} bytes, {hash_of(value)[:8]}"


def _by_order(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[str, str], list[tuple[Any, ...]]]:
    found: defaultdict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        found[row[0], row[1]].append(row)
    return {key: sorted(each) for key, each in found.items()}
