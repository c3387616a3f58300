"""
After the server was started anew: is what it has what was acknowledged? Skus are opened as they are found in order.

What SQL has is the measure: every entry it drained must be in the store, and once the rest of the store's ledger is
drained too, every sku's state must be the one its entries add up to, byte for byte. A store that lost entries is shut
until somebody decides; a sku that differs is frozen; the others are sold as soon as they have been compared, those
that were sold last before all others.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple

import structlog
from redis.asyncio import Redis

from allocator import SellerKeys, ledger
from allocator.balances import VersionGap
from allocator.errors import NotReady
from allocator.gate import CHECKING, SKUS_MAX, Gate
from allocator.ledger import START, Damaged, Gap, place
from allocator.pipe import run_of
from allocator.records import UNREADABLE, Entry, decode_entry
from allocator.scripts import library
from app.audit import By, note
from app.draining.drain import READER, Drain, EntryDiffers
from app.draining.rows import VERSION, body_of, hash_of
from app.store import ledger as store
from app.store.audit import add_entries
from app.store.cursors import read_cursor
from app.store.database import Database
from app.store.datasets import read_dataset
from app.store.sellers import list_sellers

from .comparing import WRONG_MAX, evidence

ACTOR: Final = "worker"

CHUNK: Final = 2_000
"""Skus compared at a time."""

LATEST: Final = 2_000
"""So many of the newest entries say which skus are hot."""

LOOK_SECONDS: Final = 5.0
"""How often SQL is asked which sellers there are, while the server is the same."""

NO_CONFIG: Final = b"0"
"""The version before the first config."""

TRIES: Final = 3

PAUSE_SECONDS: Final = 0.05
"""Between looks at a drain that another process does."""

NOT_SQLS: Final = (Gap, Damaged, EntryDiffers, VersionGap)
"""What tells that the store's ledger is not the one SQL has."""

log = structlog.get_logger(__name__)


class Verified(NamedTuple):
    """One seller's check: skus compared, those frozen by it, and its seconds."""

    skus: int
    frozen: int
    seconds: float


class Moved(Exception):
    """The server was started once more, or the gate was shut: this check is over."""


class Verifier:
    """Opens sellers whose gates are being checked; any number of processes may have one."""

    def __init__(self, database: Database, client: Redis, drain: Drain) -> None:
        self._database = database
        self._client = client
        self._drain = drain
        self._run = ""
        self._gates: list[tuple[str, str]] = []
        self._look_at = 0.0

    async def run(self) -> None:
        """Meet the server and check every seller that waits for it. Raises what SQL and redis-py raise, NotReady."""
        run = await run_of(self._client)
        if run != self._run:
            # The verbs lie in the server's files as well: theirs may be damaged.
            await self._client.function_load(library().source, replace=True)
            self._look_at, self._run = 0.0, run
        for seller, epoch in await self._sellers():
            gate = Gate(self._client, seller, epoch)
            try:
                standing = await gate.meet(run)
            except NotReady:
                self._look_at = 0.0
                raise
            if standing.gate == CHECKING:
                await self._check(_Check(self._database, self._client, gate, seller, epoch, run))

    async def _sellers(self) -> list[tuple[str, str]]:
        """Sellers that have begun, and the epoch; SQL is asked now and then, and when something is not as it was."""
        now = time.monotonic()
        if now >= self._look_at:
            async with self._database.reading() as session:
                epoch = (await read_dataset(session)).epoch
                self._gates = [(seller.code, epoch) for seller in await list_sellers(session) if seller.begun]
            self._look_at = now + LOOK_SECONDS
        return self._gates

    async def _check(self, check: "_Check") -> None:
        log.info("store_checking", seller=check.seller, run=check.run)
        try:
            why = await check.find_loss() or await check.drain_rest(self._drain) or await check.find_odd(self._drain)
            if why:
                await check.gate.shut(check.run, why)
                log.error("store_shut", seller=check.seller, why=why)
                return
            verified = await check.compare_all()
        except Moved:
            log.info("store_check_ended", seller=check.seller, run=check.run)
            return
        log.info("store_open", seller=check.seller, **verified._asdict())


