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

from .judging import Judge, Violation
from .reading import Books, position, read_books
from .records import Entry, Remembered, slot_members, waiting_members

READINGS_MAX = 3
"""How often the records are read while verbs run meanwhile."""


PLACED = frozenset({"placed", "exchanged"})
"""What an op answered that made an order."""


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
    """The faults found on the way."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.judge = Judge()
        self.violations = self.judge.violations
        self.note = self.judge.note
        self.waiting: set[bytes] = set()
        self.slots: set[bytes] = set()
        self.versions: dict[str, int] = {}

    def sum_up(self) -> None:
        for hold in self.books.holds.values():
            self.judge.add_hold(hold)
        for id, record in self.books.orders.items():
            self.judge.add_order(id, record)
            self.waiting |= waiting_members(record)
            self.slots |= slot_members(record.order)

    # --- ledger ------------------------------------------------------------------------------------------------

    def judge_ledger(self) -> None:
        effects = Counter(entry.op for entry in self.books.ledger if entry.op)
        for op, times in effects.items():
            self.note("op_twice", of=op, found=times, expected=1)
        for entry in self.books.ledger:
            self._follow_versions(entry)
            if entry.op and entry.op not in self.books.left:
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
            self.note("version_gap", sku, found=state.version, expected=self.versions.get(sku, state.version))
            self.judge.judge_sku(sku, state)
        self.judge.judge_unknown((self.judge.claims.keys() | self.versions.keys()) - self.books.stock.keys())

    # --- indexes and orders ------------------------------------------------------------------------------------

    def judge_indexes(self) -> None:
        self._judge_members("waiting", self.waiting, self.books.waiting)
        self._judge_members("slot", self.slots, self.books.slots)
        holds = {id: hold for id, hold in self.books.holds.items() if hold.state == "open"}
        deadlines = {id: hold.deadline_ms for id, hold in holds.items()}
        for id in deadlines.keys() | self.books.deadlines.keys():
            found, expected = self.books.deadlines.get(id, 0), deadlines.get(id, 0)
            self.note("deadline_differs", of=id, found=found, expected=expected)
        owners = [(f"{hold.channel}:{hold.owner}", id) for id, hold in holds.items() if hold.owner]
        for owner, id in set(owners) ^ set(self.books.owners.items()):
            indexed = int(self.books.owners.get(owner) == id)
            self.note("owner_differs", of=f"{owner} {id}", found=indexed, expected=1 - indexed)

    def _judge_members(self, word: str, wanted: set[bytes], there: set[bytes]) -> None:
        for member in wanted - there:
            self.note(f"{word}_missing", of=_readable(member), found=0, expected=1)
        for member in there - wanted:
            self.note(f"{word}_extra", of=_readable(member), found=1)

    def judge_orders(self) -> None:
        """The op that placed an order must answer for it, here or in SQL."""
        for id, record in self.books.orders.items():
            if record.op not in self.books.left:
                said = self.books.ops.get(record.op)
                known = said is not None and said.fingerprint == record.fingerprint and said.word in PLACED
                self.note("op_forgotten", of=f"{id} {record.op}", found=int(known), expected=1)


def _readable(member: bytes) -> str:
    return member.decode(errors="replace").replace("\0", " ")
