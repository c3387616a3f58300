"""
Copies each seller's ledger into SQL, then lets the oldest entries go.

Entries and the cursor that says they are here are one SQL transaction: who crashes before it leaves no trace, who lost
the lease writes nothing. The lease saves other processes the work; the cursor is what keeps two from both writing. An
entry is trimmed when it is in SQL and nobody can want it in Valkey any more.
"""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import structlog
from redis.asyncio import Redis

from allocator import SellerKeys, ledger
from allocator.ledger import START, Row, place
from allocator.records import Entry, SkuState, decode_state
from app.store import ledger as store
from app.store import recounts, transfers
from app.store.cursors import Lease, give_back, move, note_failure, read_cursor
from app.store.database import Database, Session
from app.store.leasing import keep_lease
from app.store.sellers import list_sellers
from app.times import now_ms

from .recounts import Recounts, by_day
from .rows import Group, body_of, hash_of, shipped_in, skus_of
from .transfers import add_up

READER: Final = "drain"
"""The name of our cursor."""

LEASE_MS: Final = 10_000
GROUP: Final = 1_000
"""Most entries of one transaction."""

GROUPS_MAX: Final = 20
"""Most groups of one run; the rest is for the next one."""

LOOK_SECONDS: Final = 1.0
"""How often SQL is asked which sellers there are."""

TRIM_SECONDS: Final = 10.0
"""How often a ledger is trimmed: what may go may as well go a little later."""

KEEP_MS: Final = 3_600_000
"""Entries of the last hour stay for readers that were away for a moment: streams, webhooks."""

KEEP_MAX: Final = 200_000
"""More entries than this do not stay, however new."""

TRIM_GROUPS_MAX: Final = 500
"""Most groups of too many entries that go in one run."""

FAILING_MAX: Final = 500
"""Characters that are kept of what keeps the drain from going on."""

log = structlog.get_logger(__name__)


class EntryDiffers(Exception):
    """SQL has another entry under this id: the ledger is not the one that was drained before."""


class Drained(NamedTuple):
    """What one run did: entries written, and whether there are more."""

    entries: int
    more: bool


class Reading(NamedTuple):
    """Where we read on in a ledger, and until when nobody else does."""

    position: str
    until_ms: int


