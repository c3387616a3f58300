"""What a check can find, in words, with what a repair would do about it."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from allocator.judging import MEANINGS as BROKEN
from allocator.judging import Violation
from allocator.repairs import Repair

KEPT_MAX: Final = 5_000
"""Most findings of one kind and seller that are kept; the rest is counted."""


class Kind(NamedTuple):
    """What a finding means, and what a repair does; '' when nobody can know what would be right."""

    means: str
    repair: str = ""


FROM_LEDGER: Final = "set to what the ledger says, with a ledger entry"
FROM_CLAIMS: Final = "moved to what holds and orders claim, with a ledger entry"
FROM_RECORDS: Final = "the index is put right from the records, with a ledger entry"
FROM_ENTRIES: Final = "derived again from the entries in SQL"

KINDS: Final = {
    "store_empty": Kind("Valkey has no data of this seller; `allot rebuild` fills it from SQL"),
    "epoch_differs": Kind("Valkey has another data set or an older copy; `allot rebuild` fills it from SQL"),
    "config_version_differs": Kind("Valkey has another config version in force than the ledger says"),
    "ledger_behind": Kind("SQL was drained beyond, or far before, what Valkey's ledger has; `allot rebuild` decides"),
    "ledger_damaged": Kind("an entry of Valkey's ledger cannot be read, so what follows it cannot come into SQL"),
    "ledger_gap": Kind("the ledger's entries do not follow one another"),
    "state_differs": Kind("a sku's state is not what its ledger adds up to", FROM_LEDGER),
    "state_missing": Kind("a sku that the ledger knows has no state in Valkey", FROM_LEDGER),
    "state_extra": Kind("Valkey has a sku that the ledger does not know"),
    "hold_differs": Kind("a hold in Valkey is not what the ledger says", FROM_LEDGER),
    "hold_missing": Kind("a hold that the ledger knows is not in Valkey", FROM_LEDGER),
    "hold_extra": Kind("Valkey has a hold that the ledger does not know"),
    "order_differs": Kind("an order in Valkey is not what the ledger says", FROM_LEDGER),
    "order_missing": Kind("an order that the ledger knows is not in Valkey", FROM_LEDGER),
    "order_extra": Kind("Valkey has an order that the ledger does not know"),
    "answer_differs": Kind("an op is not remembered with the answer the ledger has", FROM_LEDGER),
    "answer_missing": Kind("an op of the last days is not remembered in Valkey", FROM_LEDGER),
    "field_differs": Kind("a field of the compiled config in Valkey is not what the ledger says", FROM_LEDGER),
    "field_missing": Kind("a field of the compiled config is not in Valkey", FROM_LEDGER),
    "field_extra": Kind("Valkey has a field of compiled config that the ledger does not know", FROM_LEDGER),
    "entry_damaged": Kind("an entry in SQL is not what was drained: its body and its hash differ, or it is unreadable"),
    "entry_missing": Kind("an entry is missing in SQL"),
    "entry_columns_differ": Kind("an entry's columns do not say what its body says", FROM_ENTRIES),
    "moves_differ": Kind("the moves in SQL are not those of their entry", FROM_ENTRIES),
    "subjects_differ": Kind("what an entry is about is not what SQL has of it", FROM_ENTRIES),
    "order_row_differs": Kind(
        "an order in SQL, its lines, takes or returns are not what the entries say", FROM_ENTRIES
    ),
    "hold_row_differs": Kind("a hold in SQL, or what it was made of, is not what the entries say", FROM_ENTRIES),
    "shipment_rows_differ": Kind("what left the shelves with an entry is not what SQL has of it", FROM_ENTRIES),
    "recount_rows_differ": Kind("what is to be counted in SQL is not what the entries say", FROM_ENTRIES),
    "location_day_differs": Kind("what a location gave and rejected in SQL is not what the entries say", FROM_ENTRIES),
    "transfer_rows_differ": Kind("a transfer in SQL, its lines or steps are not what the entries say", FROM_ENTRIES),
    "balance_differs": Kind("a sku's balance in SQL, or its places, are not what the entries add up to", FROM_ENTRIES),
    "field_row_differs": Kind("a field of compiled config in SQL is not what the entries say", FROM_ENTRIES),
    "answer_row_differs": Kind("an op's answer in SQL is not its entry's", FROM_ENTRIES),
    "cursor_differs": Kind("the drain's cursor is not at the newest entry in SQL", "it is put there"),
    **{what: Kind(means) for what, means in BROKEN.items()},
    **{
        what: Kind(BROKEN[what], FROM_CLAIMS)
        for what in ("held_differs", "committed_differs", "consumed_differs", "backordered_differs", "conflict_differs")
    },
    **{
        what: Kind(BROKEN[what], "the deficit is booked, with a ledger entry")
        for what in ("oversold", "deficit_differs")
    },
    **{
        what: Kind(BROKEN[what], FROM_RECORDS)
        for what in (
            *("waiting_missing", "waiting_extra", "slot_missing", "slot_extra", "deadline_differs", "owner_differs"),
        )
    },
}
"""Everything a check can find."""


class Finding(msgspec.Struct, frozen=True):
    """
    One thing that is not as it must be.

    kind: a word of KINDS. what: the sku, hold, order, op, field or entry. repair: what `--repair` does, '' for nothing.
    """

    kind: str
    seller: str
    what: str
    found: str
    expected: str
    means: str
    repair: str


class Rows(NamedTuple):
    """What is to be derived again in SQL: kind of row and key; `value` is what entries up to `number` add up to."""

    kind: str
    key: tuple[Any, ...]
    value: bytes | None = None
    number: int = 0


class Later(NamedTuple):
    """Something else must be put right first; then this is gone, or can be decided."""


Fix = Repair | Rows | Later
"""How a finding is put right: in Valkey by a step of the verb `repair`, in SQL by rows, or after others."""

AFTER_OTHERS: Final = "judged again when the others are repaired"


class Findings:
    """What was found of one seller, and how each is put right."""

    def __init__(self, seller: str) -> None:
        self.seller = seller
        self.kept: list[tuple[Finding, Fix | None]] = []
        self.counts: dict[str, int] = {}
        self.accused: dict[str, tuple[str, bytes]] = {}
        """Skus of which no unit should move until somebody has looked: why, and the packed state it is about or b""."""
        self.doubtful: set[tuple[str, str]] = set()
        """What SQL itself must have put right before Valkey can be compared with it: kinds of rows and keys."""

    def add(self, kind: str, what: str, found: object, expected: object, fix: Fix | None = None) -> None:
        """Keep a finding; without a fix nobody can decide it."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.counts[kind] > KEPT_MAX:
            return
        means, repair = KINDS[kind]
        does = AFTER_OTHERS if isinstance(fix, Later) else repair if fix else ""
        self.kept.append((Finding(kind, self.seller, what, str(found), str(expected), means, does), fix))
        if isinstance(fix, Rows):
            self.doubtful.add((fix.kind, str(fix.key[0])))

    def add_violation(self, violation: Violation, fix: Fix | None = None) -> None:
        """Keep a broken promise."""
        what = ", ".join(filter(None, (violation.sku, violation.location, violation.of)))
        self.add(violation.what, what, violation.found, violation.expected, fix)
        if violation.sku:
            self.accuse([violation.sku], str(violation))

    def accuse(self, skus: Iterable[str], evidence: str, seen: bytes = b"") -> None:
        """Say that a finding is about these skus; the first evidence against each is kept."""
        for sku in skus:
            if len(self.accused) < KEPT_MAX:
                self.accused.setdefault(sku, (evidence, seen))

    def has(self, *kinds: str) -> bool:
        """Whether any of these was found."""
        return any(kind in self.counts for kind in kinds)

    @property
    def cursor(self) -> str:
        """Where the drain's cursor should be, when it is not; else ''."""
        return next((key for kind, key in self.doubtful if kind == "cursor"), "")

    @property
    def fixes(self) -> list[tuple[Finding, Fix]]:
        """What can be put right."""
        return [(finding, fix) for finding, fix in self.kept if fix is not None]

    @property
    def total(self) -> int:
        """How many there are, those not kept too."""
        return sum(self.counts.values())
