"""One world of the circle: made from a seed, traded in for some hours of virtual time, brought to rest and judged."""

import asyncio
import gc
import random
import socket
import time
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from sqlite3 import OperationalError
from typing import Any, Final
from unittest.mock import patch

import stamina
import structlog

from allocator import Allocator, StockLine, ledger
from app.deps import State
from app.draining import drain
from app.leading import Lead
from app.lines.lines import secrets_purpose
from app.sealing import Sealer
from app.settings import Settings
from app.store.config import write_records
from app.store.config_changes import ACTIVE, ChangeFacts, stage_change
from app.store.connections import ConnectionFacts, put_connection
from app.store.shown import push_anew
from app.sync import reconciling, running
from app.sync.hearing import hear
from app.sync.steps import Step
from app.times import now_ms
from channels.sandbox.webhooks import Courier
from tests.simulator.loop import VirtualLoop, drive
from tests.simulator.pipe import Network, SimulatedPipe
from tests.simulator.sql import Sql
from tests.simulator.store import Store
from tests.simulator.worlds.nature import nature, wall_ms

from .channel import Channel, Wire
from .hooks import Door
from .judge import Judge
from .mischief import Mischief, Trouble
from .people import Buyers, Warehouse
from .processes import PROCESS, WRITING, Process
from .resting import judge_rest
from .shop import PLACES, PUBLIC, SELLER, Stand, config, first_stock, stands
from .stalls import sandbox_of
from .ways import Counting, Shared

OPENS_S: Final = 600.0
"""The longest until every channel shows what it should, before anybody buys."""

RESTS_S: Final = 3_600.0
"""The longest until every channel shows what it should, when nothing goes wrong any more."""

SETTLES_S: Final = 420.0
KEEP_MS: Final = 15_000
"""So soon the ledger lets go of what is in SQL: whoever follows it and was away meets a gap."""

RECONCILE_MS: Final = 1_200_000
"""How often everything is compared: a channel that answers with what it showed before needs it."""

NEVER_MS: Final = 10**12
"""In a hunt everything together is never compared: that would put right what a mistake has done."""

HUNT_RESTS_S: Final = 900.0
HUNT_PACE: Final = 3.0
COMPARES_MS: Final = 60_000
SLICE_S: Final = 10.0

HOLDER: Final = "SELECT owner, term FROM lease WHERE name = ?"

FOLLOWED: Final = "SELECT 1 FROM connection WHERE code = ? AND position = ?"
SETTLED: Final = """
    SELECT listing, CASE WHEN told IS NULL OR (shown IS NOT NULL AND shown_ms >= told_ms) THEN shown ELSE told END
    FROM shown WHERE connection = ? AND changes = settled AND outcome IN ('accepted', 'applied')
"""
"""Listings of which nothing is left to tell, and what the service believes that they show."""

LOOK_S: Final = 10.0
CONFIG_VERSION: Final = 1


class Stage:
    """What worlds of one process share, since making it takes long: Lua and a database. Nothing of a world stays."""

    def __init__(self) -> None:
        stamina.instrumentation.set_on_retry_hooks([])
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
        self.store, self.sql = Store(), Sql()

    def run(self, seed: int, *, seconds: float, steps: Sequence[Step], is_hunt: bool = False) -> "World":
        """Live through this seed's world, with `is_hunt` until something is found; nothing is cleaned up meanwhile."""
        gc.disable()
        try:
            world = World(self, seed, seconds, steps)
            world.is_hunt = is_hunt
            world.run()
            return world
        finally:
            gc.enable()


