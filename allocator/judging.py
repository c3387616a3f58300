"""
Which promises a seller's records break: pure judgements on records that somebody else has read.

They share no decision with the scripts, so they find what those did wrong.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from .model import Hold, Order, OrderLine, Take
from .records import OrderRecord, Place, QuotaUse, SkuState

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
    "line_announced": "more units are expected back than were shipped and have not come back",
    "backordered_differs": "the sku's backordered units are not those of its order lines",
    "conflict_differs": "the sku's units in conflict are not those of its order lines",
    "waiting_missing": "a line that waits for units is not in the queue",
    "waiting_extra": "the queue has a line that waits for nothing",
    "slot_missing": "an order's place of a day is not in the index",
    "slot_extra": "the index has a place of a day that no order has",
    "deadline_differs": "an open hold's deadline is not the one in the index, or the index has a hold that is not open",
    "owner_differs": "an owner and his open hold do not lead to each other",
    "sku_unknown": "a hold, an order or the ledger names a sku that has no state",
    "op_forgotten": "an effect is not remembered under its op, with its request and answer, and did not leave for SQL",
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


class Claims:
    """What open holds and orders claim of one sku: units by location, by (location, quota's channel), and owed."""

    def __init__(self) -> None:
        self.held: Counter[str] = Counter()
        self.committed: Counter[str] = Counter()
        self.in_use: Counter[tuple[str, str]] = Counter()
        self.backordered = 0
        self.conflict = 0


class Judge:
    """Hears all holds and orders first, then the skus; `violations` is what was wrong with any of them."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.claims: dict[str, Claims] = {}

    def note(
        self, what: str, sku: str = "", location: str = "", of: str = "", *, found: int, expected: int = 0
    ) -> None:
        """Keep a fault, if the numbers differ."""
        if found != expected:
            self.violations.append(Violation(what, sku, location, of, found, expected))

    # --- what is claimed ---------------------------------------------------------------------------------------

    def add_hold(self, hold: Hold) -> None:
        """Count a hold's takes; one that has ended claims nothing."""
        if hold.state == "open":
            for take in hold.takes:
                self._add_take(take, hold.hold_id, self._of(take.sku).held)

    def add_order(self, id: str, record: OrderRecord) -> None:
        """Count an order's takes and debts, and judge its lines."""
        for line in record.order.lines:
            self._add_line(line, f"{id} {line.line}")
        if record.order.announced:
            self._judge_announced(id, record.order)

    def _judge_announced(self, id: str, order: Order) -> None:
        expected: Counter[str] = Counter()
        for announced in order.announced:
            for part in announced.lines:
                self.note("below_zero", part.sku, of=f"{id} {part.line}", found=min(0, part.units, part.arrived))
                expected[part.line] += part.expected
        left = {line.line: line.shipped - line.returned for line in order.lines}
        skus = {line.line: line.sku for line in order.lines}
        for name, units in expected.items():
            if units > left.get(name, 0):
                of = f"{id} {name}"
                self.note("line_announced", skus.get(name, ""), of=of, found=units, expected=left.get(name, 0))

    def _of(self, sku: str) -> Claims:
        found = self.claims.get(sku)
        if found is None:
            found = self.claims[sku] = Claims()
        return found

    def _add_take(self, take: Take, of: str, total: Counter[str]) -> None:
        total[take.location] += take.units
        parts = sum(part.units for part in take.parts)
        self.note("take_differs", take.sku, take.location, of, found=parts, expected=take.units)
        for part in take.parts:
            self.note("below_zero", take.sku, take.location, of, found=min(0, part.units))
            if part.quota:
                self._of(take.sku).in_use[take.location, part.quota] += part.units

    def _add_line(self, line: OrderLine, of: str) -> None:
        claims = self._of(line.sku)
        for take in line.takes:
            self._add_take(take, of, self._of(take.sku).committed)
        claims.backordered += line.backordered
        claims.conflict += line.conflict
        buckets = (line.committed, line.shipped, line.backordered, line.conflict, line.cancelled)
        taken = sum(take.units for take in line.takes)
        self.note("line_differs", line.sku, of=of, found=sum(buckets), expected=line.ordered)
        self.note("line_committed_differs", line.sku, of=of, found=line.committed, expected=taken)
        self.note("below_zero", line.sku, of=of, found=min(0, line.returned, *buckets))
        if line.returned > line.shipped:
            self.note("line_returned", line.sku, of=of, found=line.returned, expected=line.shipped)

    # --- what is there -----------------------------------------------------------------------------------------

    def judge_sku(self, sku: str, state: SkuState) -> None:
        """Judge a sku's state by itself and by what is claimed of it."""
        claims = self.claims.get(sku) or Claims()
        self.note("backordered_differs", sku, found=state.backordered, expected=claims.backordered)
        self.note("conflict_differs", sku, found=state.conflict, expected=claims.conflict)
        for code in dict.fromkeys((*state.places, *claims.held, *claims.committed)):
            self._judge_place(sku, code, state.places.get(code) or Place(), claims)
        quotas = {(code, channel): use for code, place in state.places.items() for channel, use in place.quotas.items()}
        for code, channel in dict.fromkeys((*quotas, *claims.in_use)):
            use = quotas.get((code, channel)) or QuotaUse()
            self._judge_quota(sku, code, channel, use, claims.in_use[code, channel])

    def _judge_place(self, sku: str, code: str, place: Place, claims: Claims) -> None:
        self.note("held_differs", sku, code, found=place.held, expected=claims.held[code])
        self.note("committed_differs", sku, code, found=place.committed, expected=claims.committed[code])
        named = (*place.reasons.values(), *place.transit.values())
        self.note("below_zero", sku, code, found=min(0, place.held, place.committed, *named))
        self.note("deficit_differs", sku, code, found=place.deficit, expected=place.missing)
        self.note("oversold", sku, code, found=max(0, place.missing - max(0, place.deficit)))

    def _judge_quota(self, sku: str, code: str, channel: str, use: QuotaUse, in_use: int) -> None:
        self.note("consumed_differs", sku, code, channel, found=use.consumed - use.spent, expected=in_use)
        self.note("below_zero", sku, code, channel, found=min(0, use.quota, use.consumed, use.spent, use.floor))

    def judge_unknown(self, skus: Iterable[str]) -> None:
        """These skus are named somewhere and have no state."""
        for sku in skus:
            self.judge_sku(sku, SkuState())
            self.note("sku_unknown", sku, found=1)


def moves_to_agree(state: SkuState, claims: Claims) -> list[tuple[str, str, str, int]]:
    """The moves (location, bucket, of, units) that make a state agree with what is claimed of its sku."""
    moves = [
        ("", "backordered", "", claims.backordered - state.backordered),
        ("", "conflict", "", claims.conflict - state.conflict),
    ]
    for code in dict.fromkeys((*state.places, *claims.held, *claims.committed)):
        place = state.places.get(code) or Place()
        moves.append((code, "held", "", claims.held[code] - place.held))
        moves.append((code, "committed", "", claims.committed[code] - place.committed))
    quotas = {(code, channel): use for code, place in state.places.items() for channel, use in place.quotas.items()}
    for code, channel in dict.fromkeys((*quotas, *claims.in_use)):
        use = quotas.get((code, channel)) or QuotaUse()
        moves.append((code, "consumed", channel, use.spent + claims.in_use[code, channel] - use.consumed))
    return [move for move in moves if move[-1]]
