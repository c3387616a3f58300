"""
Puts right what a check found, as far as somebody can know what is right; each step has its reason in the ledger.

After a round everything is looked at again: one thing put right may decide another, and nothing is believed because it
was written.
"""

import re
import secrets
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from redis.exceptions import ResponseError

from allocator import Allocator, Pipe
from allocator.errors import ChangedMeanwhile
from allocator.gate import Gate
from allocator.records import decode_hold, decode_order
from allocator.repairs import STEP_MAX, Repair
from app.audit import By, note
from app.store.audit import add_entries
from app.store.database import Database

from .checking import Checked, check_seller
from .entries import Progress
from .findings import Finding, Findings, Fix, Rows
from .mending import mend

ROUNDS_MAX: Final = 5
WHY_BYTES_MAX: Final = 1_900

CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class Repaired(NamedTuple):
    """The first check, the last one, how many things were put right in between, and which skus are not frozen now."""

    first: Checked
    last: Checked
    repaired: int
    thawed: list[str]


class Repairer(NamedTuple):
    """Who repairs, with what, and why."""

    database: Database
    pipe: Pipe
    epoch: str
    by: By
    reason: str

    async def repair(self, progress: Progress = lambda _: None) -> Repaired:
        """Check, put right and check again until there is nothing left that can be. Raises what checking raises."""
        first = last = await self._check(progress)
        repaired, touched = 0, set[str]()
        for _ in range(ROUNDS_MAX):
            if not last.findings.fixes:
                break
            touched |= _skus_of(last.findings.fixes)
            repaired += await self._round(last.findings)
            last = await self._check(progress)
        thawed = [] if last.findings.total else await self._thaw(touched)
        return Repaired(first, last, repaired, thawed)

    async def _check(self, progress: Progress) -> Checked:
        return await check_seller(self.database, self.pipe.client, self.by.seller, self.epoch, progress)

    async def _thaw(self, skus: set[str]) -> list[str]:
        """Let units of these move again, where they were frozen; the ledger tells it."""
        gate = Gate(self.pipe.client, self.by.seller, self.epoch)
        thawed = sorted(skus & (await gate.frozen()).keys())
        for sku in thawed:
            await gate.freeze(sku, "")
        return thawed

    async def _round(self, findings: Findings) -> int:
        rows = list(dict.fromkeys(fix for _, fix in findings.fixes if isinstance(fix, Rows)))
        mended = await mend(self.database, self.by, rows, self.reason) if rows else 0
        steps = [(finding, fix) for finding, fix in _once(findings.fixes) if isinstance(fix, Repair)]
        if not steps:
            return mended
        allocator = Allocator(self.pipe, self.by.seller, self.epoch)
        done = 0
        for start in range(0, len(steps), STEP_MAX):
            done += await self._step(allocator, steps[start : start + STEP_MAX])
        return mended + done

    async def _step(self, allocator: Allocator, part: Sequence[tuple[Finding, Repair]]) -> int:
        """One step; when a single thing of it cannot be, each by itself."""
        op = secrets.token_hex(8)
        try:
            await allocator.repair(_together(part), op=op, why=self._why(part), actor=self.by.actor)
        except (ChangedMeanwhile, ResponseError):
            # What is changed already will be looked at again; what breaks an invariant is never written.
            return 0 if len(part) == 1 else sum([await self._step(allocator, [one]) for one in part])
        await self._note(op, part)
        return len(part)

    def _why(self, part: Iterable[tuple[Finding, Repair]]) -> str:
        evidence = "; ".join(
            f"{found.kind} {found.what}: {found.found}, expected {found.expected}" for found, _ in part
        )
        text = CONTROL.sub(" ", f"{self.reason} | {evidence}")
        return text.encode()[:WHY_BYTES_MAX].decode(errors="ignore")

    async def _note(self, op: str, part: Iterable[tuple[Finding, Repair]]) -> None:
        detail = {"reason": self.reason, "op": f"repair:{op}", "repaired": [f"{f.kind} {f.what}" for f, _ in part]}
        async with self.database.writing() as session:
            await add_entries(session, [note(self.by, "store.repair", op, detail)])


def _skus_of(fixes: Iterable[tuple[Finding, Fix]]) -> set[str]:
    """The skus these repairs are about, those of holds and orders too."""
    skus: set[str] = set()
    for repair in [fix for _, fix in fixes if isinstance(fix, Repair)]:
        skus |= {row.sku for row in repair.skus}
        for row in repair.records:
            if row.kind == "order":
                skus |= {line.sku for line in decode_order(row.record).order.lines}
            elif row.kind == "hold":
                skus |= {take.sku for take in decode_hold(row.id, row.record).takes}
    return skus


def _together(part: Iterable[tuple[Finding, Repair]]) -> Repair:
    whole = Repair([], [], [])
    for _, repair in part:
        whole.skus.extend(repair.skus)
        whole.records.extend(repair.records)
        whole.strays.extend(repair.strays)
    return whole


def _once(fixes: Iterable[tuple[Finding, Fix]]) -> Iterable[tuple[Finding, Fix]]:
    """Of several findings that one thing explains, the first; the others are gone with it."""
    seen: set[tuple[str, str]] = set()
    for finding, fix in fixes:
        if isinstance(fix, Repair):
            names = {("sku", row.sku) for row in fix.skus} | {(row.kind, row.id) for row in fix.records}
            names |= {(stray.index, stray.member.hex()) for stray in fix.strays}
            if names & seen:
                continue
            seen |= names
        yield finding, fix
