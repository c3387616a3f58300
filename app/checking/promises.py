"""
Whether holds and orders claim what their skus say is held, committed, owed and in use, while verbs run.

Holds and orders are added up first, then each sku is judged. What looks wrong may only be of two moments: such a sku
is looked at again, and counts when its version did not change while its claims were added up, since every effect on
it would have raised that.
"""

from collections.abc import AsyncIterator, Callable, Collection
from typing import Any, Final

from redis.asyncio import Redis

from allocator import SellerKeys
from allocator.judging import Claims, Judge, Violation, moves_to_agree
from allocator.model import Hold
from allocator.records import UNREADABLE, OrderRecord, SkuState, decode_hold, decode_order, decode_state
from allocator.repairs import Repair, SkuRepair
from app.recovery.comparing import is_plain

from .findings import KEPT_MAX, Findings, Fix, Later

SCAN: Final = 1_000
LOOKS_MAX: Final = 5
"""How often a sku that looks wrong is looked at; one that changes all the while is not judged this time."""

FIXED_BY_MOVES: Final = frozenset(
    {"held_differs", "committed_differs", "consumed_differs", "backordered_differs", "conflict_differs"}
)
FIXED_BY_SEALING: Final = frozenset({"oversold", "deficit_differs"})

UNDECIDED: Final = ("take_differs", "line_differs", "line_committed_differs", "unreadable", "hold_extra", "order_extra")
"""Faults of records by which nobody knows what their skus should say."""

DECIDED_FIRST: Final = (
    *("hold_differs", "hold_missing", "order_differs", "order_missing", "order_row_differs", "hold_row_differs"),
)
"""Faults of records that are repaired, and claims with them."""


class PromiseCheck:
    """One seller's promises."""

    def __init__(self, client: Redis, findings: Findings) -> None:
        self.client = client
        self.findings = findings
        self.keys = SellerKeys(findings.seller)
        self.judge_of_all = Judge()
        self.suspects: set[str] = set()
        self.unreadable: set[str] = set()

    async def add_up(self, progress: Callable[[int], None]) -> None:
        """Add up all holds and orders."""
        await self._claims(self.judge_of_all, None, progress)

    def judge(self, sku: str, packed: bytes | None) -> None:
        """Judge a sku that is what its ledger says. Raises what reading a damaged state raises."""
        claims = self.judge_of_all.claims.pop(sku, None)
        if packed is None or (claims is None and is_plain(packed)):
            return
        if len(self.suspects) < KEPT_MAX and _judged(sku, decode_state(packed), claims):
            self.suspects.add(sku)

    def pass_over(self, sku: str) -> None:
        """Its state is wrong anyway; once that is right, it can be judged."""
        self.judge_of_all.claims.pop(sku, None)

    async def settle(self) -> None:
        """Note what is wrong with records by themselves; look at skus that looked wrong again, and note what is."""
        first = Later() if self.findings.has(*DECIDED_FIRST) else None
        for record in sorted(self.unreadable):
            self.findings.add_violation(Violation("unreadable", of=record, found=1), first)
        for violation in self.judge_of_all.violations:
            self.findings.add_violation(violation, first)
        waiting = self.suspects | set(sorted(self.judge_of_all.claims)[:KEPT_MAX])
        for _ in range(LOOKS_MAX):
            if not waiting:
                return
            before = await self._states(waiting)
            judge = Judge()
            await self._claims(judge, waiting, lambda _: None)
            after = await self._states(waiting)
            still = {sku for sku in waiting if before[sku] == after[sku]}
            for sku in sorted(still):
                self._note(sku, after[sku], judge.claims.get(sku))
            waiting -= still

    def _note(self, sku: str, packed: bytes | None, claims: Claims | None) -> None:
        if packed is None:
            self.findings.add_violation(Violation("sku_unknown", sku, found=1))
            return
        state = decode_state(packed)
        moves = moves_to_agree(state, claims or Claims())
        fix = Repair(skus=[SkuRepair(sku, packed, packed, moves)])
        for violation in _judged(sku, state, claims):
            self.findings.add_violation(violation, self._fix(violation, fix))

    def _fix(self, violation: Violation, fix: Repair) -> Fix | None:
        if self.findings.has(*DECIDED_FIRST):
            return Later()
        can = violation.what in FIXED_BY_MOVES | FIXED_BY_SEALING and not self.findings.has(*UNDECIDED)
        return fix if can else None

    # --- reading -----------------------------------------------------------------------------------------------

    async def _claims(self, judge: Judge, only: Collection[str] | None, progress: Callable[[int], None]) -> None:
        async for hold in self._holds():
            if hold.state == "open" and (only is None or any(take.sku in only for take in hold.takes)):
                judge.add_hold(hold)
            progress(1)
        async for id, record in self._orders():
            if only is None or any(line.sku in only for line in record.order.lines):
                judge.add_order(id, record)
            progress(1)

    async def _holds(self) -> AsyncIterator[Hold]:
        async for id, packed in self._each("holds"):
            try:
                yield decode_hold(id, packed)
            except UNREADABLE:
                self.unreadable.add(f"holds: {id}")

    async def _orders(self) -> AsyncIterator[tuple[str, OrderRecord]]:
        async for id, packed in self._each("orders"):
            try:
                yield id, decode_order(packed)
            except UNREADABLE:
                self.unreadable.add(f"orders: {id}")

    async def _each(self, word: str) -> AsyncIterator[tuple[str, bytes]]:
        """Every record once: a table that grows meanwhile may show some twice."""
        [name] = self.keys.named(word)
        seen: set[bytes] = set()
        async for field, packed in self.client.hscan_iter(name, count=SCAN):
            if field not in seen:
                seen.add(field)
                yield field.decode(errors="replace"), packed

    async def _states(self, skus: Collection[str]) -> dict[str, bytes | None]:
        [name] = self.keys.named("stock")
        wanted = sorted(skus)
        found: dict[str, bytes | None] = {}
        for start in range(0, len(wanted), SCAN):
            part = wanted[start : start + SCAN]
            stored: Any = await self.client.hmget(name, part)
            found |= dict(zip(part, stored, strict=True))
        return found


def _judged(sku: str, state: SkuState, claims: Claims | None) -> list[Violation]:
    judge = Judge()
    if claims is not None:
        judge.claims[sku] = claims
    judge.judge_sku(sku, state)
    return judge.violations
