"""
The running check: all that a seller has, over and over, a few hundred records at a time.

It is the check of `allot check` on Valkey: every sku with what its ledger adds up to, holds and orders with the ledger,
what is held, committed and owed with what holds and orders claim, the indexes with the records. A sku that contradicts
itself is frozen: rather no unit of it is sold than one twice. Nothing is repaired by itself.
"""

import secrets
import time
from typing import Final

import structlog
from redis.asyncio import Redis

from allocator.gate import FROZEN, OPEN, Gate
from allocator.ledger import START
from app.audit import By, note
from app.store.audit import add_entries
from app.store.cursors import give_back
from app.store.database import Database
from app.store.datasets import read_dataset
from app.store.leasing import keep_lease
from app.store.rounds import RoundFacts, put_round
from app.store.sellers import list_sellers
from app.times import now_ms

from .findings import Findings
from .store import StoreCheck

READER: Final = "check"
"""The name of our lease."""

LEASE_MS: Final = 600_000
"""A round of a million skus takes a minute; two at once do no harm."""

ACTOR: Final = "worker"

PAGE: Final = 250
"""Records that one command reads: nobody waits for it."""

REST_SECONDS_MIN: Final = 10.0
REST_SHARE: Final = 9
"""A round is followed by a rest so many times as long."""

log = structlog.get_logger(__name__)


class RunningCheck:
    """Checks every seller in turn; any number of processes may have one, one of them checks."""

    def __init__(self, database: Database, client: Redis) -> None:
        self._database = database
        self._client = client
        self._owner = secrets.token_hex(8)
        self._next_at: dict[str, float] = {}

    async def run(self) -> None:
        """A round of each seller whose rest is over. Raises what SQL and redis-py raise, NotReady."""
        async with self._database.reading() as session:
            epoch = (await read_dataset(session)).epoch
            sellers = [seller.code for seller in await list_sellers(session) if seller.begun]
        for seller in sellers:
            if time.monotonic() >= self._next_at.get(seller, 0.0):
                started = time.monotonic()
                await self.check(seller, epoch)
                ended = time.monotonic()
                self._next_at[seller] = ended + max(REST_SECONDS_MIN, REST_SHARE * (ended - started))

    async def check(self, seller: str, epoch: str) -> RoundFacts | None:
        """One round; None when it is another process's, or while the gate is not open: then others look at it."""
        gate = Gate(self._client, seller, epoch)
        if (await gate.standing()).gate not in {OPEN, FROZEN} or not await self._is_ours(seller):
            return None
        started_ms, counted, findings = now_ms(), _Count(), Findings(seller)
        check = StoreCheck(self._database, self._client, findings, counted.add, whole=True)
        check.page = PAGE
        if not await check.run(epoch):
            return None
        frozen = await self._freeze(gate, findings)
        facts = RoundFacts(started_ms, now_ms(), counted.records, findings.total, frozen)
        async with self._database.writing() as session:
            await put_round(session, seller, facts)
        if findings.total:
            log.error("check_found", seller=seller, counts=findings.counts, frozen=frozen)
        return facts

    async def stop(self) -> None:
        """Let another process check at once."""
        async with self._database.writing() as session:
            for seller in self._next_at:
                await give_back(session, seller, READER, owner=self._owner)

    async def _is_ours(self, seller: str) -> bool:
        lease = await keep_lease(
            self._database, seller, READER, owner=self._owner, now_ms=now_ms(), lease_ms=LEASE_MS, first=_nowhere
        )
        return lease is not None

    async def _freeze(self, gate: Gate, findings: Findings) -> int:
        """Freeze those that are not yet; one that moved since it was looked at is looked at again in the next round."""
        known, frozen = await gate.frozen(), 0
        for sku, (why, seen) in sorted(findings.accused.items()):
            if sku not in known and await gate.freeze(sku, why, seen=seen):
                frozen += 1
                log.error("sku_frozen", seller=findings.seller, sku=sku, evidence=why)
                async with self._database.writing() as session:
                    await add_entries(session, [note(By(findings.seller, ACTOR), "sku.freeze", sku, {"evidence": why})])
        return frozen


class _Count:
    """Records looked at."""

    def __init__(self) -> None:
        self.records = 0

    def add(self, records: int) -> None:
        self.records += records


async def _nowhere() -> str:
    return START
