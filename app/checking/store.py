"""
Whether Valkey agrees with the ledger: what SQL has, and the tail that is not there yet.

Records are read a page at a time, each page with the tail in one step, so verbs and the drain may run meanwhile: what
is compared is of one moment.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from redis.asyncio import Redis

from allocator import SellerKeys
from allocator.balances import VersionGap
from allocator.forgotten import left_of, name_of
from allocator.judging import Violation
from allocator.ledger import START, Damaged, Gap
from allocator.records import UNREADABLE, decode_hold, decode_order
from allocator.repairs import RecordKind, RecordRepair, Repair, SkuRepair
from app.draining.drain import READER
from app.draining.rows import VERSION
from app.recovery.comparing import NEW_STATE, evidence, is_closed, state_after
from app.store import inspecting, ledger
from app.store.cursors import read_cursor
from app.store.database import Database, Session

from .entries import shown
from .findings import Findings
from .indexes import IndexCheck
from .promises import PromiseCheck
from .tail import Tail

PAGE: Final = 5_000
SCAN: Final = 1_000

WORDS: Final = {"orders": "order", "holds": "hold"}

Page = dict[str, bytes]
Progress = Callable[[int], None]


class StoreCheck:
    """One seller's check of Valkey, `page` records at a time."""

    page = PAGE

    def __init__(
        self, database: Database, client: Redis, findings: Findings, progress: Progress, *, whole: bool
    ) -> None:
        self.database = database
        self.client = client
        self.findings = findings
        self.seller = findings.seller
        self.progress = progress
        self.keys = SellerKeys(self.seller)
        self.tail = Tail(client, self.seller)
        self.promises = PromiseCheck(client, findings)
        self.missing = 0
        self.whole = whole
        """Whether SQL has every entry as it was: else nobody can say which side is right."""

    async def run(self, epoch: str) -> bool:
        """Look at everything; False when this is not the store that SQL remembers, and nothing can be compared."""
        if not await self._is_ours(epoch):
            return False
        try:
            await self._config()
            await self.promises.add_up(self.progress)
            await self._stock()
            for kind in WORDS:
                await self._records(kind)
            await self._answers()
        except Gap as gap:
            self.findings.add("ledger_behind", "the ledger", f"ends at {gap.last}", f"had {gap.after}")
            return False
        except Damaged as damaged:
            self.findings.add("ledger_damaged", str(damaged), "unreadable", "an entry")
            return False
        await self.promises.settle()
        await IndexCheck(self.client, self.findings, self.progress).run()
        return True

    async def _is_ours(self, epoch: str) -> bool:
        [name] = self.keys.named("seller")
        found: Any = await self.client.hget(name, "epoch")
        if found == epoch.encode():
            return True
        if not await self.client.exists(*self.keys.all()):
            self.findings.add("store_empty", "the store", "nothing", epoch)
        else:
            self.findings.add("epoch_differs", "the store", (found or b"nothing").decode(errors="replace"), epoch)
        return False

    # --- pages of SQL, with the tail behind them ---------------------------------------------------------------

    async def _pages(self, kind: str) -> AsyncIterator[Page]:
        after: tuple[str, ...] | None = None
        while True:
            async with self.database.reading() as session:
                await self._begin_tail(session)
                rows = await ledger.page(session, kind, self.seller, after, self.page)
            if not rows:
                return
            yield {":".join(key): value for key, value in rows}
            after = rows[-1][0]
            self.progress(len(rows))

    async def _begin_tail(self, session: Session) -> None:
        cursor = await read_cursor(session, self.seller, READER)
        position = cursor.position if cursor else START
        await self.tail.begin(self.findings.cursor or position)

    async def _unknown(self, kind: str, names: list[str]) -> list[str]:
        """Those of these things in Valkey that neither SQL nor the tail knows."""
        keys = [_key(kind, name) for name in names]
        width = len(inspecting.KEYS[kind][1])
        async with self.database.reading() as session:
            found = {":".join(row[:width]) for row in await inspecting.rows_of(session, self.seller, kind, keys)}
            await self._begin_tail(session)
        await self.tail.size("seller")
        found |= set(self.tail.names(kind))
        return [name for name in names if name not in found]

    async def _newcomers(self, kind: str) -> AsyncIterator[dict[str, bytes | None]]:
        """What only the tail knows, with what Valkey has of it."""
        width = len(inspecting.KEYS[kind][1])
        for part in _parts(self.tail.names(kind)):
            keys = [_key(kind, name) for name in part]
            async with self.database.reading() as session:
                await self._begin_tail(session)
                known = {":".join(row[:width]) for row in await inspecting.rows_of(session, self.seller, kind, keys)}
            new = [name for name in part if name not in known]
            if new:
                yield dict(zip(new, await self.tail.look(kind, new), strict=True))

    def _tail_record(self, kind: str, name: str) -> bytes | None:
        return self.tail.record_of(f"{WORDS[kind]}:{name}")

    async def _extras(self, kind: str) -> AsyncIterator[str]:
        """What Valkey has beyond SQL and the tail; looked for only when it has more than SQL."""
        async with self.database.reading() as session:
            count = await inspecting.count_of(session, self.seller, kind)
        if await self.tail.size(kind) <= count - self.missing:
            return
        [name] = self.keys.named(kind)
        names: list[str] = []
        async for field, _ in self.client.hscan_iter(name, count=SCAN):
            names.append(field.decode(errors="replace"))
            if len(names) == SCAN:
                for extra in await self._unknown(kind, names):
                    yield extra
                names = []
        for extra in await self._unknown(kind, names):
            yield extra

    # --- skus --------------------------------------------------------------------------------------------------

    async def _stock(self) -> None:
        self.missing = 0
        async for page in self._pages("stock"):
            found = await self.tail.look("stock", list(page))
            for (sku, packed), now in zip(page.items(), found, strict=True):
                self._compare_sku(sku, packed, now)
        async for newcomers in self._newcomers("stock"):
            for sku, now in newcomers.items():
                self._compare_sku(sku, NEW_STATE, now)
        async for sku in self._extras("stock"):
            if ("balance", sku) not in self.findings.doubtful:
                self.findings.add("state_extra", sku, "a state", "nothing")

    def _compare_sku(self, sku: str, packed: bytes, now: bytes | None) -> None:
        if ("balance", sku) in self.findings.doubtful:
            self.promises.pass_over(sku)
            return
        try:
            expected = state_after(packed, self.tail.changes_of(sku))
        except (VersionGap, *UNREADABLE) as error:
            self.findings.add("ledger_gap", sku, str(error), "versions that follow one another")
            return
        # Byte for byte: whoever looks after a restart of the store is as strict.
        if now == expected:
            self._judge(sku, now)
            return
        self.missing += now is None
        self.promises.pass_over(sku)
        fix = Repair(skus=[SkuRepair(sku, now or b"", expected)]) if self.whole else None
        self.findings.add("state_missing" if now is None else "state_differs", sku, shown(now), shown(expected), fix)
        self.findings.accuse([sku], evidence(expected, now), now or b"")

    def _judge(self, sku: str, now: bytes | None) -> None:
        try:
            self.promises.judge(sku, now)
        except UNREADABLE:
            self.findings.add_violation(Violation("unreadable", sku, found=1))

    # --- holds and orders --------------------------------------------------------------------------------------

    async def _records(self, kind: str) -> None:
        self.missing = 0
        async for page in self._pages(kind):
            await self._compare_records(kind, page)
        async for newcomers in self._newcomers(kind):
            for name, now in newcomers.items():
                expected = self._tail_record(kind, name)
                if expected is not None and now != expected:
                    self._differs(kind, name, now, expected)
        async for name in self._extras(kind):
            if (WORDS[kind], name) not in self.findings.doubtful:
                self.findings.add(f"{WORDS[kind]}_extra", name, "a record", "nothing")

    async def _compare_records(self, kind: str, page: Page) -> None:
        found = await self.tail.look(kind, list(page))
        gone = []
        for (name, packed), now in zip(page.items(), found, strict=True):
            expected = self._tail_record(kind, name) or packed
            if now is None:
                gone.append((name, expected))
            elif now != expected:
                self._differs(kind, name, now, expected)
        self.missing += len(gone)
        for name, expected in await self._not_forgotten(kind, gone):
            self._differs(kind, name, None, expected)

    def _differs(self, kind: str, name: str, now: bytes | None, expected: bytes) -> None:
        word = WORDS[kind]
        if (word, name) in self.findings.doubtful:
            return
        fix = self._record("order" if kind == "orders" else "hold", name, now, expected)
        what = f"{word}_missing" if now is None else f"{word}_differs"
        self.findings.add(what, name, _state_of(kind, name, now), _state_of(kind, name, expected), fix)
        skus = _skus_of(kind, name, now) | _skus_of(kind, name, expected)
        self.findings.accuse(sorted(skus), f"{word} {name} is not what the ledger says")

    async def _not_forgotten(self, kind: str, gone: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        """Those that should be there: what has ended long ago may leave Valkey, which then knows of it."""
        names = {name: f"{WORDS[kind]}:{name}" for name, packed in gone if _is_over(kind, name, packed)}
        left = await left_of(self.client, self.seller, names.values())
        return [(name, packed) for name, packed in gone if names.get(name) not in left]

    def _record(self, kind: RecordKind, id: str, now: bytes | None, expected: bytes) -> Repair | None:
        return Repair(records=[RecordRepair(kind, id, now or b"", expected)]) if self.whole else None

    # --- answers and config ------------------------------------------------------------------------------------

    async def _answers(self) -> None:
        async for page in self._pages("ops"):
            found = dict(zip(page, await self.tail.look("ops", list(page)), strict=True))
            gone = {op: name_of(op) for op, now in found.items() if now is None}
            left = await left_of(self.client, self.seller, set(gone.values()))
            for op, packed in page.items():
                now = found[op]
                if now != packed and gone.get(op) not in left and ("answer", op) not in self.findings.doubtful:
                    fix = self._record("answer", op, now, packed)
                    kind = "answer_missing" if now is None else "answer_differs"
                    self.findings.add(kind, op, "nothing" if now is None else "another answer", "its answer", fix)

    async def _config(self) -> None:
        known = 0
        async for page in self._pages("config"):
            known += len(page)
            found = dict(zip(page, await self.tail.look("config", list(page)), strict=True))
            fields = self._with_tail(page)
            if VERSION in fields:
                await self._compare_version(fields.pop(VERSION))
            for field, packed in fields.items():
                if found[field] != packed:
                    self._field_differs(field, found[field], packed)
        if self.tail.configs() or await self.tail.size("config") != max(0, known - 1):
            await self._extra_fields()

    def _with_tail(self, page: Page) -> Page:
        """A page of compiled fields as the tail left them."""
        after = dict(page)
        for config in self.tail.configs():
            set_ = {**config.fields, VERSION: str(config.version).encode()}
            after |= {field: value for field, value in set_.items() if field in page}
            for field in config.removed:
                after.pop(field, None)
        return after

    async def _compare_version(self, expected: bytes) -> None:
        [found] = await self.tail.look("seller", ["config"])
        expected = self._with_tail({VERSION: expected})[VERSION]
        if found != expected:
            self.findings.add("config_version_differs", "the seller", (found or b"none").decode(), expected.decode())

    def _field_differs(self, field: str, now: bytes | None, packed: bytes) -> None:
        if ("field", field) in self.findings.doubtful:
            return
        kind = "field_missing" if now is None else "field_differs"
        fix = self._record("field", field, now, packed)
        self.findings.add(kind, field, "nothing" if now is None else f"{len(now)} bytes", f"{len(packed)} bytes", fix)

    async def _extra_fields(self) -> None:
        [name] = self.keys.named("config")
        async for field, value in self.client.hscan_iter(name, count=SCAN):
            word = field.decode(errors="replace")
            async with self.database.reading() as session:
                await self._begin_tail(session)
                rows = await inspecting.rows_of(session, self.seller, "config", [(word,)])
            [now] = await self.tail.look("config", [word])
            made = {one for config in self.tail.configs() for one in config.fields}
            known = word in made or ("field", word) in self.findings.doubtful
            if now == value and not rows and not known:
                fix = self._record("field", word, value, b"")
                self.findings.add("field_extra", word, f"{len(value)} bytes", "nothing", fix)


def _parts(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + SCAN] for start in range(0, len(names), SCAN))


def _key(kind: str, name: str) -> tuple[str, ...]:
    return tuple(name.split(":", 1)) if kind == "orders" else (name,)


def _is_over(kind: str, name: str, packed: bytes) -> bool:
    return is_closed(decode_order(packed)) if kind == "orders" else decode_hold(name, packed).state != "open"


def _skus_of(kind: str, name: str, packed: bytes | None) -> set[str]:
    """The skus of a record, as far as it can be read."""
    if packed is None:
        return set()
    try:
        if kind == "orders":
            return {line.sku for line in decode_order(packed).order.lines}
        return {take.sku for take in decode_hold(name, packed).takes}
    except UNREADABLE:
        return set()


def _state_of(kind: str, name: str, packed: bytes | None) -> str:
    if packed is None:
        return "nothing"
    try:
        state = decode_order(packed).order.state if kind == "orders" else decode_hold(name, packed).state
    except UNREADABLE:
        return "unreadable"
    return f"{state}, {len(packed)} bytes"
