"""
The running check that a seller's books are true: the invariants of the model, from the stored records alone.

It runs no verb and shares no decision with the scripts, so it finds what they did wrong. A reading torn by a write
would look like a fault; therefore it reads again while the ledger moves, and reports only faults that every reading
found with the very same numbers.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec
from redis.asyncio import Redis

from .model import OrderLine, Take
from .reading import Books, position, read_books
from .records import Entry, OrderRecord, Place, QuotaUse, Remembered, SkuState, waiting_member

ANSWERS_KEPT_MS = 7 * 24 * 3_600_000
"""How long an op's answer must stay known."""

READINGS_MAX = 3
"""How often the records are read while verbs run meanwhile."""

MEANINGS = {
    "below_zero": "a bucket holds fewer than no units",
    "oversold": "units are promised that are not there, and no deficit says so",
    "deficit_differs": "the recorded deficit is not what is missing",
    "held_differs": "held is not the sum of the open holds",
    "committed_differs": "committed is not the sum of the orders' takes",
    "consumed_differs": "a quota's units in use are not what takes have from it",
    "take_differs": "the parts of a take are not its units",
    "line_differs": "the units of an order line do not add up to what was ordered",
    "line_committed_differs": "a line's committed units are not its takes",
    "line_returned": "more units came back than were shipped",
    "backordered_differs": "the sku's backordered units are not those of its order lines",
    "conflict_differs": "the sku's units in conflict are not those of its order lines",
    "waiting_missing": "a backordered line is not in the queue",
    "waiting_extra": "the queue has a line that waits for nothing",
    "deadline_differs": "an open hold's deadline is not the one in the index, or the index has a hold that is not open",
    "owner_differs": "an owner and his open hold do not lead to each other",
    "sku_unknown": "a hold, an order or the ledger names a sku that has no state",
    "op_forgotten": "an effect is not remembered under its op, with its request and answer",
    "op_twice": "one op had more than one effect",
    "version_gap": "a sku's versions do not follow one another from the ledger to its state",
    "unreadable": "a record cannot be read",
}
"""Every fault the check can find."""


class Violation(msgspec.Struct, frozen=True):
    """
    One broken promise: what, where, and the two numbers that should be equal.

    what: a word of MEANINGS. of: the hold, order and line, op, channel or record it is about, or ''.
    """

    what: str
    sku: str = ""
    location: str = ""
    of: str = ""
    found: int = 0
    expected: int = 0

    def __str__(self) -> str:
        where = ", ".join(filter(None, (self.sku, self.location, self.of)))
        return f"{MEANINGS[self.what]} ({where}: {self.found}, expected {self.expected})"


class Report(msgspec.Struct, frozen=True):
    """
    What a seller has, and what is wrong with it. Deficits, backorders, conflicts and oversold are units.

    holds counts the open ones. quiet: no verb had an effect while the records were read.
    """

    skus: int
    holds: int
    orders: int
    ledger_entries: int
    deficits: int
    backorders: int
    conflicts: int
    oversold: int
    quiet: bool
    violations: list[Violation]


async def check(client: Redis, seller: str, *, chunk: int = 500) -> Report:
    """Read a seller's records, `chunk` at a time, and say what is there and what is not as it must be."""
    report = await _check_once(client, seller, chunk)
    for _ in range(READINGS_MAX - 1):
        if report.quiet or not report.violations:
            break
        again = await _check_once(client, seller, chunk)
        lasting = [violation for violation in again.violations if violation in report.violations]
        report = msgspec.structs.replace(again, violations=lasting, oversold=_oversold(lasting))
    return report


async def _check_once(client: Redis, seller: str, chunk: int) -> Report:
    before = await position(client, seller)
    books = await read_books(client, seller, chunk=chunk)
    violations = find_violations(books)
    places = [place for state in books.stock.values() for place in state.places.values()]
    return Report(
        skus=len(books.stock),
        holds=sum(hold.state == "open" for hold in books.holds.values()),
        orders=len(books.orders),
        ledger_entries=len(books.ledger),
        deficits=sum(place.deficit for place in places),
        backorders=sum(state.backordered for state in books.stock.values()),
        conflicts=sum(state.conflict for state in books.stock.values()),
        oversold=_oversold(violations),
        quiet=before == await position(client, seller),
        violations=violations,
    )