class _Check:
    """The check of one seller on one run of the server."""

    def __init__(  # noqa: PLR0917 what one check is about, made in one place
        self, database: Database, client: Redis, gate: Gate, seller: str, epoch: str, run: str
    ) -> None:
        self.gate, self.seller, self.epoch, self.run = gate, seller, epoch, run
        self._database = database
        self._client = client
        names = SellerKeys(seller).named("stock", "ledger", "config", "seller")
        self._stock, self._ledger, self._config, self._owner = names
        self._early: set[str] = set()
        self._frozen = 0

    # --- the ledger --------------------------------------------------------------------------------------------

    async def find_loss(self) -> str:
        """Why the store is not the one whose entries SQL has; '' when it is."""
        async with self._database.reading() as session:
            cursor = await read_cursor(session, self.seller, READER)
            position = cursor.position if cursor else START
            drained = await store.entry_hash(session, self.seller, self.epoch, position)
        if position == START:
            return ""
        last = await ledger.last_id(self._client, self.seller)
        if place(last) < place(position):
            return (
                f"the store's ledger ends at {last}, but SQL has entries up to {position}: what came between is lost "
                "in the store, which is an older copy or a replica that had fallen behind"
            )
        found: Any = await self._client.xrange(self._ledger, position, position)
        if not found:
            return (
                f"the store no longer has entry {position}, up to which SQL has drained: one of them is of another time"
            )
        entry = _readable(found[0][1])
        if entry is None or (drained is not None and hash_of(body_of(entry)) != drained):
            return f"entry {position} of the store is not the one SQL has: they have gone different ways"
        return ""

    async def drain_rest(self, drain: Drain) -> str:
        """Wait until SQL has all the store had when this began; why that cannot be, or ''."""
        target = place(await ledger.last_id(self._client, self.seller))
        while place(await self._position()) < target:
            try:
                written = await drain.drain_group(self.seller)
            except NOT_SQLS as error:
                return f"the rest of the store's ledger cannot be drained: {error}"
            if not written:
                await asyncio.sleep(PAUSE_SECONDS)
        return ""

    async def _position(self) -> str:
        async with self._database.reading() as session:
            cursor = await read_cursor(session, self.seller, READER)
        return cursor.position if cursor else START

    # --- config --------------------------------------------------------------------------------------------------

    async def find_odd(self, drain: Drain) -> str:
        """Why the config in force is not the one the ledger tells, which every number depends on; '' when it is."""
        for _ in range(TRIES):
            odd = await self._odd_fields()
            # Config may change while skus are checked, and comes into SQL a moment later.
            if not odd or (why := await self.drain_rest(drain)):
                return why if odd else ""
        shown = ", ".join(sorted(odd)[:WRONG_MAX])
        return f"the config in force is not what the ledger says: {shown}; `allot check --repair` puts it right"

    async def _odd_fields(self) -> set[str]:
        odd, count, version = set[str](), 0, NO_CONFIG
        async for fields in self._config_pages():
            version = fields.pop(VERSION, version)
            found: list[Any] = await self._client.hmget(self._config, list(fields)) if fields else []
            odd |= {field for field, value in zip(fields, found, strict=True) if value != fields[field]}
            count += len(fields)
        # A store that was filled from SQL says that it has none; one that never had any says nothing.
        if (await self._client.hget(self._owner, "config") or NO_CONFIG) != version:
            odd.add(VERSION)
        if await self._client.hlen(self._config) != count:
            odd.add("the number of fields")
        return odd

    async def _config_pages(self) -> AsyncIterator[dict[str, bytes]]:
        after: tuple[str, ...] | None = None
        async with self._database.reading() as session:
            while rows := await store.page(session, "config", self.seller, after, CHUNK):
                yield {key[0]: value for key, value in rows}
                after = rows[-1][0]

    # --- skus --------------------------------------------------------------------------------------------------

    async def compare_all(self) -> Verified:
        """Compare every sku, opening them on the way. Raises Moved."""
        started, skus = time.monotonic(), 0
        await self._compare_hot()
        async with self._database.reading(seconds_max=None) as session:
            async for rows in store.balances(session, self.seller, CHUNK):
                await self._compare([row for row in rows if row[0] not in self._early])
                await self._open(upto=rows[-1][0])
                skus += len(rows)
        await self._open(last=True)
        return Verified(skus, self._frozen, round(time.monotonic() - started, 3))

    async def _compare_hot(self) -> None:
        newest: Any = await self._client.xrevrange(self._ledger, count=LATEST)
        entries = [entry for _, fields in newest if (entry := _readable(fields))]
        touched = Counter(change.sku for entry in entries for change in entry.changes)
        hot = [sku for sku, _ in touched.most_common(SKUS_MAX)]
        async with self._database.reading() as session:
            states = await store.states_of(session, self.seller, hot)
        await self._compare(list(states.items()))
        await self._open(skus=hot)
        self._early = set(hot)

    async def _compare(self, rows: Sequence[tuple[str, bytes]]) -> None:
        """Freeze those that differ. Nothing moves them meanwhile: they are closed, or another check has opened them."""
        if not rows:
            return
        found: list[Any] = await self._client.hmget(self._stock, [sku for sku, _ in rows])
        for (sku, expected), state in zip(rows, found, strict=True):
            if state != expected:
                await self._freeze(sku, evidence(expected, state))

    async def _freeze(self, sku: str, says: str) -> None:
        if not await self.gate.freeze(sku, says, run=self.run):
            return
        self._frozen += 1
        log.error("sku_frozen", seller=self.seller, sku=sku, evidence=says)
        async with self._database.writing() as session:
            await add_entries(session, [note(By(self.seller, ACTOR), "sku.freeze", sku, {"evidence": says})])

    async def _open(self, *, upto: str = "", skus: list[str] | None = None, last: bool = False) -> None:
        if not await self.gate.open(self.run, upto=upto, skus=skus, last=last):
            raise Moved


def _readable(fields: Any) -> Entry | None:
    """An entry of the store's ledger, or None where it is damaged."""
    try:
        return decode_entry(fields)
    except UNREADABLE:
        return None
