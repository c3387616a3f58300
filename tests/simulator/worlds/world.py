"""One world: made from a seed, lived through in virtual time, brought to rest and judged."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from contextlib import closing
from random import Random
from typing import Any, NamedTuple
from unittest.mock import patch

import stamina
import structlog

from app.draining import drain
from app.recovery import verifying
from tests.simulator.loop import VirtualLoop
from tests.simulator.sql import Sql
from tests.simulator.store import Store

from .beginning import Beginning, move_in, open_shop
from .chronicle import Begun, Chronicle
from .deeds import Deeds
from .judge import judge
from .nature import WallClock, nature, wall_ms
from .people import Caller, Operator, Process, Timetable, Worker
from .server import Server
from .swarm import Swarm, draw
from .trouble import SqlTrouble, Trouble
from .wires import COMING, Fates, Wires

REST_S = 60.0
"""How long, in virtual time, a world may take to come to rest."""

PAUSE_MAX_S = 6.0
"""The longest that a worker looks away."""

CHECK_PAUSE_S = 3.0
"""How long a check waits for a drain that another process does, before it looks again."""

LOOK_S = 60.0
"""How long a worker believes that there is the one seller there is."""

TIDY_EVERY = 25
"""After how many worlds what they left in memory is looked for."""


class Verdict(NamedTuple):
    """
    What became of a world. found: what must never be, empty when all is well.

    deeds: things that were wanted; scripts: runs that counted; entries: of the ledger, in SQL; lost: acknowledged
    effects that went with Valkey's data, as a rebuild reported, or had not reached the replica that took over.
    """

    seed: int
    found: list[str]
    digest: str
    deeds: int
    scripts: int
    entries: int
    lost: int
    lines: list[str]


class Stage:
    """What worlds of one process share, since making it takes long: Lua and a database. Nothing of a world stays."""

    def __init__(self) -> None:
        # Retries would be lines on the terminal, and so would what the drain and the schedule say.
        stamina.instrumentation.set_on_retry_hooks([])
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
        self.store = Store()
        self.sql = Sql()
        self.lived = 0
        self.sql.reset()
        self.beginning = World(self, 0).open()
        # What is here now stays, so nobody has to look through it again for what is left of a world.
        gc.collect()
        gc.freeze()

    def run(self, seed: int) -> Verdict:
        """Live through this seed's world. Nothing is cleaned up meanwhile: that could happen at any moment."""
        gc.disable()
        try:
            return World(self, seed).run()
        finally:
            self.lived += 1
            if self.lived % TIDY_EVERY == 0:
                gc.collect()
            gc.enable()


