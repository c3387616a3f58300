"""Who lives in a world: processes that serve callers, the schedule beside them, workers that drain, an operator."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import cycle
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from allocator import Allocator, errors
from allocator.gate import Gate
from allocator.pipe import run_of
from app import opening, schedule
from app.draining.drain import Drain
from app.recovery.rebuild import rebuild
from app.recovery.verifying import Verifier
from app.rescuing import LOSERS
from app.store.database import SqlError
from app.store.datasets import next_generation
from tests.allocator.town import SELLER
from tests.simulator.pipe import Client

from .chronicle import Asking
from .deeds import Deed
from .nature import WALL_CLOCK, WallClock
from .trouble import MORTAL
from .wires import ASKING, ToldPipe

if TYPE_CHECKING:
    from .world import World

PATIENCE = 6
"""How often a deed of unknown outcome is asked for before its caller leaves it."""

CALM = 3
"""So many times longer everybody rests where nothing goes wrong any more."""

IDLE_RUNS = 0.1
"""How many of the drain's runs that find nothing to do are done: they take long and teach little."""

SWEEP = schedule.sweep_backorders

SAID = (errors.Refusal, errors.Invalid)
"""Answers that are no answer's type."""


class Process:
    """One process of the service: its clock, its connections, its allocator."""

    def __init__(self, world: "World", who: str) -> None:
        self.world, self.who = world, who
        self.clock = WallClock()
        world.clocks.append(self.clock)
        self.wires = world.wires(who)
        self.client = Client(self.wires)
        self.renew()

    def renew(self) -> None:
        """Start anew, with the epoch that SQL now has."""
        pipe = ToldPipe(self.wires, self.world.configs)
        self.allocator = Allocator(pipe, SELLER, self.world.epoch)
        pipe.meet = partial(opening._meet, pipe, {SELLER: self.allocator}, set())

    async def ask(self, deed: Deed) -> bool:
        """Ask once for this; whether an answer came."""
        world, asking = self.world, Asking(self.world.loop.time(), self.allocator.epoch)
        deed.askings.append(asking)
        WALL_CLOCK.set(self.clock)
        token = ASKING.set(asking)
        world.chronicle.note(f"{self.who} asks {deed.verb} {deed.op}")
        try:
            answer = await deed.ask(self.allocator)
        except errors.Unanswered:
            return False
        except (errors.NotReady, errors.Checking) as error:
            world.chronicle.note(f"{self.who} hears {deed.verb} {deed.op}: {type(error).__name__}")
            await self._wait_until_ready()
            return False
        except SAID as error:
            answer = error
        finally:
            ASKING.reset(token)
        asking.heard_s = world.loop.time()
        world.chronicle.note(f"{self.who} hears {deed.verb} {deed.op}: {type(answer).__name__}")
        world.deeds.learn(answer)
        return True

    async def _wait_until_ready(self) -> None:
        await asyncio.sleep(1.0)
        if self.allocator.epoch != self.world.epoch:
            self.renew()


class Caller:
    """Asks for one thing after the other, sometimes for several at once, and repeats what was not answered."""

    def __init__(self, world: "World", who: str, deeds: int) -> None:
        self.world, self.left = world, deeds
        self.chance = Random(f"{who} {world.seed}")
        self.process = self.chance.choice(world.processes)

    async def live(self) -> None:
        while self.left > 0:
            await asyncio.sleep(self.chance.expovariate(1 / self.world.swarm.pause_s))
            together = self.chance.choice([1, 1, 1, 1, 2, 3])
            self.left -= together
            deeds = [self.world.deeds.next() for _ in range(together)]
            if together == 1:
                await self.see_through(deeds[0])
            else:
                await asyncio.gather(*[self.world.spawn(self.see_through(deed)) for deed in deeds])

    async def see_through(self, deed: Deed) -> None:
        """Until it is answered, here or at another process; unless the caller loses patience."""
        gives_up = self.chance.random() < self.world.swarm.gives_up
        process = self.process
        for _ in range(1 if gives_up else PATIENCE):
            if await process.ask(deed):
                return
            await asyncio.sleep(self.chance.random())
            process = self.chance.choice(self.world.processes)