class Drain:
    """Drains every seller; any number of processes may have one. `told` hears of every group that was looked at."""

    def __init__(self, database: Database, client: Redis, told: Callable[[], None] = lambda: None) -> None:
        self._told = told
        self._database = database
        self._client = client
        self._owner = secrets.token_hex(8)
        self._trim_at: dict[str, float] = {}
        # What the cursors of the sellers say that we drain for all.
        self._failing: dict[str, str] = {}
        # Places we need not ask SQL for: it lets nobody write who is wrong about his own.
        self._readings: dict[str, Reading] = {}
        self._known: list[str] = []
        self._look_at = 0.0

    async def run(self) -> Drained:
        """
        Drain what is new of all sellers; one that fails does not keep the others from it.

        Raises, for the last that failed: Gap, Damaged, VersionGap, EntryDiffers, and what SQL and redis-py raise.
        """
        entries, more, failed = 0, False, None
        for seller in await self._sellers():
            try:
                drained = await self._drain_seller(seller)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is raised below
                failed = error
                await self._note(seller, f"{type(error).__name__}: {error}"[:FAILING_MAX])
                continue
            await self._note(seller, "")
            entries, more = entries + drained.entries, more or drained.more
        if failed is not None:
            raise failed
        return Drained(entries, more)

    async def _note(self, seller: str, failing: str) -> None:
        """Leave word, where the API looks, of what keeps the drain from going on; '' when nothing does."""
        if self._failing.get(seller, failing) == failing:
            return
        try:
            async with self._database.writing() as session:
                await note_failure(session, seller, READER, owner=self._owner, failing=failing, now_ms=now_ms())
        except Exception:  # noqa: BLE001 - a database that is away is told by everybody who needs it
            return
        self._failing[seller] = failing

    async def _drain_seller(self, seller: str) -> Drained:
        entries = 0
        for _ in range(GROUPS_MAX):
            written = await self.drain_group(seller)
            self._told()
            entries += written
            if written < GROUP:
                break
        await self._trim_now_and_then(seller)
        return Drained(entries, more=entries == GROUP * GROUPS_MAX)

    async def _trim_now_and_then(self, seller: str) -> None:
        now = time.monotonic()
        if now >= self._trim_at.get(seller, 0.0):
            self._trim_at[seller] = now + TRIM_SECONDS
            await self.trim(seller)

    async def stop(self) -> None:
        """Let another process drain at once."""
        self._readings.clear()
        sellers = await self._sellers()
        async with self._database.writing() as session:
            for seller in sellers:
                await give_back(session, seller, READER, owner=self._owner)

    async def _sellers(self) -> list[str]:
        now = time.monotonic()
        if now >= self._look_at:
            async with self._database.reading() as session:
                self._known = [seller.code for seller in await list_sellers(session)]
            self._look_at = now + LOOK_SECONDS
        return self._known

    # --- one seller --------------------------------------------------------------------------------------------

    async def drain_group(self, seller: str) -> int:
        """Copy the next entries; how many. 0 as well while another process drains, or when the lease was lost."""
        # Taken out, and put back when all went well: after an error it may not be where we think.
        here = self._readings.pop(seller, None)
        if here is None or here.until_ms <= now_ms():
            here = await self._lease(seller)
        if here is None:
            return 0
        rows = await ledger.read(self._client, seller, here.position, GROUP)
        if rows:
            here = await self._write(seller, here.position, rows)
        if here is None:
            return 0
        self._readings[seller] = here
        return len(rows)

    async def _lease(self, seller: str) -> Reading | None:
        before = await keep_lease(
            self._database, seller, READER, owner=self._owner, now_ms=now_ms(), lease_ms=LEASE_MS, first=_from_the_start
        )
        if before is None:
            self._failing.pop(seller, None)
            return None
        self._failing[seller] = before.failing
        return Reading(before.position, now_ms() + LEASE_MS // 2)

    async def _write(self, seller: str, position: str, rows: Sequence[Row]) -> Reading | None:
        """Where to read on; None when nothing was written since the lease was lost."""
        last, mine = rows[-1][0], Lease(self._owner, now_ms() + LEASE_MS)
        async with self._database.writing() as session:
            if not await move(session, seller, READER, mine, before=position, after=last, entries=len(rows)):
                log.info("drain_lost_its_lease", seller=seller)
                return None
            new = await self._unknown(session, seller, rows)
            await _add(session, await self._group(session, seller, new))
        return Reading(last, mine.until_ms)

    async def _unknown(self, session: Session, seller: str, rows: Sequence[Row]) -> list[Row]:
        """Those that are not here yet: after a fail-over some may be. Raises EntryDiffers."""
        known: dict[tuple[str, str], str] = {}
        for epoch in {entry.epoch for _, entry in rows}:
            ids = [id for id, entry in rows if entry.epoch == epoch]
            hashes = await store.known_hashes(session, seller, epoch, ids)
            known |= {(epoch, id): hash for id, hash in hashes.items()}
        new = []
        for id, entry in rows:
            hash = known.get((entry.epoch, id))
            if hash is None:
                new.append((id, entry))
            elif hash != hash_of(body_of(entry)):
                raise EntryDiffers(f"{seller} {entry.epoch} {id}: SQL has another entry under this id")
        return new

    async def _group(self, session: Session, seller: str, rows: Sequence[Row]) -> Group:
        entries = [entry for _, entry in rows]
        states = await self._states(session, seller, entries)
        orders = await store.orders_of(session, seller, shipped_in(entries))
        group = Group(seller, states, orders, recorded_ms=now_ms())
        first = await store.last_number(session, seller) + 1
        for number, (id, entry) in enumerate(rows, first):
            group.add(number, id, entry)
        return group

    async def _states(self, session: Session, seller: str, entries: Sequence[Entry]) -> dict[str, SkuState]:
        found = await store.states_of(session, seller, skus_of(entries))
        return {sku: decode_state(state) for sku, state in found.items()}

    async def trim(self, seller: str) -> int:
        """Let drained entries go that nobody can want in Valkey any more; how many."""
        async with self._database.reading() as session:
            cursor = await read_cursor(session, seller, READER)
        if cursor is None or cursor.position == START:
            return 0
        [name] = SellerKeys(seller).named("ledger")
        drained, by_age = place(cursor.position), (now_ms() - KEEP_MS, 0)
        return await self._trim_before(name, min(drained, by_age)) + await self._trim_excess(name, drained)

    async def _trim_before(self, name: str, until: tuple[int, int]) -> int:
        # The last entry that may go stays: readers at that very place see by it that nothing is missing.
        return int(await self._client.xtrim(name, minid=f"{until[0]}-{until[1]}", approximate=False))

    async def _trim_excess(self, name: str, drained: tuple[int, int]) -> int:
        """Let the oldest of too many entries go, a group at a time: a long ledger is never asked for as a whole."""
        gone = 0
        for _ in range(TRIM_GROUPS_MAX):
            excess = min(GROUP, await self._client.xlen(name) - KEEP_MAX)
            if excess <= 0:
                break
            oldest: Any = await self._client.xrange(name, count=excess + 1)
            trimmed = await self._trim_before(name, min(drained, place(oldest[-1][0].decode())))
            gone += trimmed
            if trimmed < excess:
                break
        return gone


async def _from_the_start() -> str:
    return START


async def write_transfers(session: Session, seller: str, ids: Sequence[str]) -> None:
    """Let the rows of these transfers be what their steps add up to."""
    if ids:
        heads, lines = add_up(await transfers.steps_of(session, seller, ids))
        await transfers.put_transfers(session, seller, ids, heads, lines)


async def write_recounts(session: Session, seller: str, steps: Sequence[Mapping[str, Any]]) -> None:
    """Open, raise and close what is to be counted, as these steps say."""
    if steps:
        following = Recounts(await recounts.open_recounts(session, seller, {str(step["sku"]) for step in steps}))
        following.follow(steps)
        await recounts.put_recounts(session, following.finish())


async def _add(session: Session, group: Group) -> None:
    await store.add_entries(session, group.entries, group.moves, group.subjects)
    await store.put_orders(session, *group.orders())
    await store.add_shipments(session, group.shipments, group.shipment_lines)
    await transfers.add_steps(session, group.transfer_steps)
    await write_transfers(session, group.seller, group.transfers())
    await write_recounts(session, group.seller, group.recount_steps)
    await recounts.add_days(session, by_day(group.location_days))
    await store.put_holds(session, group.holds(), group.hold_lines)
    await store.put_balances(session, group.balances(), group.places())
    await store.put_config(session, group.seller, *group.config())
    await store.put_answers(session, group.answers())