class World:
    """Everybody and everything of one seed."""

    def __init__(self, stage: Stage, seed: int, seconds: float, steps: Sequence[Step]) -> None:
        self.seed, self.seconds, self.steps = seed, seconds, steps
        self.loop = VirtualLoop()
        self.store, self.sql = stage.store, stage.sql
        self.store.reset(seed)
        self.sql.reset()
        self.wire = Wire(self.store, self.now_ms, self._see)
        self.settings = Settings(data_dir=Path("unused"), public_url=PUBLIC)
        self.sealer = Sealer([b"s" * 32])
        self.config_version = CONFIG_VERSION
        self.channels: dict[str, Channel] = {}
        self.processes: list[Process] = []
        self.tasks: set[asyncio.Task[Any]] = set()
        self.notes: list[str] = []
        self.is_open = self.is_hunt = False
        self.sql_away_until_s = self.drains_from_s = 0.0
        self.took_s = 0.0

    @property
    def pace(self) -> float:
        """How many times as much is bought as usual; a hunt is over the sooner."""
        return HUNT_PACE if self.is_hunt else 1.0

    # --- for those who live here -------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """The time of day."""
        return wall_ms(self.loop)

    def note(self, says: str) -> None:
        """For whoever looks into a seed."""
        self.notes.append(f"{self.loop.time():10.3f} {says}")

    def note_new(self, says: str) -> None:
        """The same of what goes on for a while."""
        if not any(says in note for note in self.notes[-5:]):
            self.note(says)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Somebody's life; nobody's ends by an error that nobody expected."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._see_end)
        return task

    def _see_end(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.judge.find(f"{type(error).__name__}: {error}")
            self.error = error

    def is_level(self) -> bool:
        """Whether SQL has all that the ledger has."""
        return self.sql.position() == self.judge.last_id

    def may_drain(self) -> bool:
        """Whether nothing keeps the drain."""
        return self.loop.time() >= self.drains_from_s

    async def hear(self, state: State, facts: ConnectionFacts, delivery: Any) -> bytes:
        """What the service does of a webhook."""
        return await hear(state, facts, delivery)

    def _see(self) -> None:
        """New entries of the ledger."""
        if self.is_open:
            before = self.judge.last_id
            rows = drive(ledger.read(self.judge_client, SELLER, before, 100))
            if rows:
                self.judge.see(rows)

    def _clock(self) -> float:
        """Monotonic seconds of whoever asks."""
        process = PROCESS.get()
        return self.loop.time() if process is None else process.clock()

    async def _sql_step(self, kind: str) -> None:
        process = PROCESS.get()
        if self.loop.time() < self.sql_away_until_s or (process is not None and process.is_cut_off()):
            raise OperationalError("connection closed")
        if kind == "commit" and (tenure := WRITING.get()) is not None:
            there = self.sql.file.execute(HOLDER, (tenure.lease,)).fetchone()
            if there != (tenure.owner, tenure.term):
                self.judge.find(f"{process.name if process else 'nobody'} writes for a channel that another works for")

    # --- from beginning to end ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Live through it all."""
        began_s = time.process_time()
        with ExitStack() as stack:
            stack.callback(self.loop.close)
            stack.enter_context(nature(self.loop, self.seed))
            stack.enter_context(patch.object(running, "LOOK_SECONDS", LOOK_S))
            stack.enter_context(patch.object(reconciling, "EVERY_MS", NEVER_MS if self.is_hunt else RECONCILE_MS))
            stack.enter_context(patch.object(drain, "KEEP_MS", KEEP_MS))
            stack.enter_context(patch.object(socket, "gethostname", lambda: "circle"))
            defaults = {**(Lead.__init__.__kwdefaults__ or {}), "clock": self._clock}
            stack.enter_context(patch.object(Lead.__init__, "__kwdefaults__", defaults))
            random.seed(self.seed)
            self.loop.run(self._live())
        self.took_s = time.process_time() - began_s

    async def _live(self) -> None:
        try:
            await self._open()
            mischiefs = await self._trade()
            for mischief in mischiefs:
                mischief.stop()
            if not (self.is_hunt and self.judge.found):
                await self._come_to_rest()
        finally:
            await self._end()

    async def _open(self) -> None:
        """The shop with its stock, its connections and its workers; every channel shows what it should."""
        self.epoch = await self.sql.begin(SELLER)
        self.judge_client = SimulatedPipe(Network(self.store)).client
        seeing = Allocator(SimulatedPipe(Network(self.store)), SELLER, self.epoch)
        allocator = Allocator(SimulatedPipe(self.wire), SELLER, self.epoch)
        await allocator.begin()
        await allocator.configure_all(config())
        chance = Random(f"stock {self.seed}")
        lines = [StockLine(*one) for one in first_stock(chance)]
        await allocator.receive(lines, op="opening")
        await seeing.reload()
        self.judge = Judge(stands(), seeing, self.loop.time, self._shows)
        self.judge.begin(await ledger.last_id(self.judge_client, SELLER))
        self.is_open = True
        self._front(allocator)
        self.warehouse = Warehouse(self)
        for stand in stands():
            await self._connect(stand)
        self.sql.step = self._sql_step
        self.processes = [Process(self, f"process {number}", self.steps) for number in (1, 2)]
        for process in self.processes:
            process.start()
        await self._until_right(OPENS_S, "before anybody has bought")
        for channel in self.channels.values():
            self.spawn(self._deliver(channel))

    def _front(self, allocator: Allocator) -> None:
        """The process that webhooks and tills talk to, which never dies."""
        self.front = Process(self, "front", ()).made(allocator, SimulatedPipe(self.wire))
        self.door = Door(self)

    async def _connect(self, stand: Stand) -> None:
        now = self.loop.time
        told = lambda listing, units: self.judge.told(stand.name, listing, units)  # noqa: E731
        chance = Random(f"courier {stand.name} {self.seed}")
        sandbox = sandbox_of(stand, self.now_ms, Courier(self.door.send, chance), self.door.ask, told)
        tally = self.judge.tallies[stand.name]
        more = Shared(), Counting(), {}, Random(f"tills {self.seed}")
        self.channels[stand.name] = Channel(stand, sandbox, Trouble(now), tally, *more)
        facts = ConnectionFacts(
            seller=SELLER,
            code=stand.name,
            connector=stand.name,
            channel=stand.channel,
            settings=dict(stand.settings),
            secrets=self.sealer.seal(secrets_purpose(SELLER, stand.name), dict(stand.secrets)),
            counts=stand.counts,
            locations=dict(PLACES.get(stand.name, {})),
            created_ms=now_ms(),
            watermark_ms=now_ms(),
        )
        rows = {
            f"{stand.channel}/{one.listing}": {
                "channel": stand.channel,
                "listing": one.listing,
                "sku": one.sku,
                "pack_size": one.pack,
                "active": True,
            }
            for one in stand.listings
        }
        async with self.sql.database.writing() as session:
            await put_connection(session, facts)
            await write_records(session, SELLER, "listings", rows, version=CONFIG_VERSION)
            if len(self.channels) == 1:
                change = ChangeFacts(CONFIG_VERSION, 0, ACTIVE, "circle", "", None, "", now_ms())
                await stage_change(session, SELLER, change, [])
                skus = {one.sku: _sku_row(one.sku) for one in config().skus}
                await write_records(session, SELLER, "skus", skus, version=CONFIG_VERSION)

    async def _deliver(self, channel: Channel) -> None:
        """Its messages leave once a second; and what is due there happens."""
        while True:
            if channel.sandbox.courier.waiting or channel.name == "amazon":
                await channel.sandbox.deliver()
            await asyncio.sleep(1.0)

    async def _trade(self) -> list[Mischief]:
        mischiefs = [Mischief(self, channel) for channel in self.channels.values()]
        lives = [one.live() for one in mischiefs]
        lives += [Buyers(self, channel).live() for channel in self.channels.values()]
        lives += [self.warehouse.live(), self._look_after()]
        tasks = [self.spawn(life) for life in lives]
        await self._pass(self.seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return mischiefs

    async def _pass(self, seconds: float) -> None:
        """Time goes by; for a hunt only until something is found."""
        end_s = self.loop.time() + seconds
        while self.loop.time() < end_s and not (self.is_hunt and self.judge.found):
            await asyncio.sleep(min(SLICE_S, end_s - self.loop.time()))
            self._find_forgotten()

    def _find_forgotten(self) -> None:
        """A worker that has followed the ledger to its end has nothing to tell only of what it has told rightly."""
        for channel in self.channels.values():
            followed = self.sql.file.execute(FOLLOWED, (channel.name, self.judge.last_id)).fetchone()
            # What a channel takes off by itself is not in the ledger.
            if followed is None or channel.stand.counts == "gross":
                continue
            for listing, units in self.sql.file.execute(SETTLED, (channel.name,)).fetchall():
                right = self.judge.numbers.right((channel.name, listing))
                if units is not None and units != right:
                    self.judge.find(f"{channel.name} is believed to show {units} of {listing} and not told {right}")

    async def _look_after(self) -> None:
        """Somebody looks after numbers that were given up, and the judge at what is late."""
        while True:
            await asyncio.sleep(60.0)
            self.judge.look()
            await self._revive()

    async def _revive(self) -> None:
        for code in self.channels:
            try:
                async with self.sql.database.writing() as session:
                    await push_anew(session, SELLER, code, None, now_ms=now_ms(), dead=True)
            except OSError:
                self.note("SQL is away, so nobody is woken")

    async def _come_to_rest(self) -> None:
        self.note("from here on nothing goes wrong")
        self.sql_away_until_s = self.drains_from_s = 0.0
        for process in self.processes:
            process.cut_off_until_s, process.dies_after, process.cut_off_at = 0.0, "", ""
        for channel in self.channels.values():
            for till in getattr(channel.sandbox, "tills", {}):
                channel.sandbox.is_back(till)
        await self._revive()
        # Whoever waits for a payment has paid or not by then; and everything is compared once more.
        await self._pass(SETTLES_S)
        if not self.is_hunt:
            reconciling.EVERY_MS = COMPARES_MS  # type: ignore[misc] # it is put back with the world's end
            await asyncio.sleep(COMPARES_MS / 500)
        await self._until_right(RESTS_S, "when nothing goes wrong any more")
        await asyncio.sleep(60)
        await judge_rest(self)

    async def _until_right(self, seconds: float, when: str) -> None:
        end_s = self.loop.time() + (min(seconds, HUNT_RESTS_S) if self.is_hunt else seconds)
        while wrong := self.wrong():
            await asyncio.sleep(5.0)
            for channel in self.channels.values():
                await channel.sandbox.deliver()
            if self.loop.time() > end_s:
                self.judge.find(f"{when} {len(wrong)} listings are wrong for too long: {wrong[:5]}")
                return

    def wrong(self) -> list[str]:
        """Listings that do not show what they should."""
        return [
            f"{channel.name} {one.listing} shows {self._shows((channel.name, one.listing))} instead of "
            f"{self.judge.numbers.right((channel.name, one.listing))}"
            for channel in self.channels.values()
            for one in channel.stand.listings
            if not self.is_right(channel, one.listing)
        ]

    def is_right(self, channel: Channel, listing: str) -> bool:
        """Whether a listing shows what it should now."""
        key = channel.name, listing
        return self._shows(key) == self.judge.numbers.right(key)

    def _shows(self, key: tuple[str, str]) -> int | None:
        """What a listing shows, with what its channel takes off by itself."""
        channel = self.channels.get(key[0])
        if channel is None:
            return None
        shown = int(channel.sandbox.shows(key[1]) or 0)
        return shown + channel.sandbox.open_units(int(key[1])) if channel.stand.counts == "gross" else shown

    async def _end(self) -> None:
        for process in self.processes:
            process.is_dead = True
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def _sku_row(sku: str) -> dict[str, Any]:
    return {"sku": sku, "name": "", "category": "", "unit": "piece", "scale": 1, "gtin": "", "attributes": {}}