class World:
    """Everybody and everything of one seed."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage, self.seed = stage, seed
        self.swarm: Swarm = draw(seed)
        self.chance = Random(f"world {seed}")
        self.loop = VirtualLoop()
        self.chronicle = Chronicle(self.loop.time)
        stage.store.reset(seed)
        self.sql, self.configs = stage.sql, {}
        self.server = Server(stage.store, self.chronicle, lambda: wall_ms(self.loop), self.sql.last_number)
        self.fates = Fates(Random(f"fates {seed}"), self.swarm.wire, self.swarm.delay_s)
        self.sql_trouble = SqlTrouble(self)
        self.deeds = Deeds(Random(f"deeds {seed}"), COMING.set)
        self.tasks: list[asyncio.Task[Any]] = []
        self.processes: list[Process] = []
        self.workers: list[Worker] = []
        self.reported: dict[str, int] = {}
        self.clocks: list[WallClock] = []
        self.rebuilding, self.calm, self.trouble, self.epoch = False, True, "", ""
        self.busy_until_s = 0.0

    # --- for those who live here -------------------------------------------------------------------------------

    def wires(self, who: str) -> Wires:
        return Wires(self.server, self.fates, self.chronicle, self.later, who)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self.loop.create_task(work)
        task.add_done_callback(self._see_end)
        self.tasks.append(task)
        return task

    def _see_end(self, task: asyncio.Task[None]) -> None:
        """Nobody's life ends by an error that nobody expected."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.chronicle.find(f"{type(error).__name__}: {error}")

    def later(self, seconds: float, work: Callable[[], Any]) -> None:
        """Do this then, whatever has become of whoever wanted it."""
        self.busy_until_s = max(self.busy_until_s, self.loop.time() + seconds)
        self.loop.call_later(seconds, work)

    def is_level(self) -> bool:
        """Whether SQL has all that the ledger has, and nobody can still take it back."""
        return not self.sql.file.in_transaction and self.sql.position() == self.server.last_id()

    def drain_pause_s(self) -> float:
        return 2.5 if self.calm else min(PAUSE_MAX_S, self.chance.expovariate(1 / self.swarm.drain_s))

    # --- from beginning to end ---------------------------------------------------------------------------------

    def open(self) -> Beginning:
        """What every other world begins with."""
        with closing(self.loop), nature(self.loop, self.seed):
            return self.loop.run(open_shop(self))

    def run(self) -> Verdict:
        try:
            with (
                nature(self.loop, self.seed),
                patch.multiple(drain, **self.swarm.drain),
                patch.multiple(verifying, PAUSE_SECONDS=CHECK_PAUSE_S, LOOK_SECONDS=LOOK_S),
            ):
                self.loop.run(self._live())
            found = self.chronicle.found
            lost = judge(self) if not found else 0
        finally:
            self.loop.close()
        executions = sum(not isinstance(happened, Begun) for happened in self.server.history)
        return Verdict(
            seed=self.seed,
            found=found,
            digest=self.chronicle.digest(),
            deeds=len(self.deeds.all),
            scripts=executions,
            entries=self.sql.last_number(),
            lost=lost,
            lines=self.chronicle.shown(),
        )

    async def _live(self) -> None:
        try:
            self._begin()
            self.processes += [Process(self, f"process {number}") for number in range(self.swarm.processes)]
            callers = [
                Caller(self, f"caller {number}", self.swarm.deeds // self.swarm.callers)
                for number in range(self.swarm.callers)
            ]
            self._make_trouble()
            for who in (Timetable(self), Operator(self), Trouble(self)):
                self.spawn(who.live())
            await asyncio.gather(*[self.spawn(caller.live()) for caller in callers])
            self._stop_trouble()
            await self._come_to_rest(callers)
        except Exception as error:  # noqa: BLE001 - whatever it is, this world has found it
            self.chronicle.find(f"{type(error).__name__}: {error}")
        finally:
            await self._end()

    def _begin(self) -> None:
        """An open shop with some stock, and the workers that drain it."""
        assert self.stage.beginning is not None
        move_in(self, self.stage.beginning)
        self.workers = [Worker(self, f"worker {number}") for number in range(self.swarm.workers)]
        for worker in self.workers:
            worker.start()

    def _make_trouble(self) -> None:
        self.calm = self.fates.calm = False
        self.server.fsync_s = self.swarm.fsync_s
        self.sql.step = self.sql_trouble.step

    def _stop_trouble(self) -> None:
        self.chronicle.note("from here on nothing goes wrong")
        self.calm = self.fates.calm = True
        self.server.fsync_s, self.server.away = 0.0, False
        self.sql_trouble.away = False

    async def _come_to_rest(self, callers: list[Caller]) -> None:
        """Everything that was asked for is answered, every message has arrived, everything that happened is in SQL."""
        end_s = self.loop.time() + REST_S
        for deed in self.deeds.all:
            while not deed.answered and self.chance.random() >= self.swarm.gives_up:
                await self.chance.choice(callers).process.ask(deed)
                if self.loop.time() > end_s:
                    self.chronicle.find(f"{deed.verb} {deed.op} is never answered")
                    return
        await asyncio.sleep(max(0.0, self.busy_until_s - self.loop.time()))
        while not self.is_level() or self.server.gate() or self.server.epoch() != self.epoch:
            await asyncio.sleep(1.0)
            if self.loop.time() > end_s:
                gate = self.server.gate()
                self.chronicle.find(
                    f"{self.epoch} never comes to rest: its gate is {gate}, {self.trouble or 'no error'}"
                )
                return

    async def _end(self) -> None:
        self.rebuilding = True
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.sql.database.close()