def _oversold(violations: Iterable[Violation]) -> int:
    return sum(violation.found for violation in violations if violation.what == "oversold")


def find_violations(books: Books) -> list[Violation]:
    """Every fault in these records."""
    audit = _Audit(books)
    for record in books.unreadable:
        audit.note("unreadable", of=record, found=1)
    audit.sum_up()
    audit.judge_ledger()
    audit.judge_stock()
    audit.judge_indexes()
    audit.judge_orders()
    return audit.violations


class _Audit:
    """The sums over holds and orders, and the faults found on the way."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.violations: list[Violation] = []
        self.held: Counter[tuple[str, str]] = Counter()
        self.committed: Counter[tuple[str, str]] = Counter()
        self.in_use: Counter[tuple[str, str, str]] = Counter()
        self.backordered: Counter[str] = Counter()
        self.conflict: Counter[str] = Counter()
        self.waiting: set[bytes] = set()
        self.versions: dict[str, int] = {}
        times = [entry.at_ms for entry in books.ledger]
        self.forgetful_ms = max([books.clock_ms, *times]) - ANSWERS_KEPT_MS

    def note(
        self, what: str, sku: str = "", location: str = "", of: str = "", *, found: int, expected: int = 0
    ) -> None:
        """Keep a fault, if the numbers differ."""
        if found != expected:
            self.violations.append(Violation(what, sku, location, of, found, expected))

    # --- sums --------------------------------------------------------------------------------------------------

    def sum_up(self) -> None:
        for hold in self.books.holds.values():
            if hold.state == "open":
                self._add_takes(hold.takes, hold.hold_id, self.held)
        for id, record in self.books.orders.items():
            for line in record.order.lines:
                self._add_line(record, line, f"{id} {line.line}")

    def _add_takes(self, takes: Iterable[Take], of: str, total: Counter[tuple[str, str]]) -> None:
        for take in takes:
            total[take.sku, take.location] += take.units
            parts = sum(part.units for part in take.parts)
            self.note("take_differs", take.sku, take.location, of, found=parts, expected=take.units)
            for part in take.parts:
                self.note("below_zero", take.sku, take.location, of, found=min(0, part.units))
                if part.quota:
                    self.in_use[take.sku, take.location, part.quota] += part.units

    def _add_line(self, record: OrderRecord, line: OrderLine, of: str) -> None:
        self._add_takes(line.takes, of, self.committed)
        self.backordered[line.sku] += line.backordered
        self.conflict[line.sku] += line.conflict
        if line.backordered > 0:
            self.waiting.add(waiting_member(record, line.line, line.sku))
        buckets = (line.committed, line.shipped, line.backordered, line.conflict, line.cancelled)
        taken = sum(take.units for take in line.takes)
        self.note("line_differs", line.sku, of=of, found=sum(buckets), expected=line.ordered)
        self.note("line_committed_differs", line.sku, of=of, found=line.committed, expected=taken)
        self.note("below_zero", line.sku, of=of, found=min(0, line.returned, *buckets))
        if line.returned > line.shipped:
            self.note("line_returned", line.sku, of=of, found=line.returned, expected=line.shipped)

    # --- ledger ------------------------------------------------------------------------------------------------

    def judge_ledger(self) -> None:
        effects = Counter(entry.op for entry in self.books.ledger if entry.op)
        for op, times in effects.items():
            self.note("op_twice", of=op, found=times, expected=1)
        for entry in self.books.ledger:
            self._follow_versions(entry)
            if entry.op and entry.at_ms >= self.forgetful_ms:
                said = Remembered(entry.at_ms, entry.fingerprint, entry.word, entry.answer)
                self.note("op_forgotten", of=entry.op, found=int(self.books.ops.get(entry.op) == said), expected=1)

    def _follow_versions(self, entry: Entry) -> None:
        for change in entry.changes:
            next_version = self.versions.get(change.sku, change.version - 1) + 1
            self.note("version_gap", change.sku, of=entry.op, found=change.version, expected=next_version)
            self.versions[change.sku] = change.version

    # --- stock -------------------------------------------------------------------------------------------------

    def judge_stock(self) -> None:
        for sku, state in self.books.stock.items():
            self._judge_sku(sku, state)
        stored = {(sku, code): place for sku, state in self.books.stock.items() for code, place in state.places.items()}
        for sku, code in stored.keys() | self.held.keys() | self.committed.keys():
            self._judge_place(sku, code, stored.get((sku, code), Place()))
        quotas = {(*key, channel): use for key, place in stored.items() for channel, use in place.quotas.items()}
        for key in quotas.keys() | self.in_use.keys():
            self._judge_quota(*key, quotas.get(key, QuotaUse()))
        named = self.backordered.keys() | {sku for sku, _ in self.held} | self.versions.keys()
        for sku in named - self.books.stock.keys():
            self.note("sku_unknown", sku, found=1)

    def _judge_sku(self, sku: str, state: SkuState) -> None:
        self.note("version_gap", sku, found=state.version, expected=self.versions.get(sku, state.version))
        self.note("backordered_differs", sku, found=state.backordered, expected=self.backordered[sku])
        self.note("conflict_differs", sku, found=state.conflict, expected=self.conflict[sku])

    def _judge_place(self, sku: str, code: str, place: Place) -> None:
        self.note("held_differs", sku, code, found=place.held, expected=self.held[sku, code])
        self.note("committed_differs", sku, code, found=place.committed, expected=self.committed[sku, code])
        self.note("below_zero", sku, code, found=min(0, place.held, place.committed, *place.reasons.values()))
        self.note("deficit_differs", sku, code, found=place.deficit, expected=place.missing)
        self.note("oversold", sku, code, found=max(0, place.missing - max(0, place.deficit)))

    def _judge_quota(self, sku: str, code: str, channel: str, use: QuotaUse) -> None:
        in_use = use.consumed - use.spent
        self.note("consumed_differs", sku, code, channel, found=in_use, expected=self.in_use[sku, code, channel])
        self.note("below_zero", sku, code, channel, found=min(0, use.quota, use.consumed, use.spent, use.floor))

    # --- indexes and orders ------------------------------------------------------------------------------------

    def judge_indexes(self) -> None:
        for member in self.waiting - self.books.waiting:
            self.note("waiting_missing", of=_readable(member), found=0, expected=1)
        for member in self.books.waiting - self.waiting:
            self.note("waiting_extra", of=_readable(member), found=1)
        holds = {id: hold for id, hold in self.books.holds.items() if hold.state == "open"}
        deadlines = {id: hold.deadline_ms for id, hold in holds.items()}
        for id in deadlines.keys() | self.books.deadlines.keys():
            found, expected = self.books.deadlines.get(id, 0), deadlines.get(id, 0)
            self.note("deadline_differs", of=id, found=found, expected=expected)
        owners = [(f"{hold.channel}:{hold.owner}", id) for id, hold in holds.items() if hold.owner]
        for owner, id in set(owners) ^ set(self.books.owners.items()):
            indexed = int(self.books.owners.get(owner) == id)
            self.note("owner_differs", of=f"{owner} {id}", found=indexed, expected=1 - indexed)

    def judge_orders(self) -> None:
        """The op that placed an order must answer for it as long as answers are kept."""
        for id, record in self.books.orders.items():
            if record.order.placed_ms >= self.forgetful_ms:
                said = self.books.ops.get(record.op)
                known = said is not None and (said.fingerprint, said.word) == (record.fingerprint, "placed")
                self.note("op_forgotten", of=f"{id} {record.op}", found=int(known), expected=1)


def _readable(member: bytes) -> str:
    return member.decode(errors="replace").replace("\0", " ")