class Timetable:
    """The service's own jobs that have to do with units: expiry and backorders."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.process = Process(world, "schedule")
        self.memory = schedule.Memory()
        allocators = {SELLER: self.process.allocator}
        settings = SimpleNamespace(losers=LOSERS)
        self.state = SimpleNamespace(
            allocators=allocators, clock_jumps_ms={}, database=world.sql.database, settings=settings
        )

    async def live(self) -> None:
        WALL_CLOCK.set(self.process.clock)
        jobs = cycle([schedule.rescue_orders, schedule.serve_backorders, schedule.rescue_orders, SWEEP])
        while True:
            await self._attempt(schedule.expire_holds)
            await self._attempt(next(jobs))
            await asyncio.sleep(self.world.swarm.jobs_s * (CALM if self.world.calm else 1))

    async def _attempt(self, job: Any) -> None:
        if self.process.allocator.epoch != self.world.epoch:
            self.process.renew()
            self.state.allocators[SELLER] = self.process.allocator
            self.memory = schedule.Memory()
        try:
            await job(self.state, self.memory)
        except (errors.Unanswered, errors.NotReady, errors.Checking, *SqlError) as error:
            self.world.chronicle.note(f"{job.__name__} failed: {type(error).__name__}")


class Worker:
    """A process that drains and checks the store after each of its starts. When it dies another takes its place."""

    def __init__(self, world: "World", who: str) -> None:
        self.world, self.who = world, who
        self.task: asyncio.Task[None] | None = None
        self.verified: int | None = None

    def start(self) -> None:
        if not self.world.rebuilding and (self.task is None or self.task.done()):
            self.task = self.world.spawn(self._live())

    def die(self) -> None:
        if self.task is not None:
            self.task.cancel()

    async def _live(self) -> None:
        world, process = self.world, Process(self.world, self.who)
        WALL_CLOCK.set(process.clock)
        MORTAL.set(True)
        self.verified = None
        drain = Drain(world.sql.database, process.client)
        verifier = Verifier(world.sql.database, process.client, drain)
        both = [world.spawn(self._drain(drain)), world.spawn(self._verify(verifier))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Said first: whoever dies may be killed once more.
            world.chronicle.note(f"{self.who} dies")
            world.later(2 + world.chance.random(), self.start)
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _drain(self, drain: Drain) -> None:
        while True:
            if not self.world.is_level() or self.world.chance.random() < IDLE_RUNS:
                drained = await self._try(drain.run())
                if drained and drained.entries:
                    self.world.chronicle.note(f"{self.who} drained {drained.entries}")
            await asyncio.sleep(self.world.drain_pause_s())

    async def _verify(self, verifier: Verifier) -> None:
        """A run that would only see that all is as it was is left out."""
        while True:
            life = self.world.server.life
            if self.verified != life or self.world.server.gate() == b"checking":
                await self._try(self._verify_once(verifier, life))
            await asyncio.sleep(self.world.swarm.verify_s * (CALM if self.world.calm else 1))

    async def _verify_once(self, verifier: Verifier, life: int) -> None:
        await verifier.run()
        self.verified = life

    async def _try(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            done = await work
        except Exception as error:  # noqa: BLE001 - as the real worker: the next try must come, whatever one says
            self.world.chronicle.note(f"{self.who} failed: {type(error).__name__}")
            self.world.trouble = f"{type(error).__name__}: {error}"
            return None
        self.world.trouble = ""
        return done


class Operator:
    """Looks after a store that does not sell: fills it again from SQL, and releases it when what was lost is known."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.process = Process(world, "operator")
        self.chance = Random(f"operator {world.seed}")

    async def live(self) -> None:
        while True:
            await asyncio.sleep(2.0 + self.chance.random())
            if self.world.server.epoch() != self.world.epoch or (self._is_shut() and not self._was_filled()):
                await self.rebuild()
            elif self._is_shut():
                await self._try(self._release)

    def _is_shut(self) -> bool:
        return self.world.server.gate() == b"shut"

    def _was_filled(self) -> bool:
        return self.world.server.why().startswith(b"filled again")

    async def rebuild(self) -> None:
        """The service is stopped for it: nobody drains meanwhile."""
        world = self.world
        world.rebuilding = True
        for worker in world.workers:
            worker.die()
        await asyncio.gather(*[worker.task for worker in world.workers if worker.task], return_exceptions=True)
        while not await self._try(self._fill):
            await asyncio.sleep(0.2)
        world.rebuilding = False
        for worker in world.workers:
            worker.start()

    async def _try(self, work: Callable[[], Coroutine[Any, Any, bool]]) -> bool:
        try:
            return await work()
        except (RedisError, OSError, SQLAlchemyError, errors.NotReady) as error:
            self.world.chronicle.note(f"the operator failed: {type(error).__name__}")
            return False

    async def _fill(self) -> bool:
        world, database = self.world, self.world.sql.database
        async with database.writing() as session:
            dataset = await next_generation(session)
        release = self.chance.random() < 0.5
        rebuilt = await rebuild(database, self.process.client, SELLER, dataset.epoch, discard=True, release=release)
        world.reported[world.epoch] = rebuilt.complete_until_ms
        world.epoch = dataset.epoch
        world.chronicle.note(f"rebuilt: {dict(rebuilt.records)} until {rebuilt.complete_until_ms}")
        return True

    async def _release(self) -> bool:
        client = self.process.client
        await Gate(client, SELLER, self.world.epoch).shut(await run_of(client), "")
        self.world.chronicle.note("the store is released")
        return True
