"""Worker processes: each drains, does the service's jobs, and works for channels by the real steps, until it dies."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextvars import Context, ContextVar
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

import httpx

from allocator import Allocator
from app import schedule
from app.deps import State
from app.draining.drain import Drain
from app.metrics import Metrics
from app.sync.memory import memory_of
from app.sync.out_steps import OUT_STEPS
from app.sync.running import syncing
from app.sync.steps import Step, Tenure, Work
from tests.simulator.pipe import Client, SimulatedPipe

from .shop import SELLER
from .ways import CircleLines

if TYPE_CHECKING:
    from .channel import Channel
    from .world import World

LEASE_S: Final = 20.0
AGAIN_S: Final = 3.0
"""After so long a process that died is started again."""

CUT_OFF_S: Final = 2 * LEASE_S
LOOKS_AGAIN_S: Final = 1.0
JOBS_S: Final = 5.0
DRAIN_S: Final = 0.5

PROCESS: ContextVar["Process | None"] = ContextVar("process", default=None)
"""The process that whoever asks belongs to."""

SLOWER: Final = 2.0
"""Every step comes so many times as seldom as in the service; what is long in a report would be shorter there."""

SELDOM_S: Final = {"listings": 20.0, "prove": 10.0, "pull_orders": 5.0}
"""And these as seldom as this."""

WRITING: ContextVar[Tenure | None] = ContextVar("writing", default=None)
"""For which tenure numbers are told and written down just now."""

OUT: Final = {step.name for step in OUT_STEPS}

NOTHING_DUE: Final = {
    "push": "SELECT 1 FROM shown WHERE connection = ? AND changes > settled AND due_ms <= ? AND outcome <> 'dead'",
    "tickets": "SELECT 1 FROM shown WHERE connection = ? AND ticket <> '' AND due_ms <= ?",
    "prove": "SELECT 1 FROM shown WHERE connection = ? AND outcome = 'accepted' AND told_ms <= ?",
    "take_orders": "SELECT 1 FROM heard_order WHERE connection = ? AND state = 'waiting' AND due_ms <= ?",
    "wake_orders": "SELECT 1 FROM heard_order WHERE connection = ? AND state = 'parked' AND due_ms <= ?",
    "pull_orders": "SELECT 1 FROM connection WHERE code = ? AND pulled_ms <= ?",
    "run_errands": "SELECT 1 FROM errand WHERE connection = ? AND state = 'waiting' AND due_ms <= ?",
}
"""A step is left out while this finds nothing: its run would find nothing either, and most of a world is that."""

ALL_LOOKED_AT: Final = (
    "SELECT 1 FROM told_back WHERE connection = ? AND number = (SELECT max(number) FROM ledger_entry)"
)
"""Finds something when no entry is left to look at."""


class Died(httpx.ConnectError):
    """Whoever asks is dead."""

    def __init__(self) -> None:
        super().__init__("this process died")


class Process:
    """One process from its start to its death. A new one takes its place."""

    def __init__(self, world: "World", name: str, steps: Sequence[Step]) -> None:
        self.world, self.name = world, name
        self.client = Client(world.wire)
        self.steps = [
            Step(step.name, SELDOM_S.get(step.name, step.every_s * SLOWER), self._unless_idle(step)) for step in steps
        ]
        self.task: asyncio.Task[None] | None = None
        self._clock_s = self._lost_s = 0.0
        self.is_dead, self.cut_off_until_s = False, 0.0
        self.dies_after = self.cut_off_at = ""

    # --- living and dying ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin anew, with nothing remembered."""
        self.is_dead, self.cut_off_until_s, self.dies_after, self.cut_off_at = False, 0.0, "", ""
        pipe = SimulatedPipe(self.world.wire)
        self.state = self.made(Allocator(pipe, SELLER, self.world.epoch), pipe)
        self.task = self.world.spawn(self._live())

    def made(self, allocator: Allocator, pipe: Any) -> State:
        """The service's state, as far as anything here needs it."""
        world, unused = self.world, cast(Any, None)
        self.allocator = allocator
        return State(
            settings=world.settings,
            database=world.sql.database,
            keys=unused,
            allocators={SELLER: allocator},
            pipe=pipe,
            epoch=world.epoch,
            levels=unused,
            sealer=world.sealer,
            lines=CircleLines(self, world.channels.__getitem__),
            metrics=Metrics(),
        )

    async def _live(self) -> None:
        PROCESS.set(self)
        await self.allocator.reload()
        tasks = [asyncio.create_task(work) for work in (self._drain(), self._jobs())]
        try:
            async with syncing(self.state, self.steps, seconds=LEASE_S):
                await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def die(self) -> None:
        """From here on nothing of it reaches anybody; its leases are still there."""
        if not self.is_dead and self.task is not None:
            self.is_dead = True
            self.world.note(f"{self.name} dies")
            self.world.loop.call_soon(self.task.cancel)
            # Nothing of what it was doing goes on in the new one.
            self.world.loop.call_later(AGAIN_S, self.start, context=Context())

    def must_live(self) -> None:
        """Raise Died when it is dead."""
        if self.is_dead:
            raise Died

    def is_cut_off(self) -> bool:
        """Whether it cannot reach SQL."""
        return self.is_dead or self.world.loop.time() < self.cut_off_until_s

    def clock(self) -> float:
        """Seconds by its own clock, which never goes back."""
        return max(self._clock_s, self.world.loop.time() - self._lost_s)

    def holds_push_s(self, channel: "Channel") -> float:
        """How long it waits for the answer to a push, while it stands still and another one takes its lease over."""
        if self.cut_off_at != channel.name:
            return 0.0
        self.cut_off_at = ""
        self.cut_off_until_s = self.world.loop.time() + CUT_OFF_S
        # As a machine that stood still: by its own clock its lease is not over yet.
        self._clock_s, self._lost_s = self.clock(), self._lost_s + CUT_OFF_S
        return CUT_OFF_S + LOOKS_AGAIN_S

    def has_pushed(self, channel: "Channel") -> None:
        """A push of it has reached this channel; it may die before it has written that down."""
        if self.dies_after == channel.name:
            self.die()

    # --- what it does --------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        drain = Drain(self.world.sql.database, self.client)
        while True:
            if self.world.may_drain() and not self.world.is_level():
                await self._try(drain.run())
            await asyncio.sleep(DRAIN_S)

    async def _jobs(self) -> None:
        settings = SimpleNamespace(losers=("channel_rank", "newest"))
        state: Any = SimpleNamespace(
            allocators=self.state.allocators, clock_jumps_ms={}, database=self.state.database, settings=settings
        )
        memory = schedule.Memory()
        while True:
            for job in (schedule.expire_holds, schedule.rescue_orders, schedule.serve_backorders):
                await self._try(job(state, memory))
            await asyncio.sleep(JOBS_S)

    async def _try(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - as the real worker: the next try must come, whatever one says
            self.world.note_new(f"{self.name} failed: {type(error).__name__}: {error}")

    # --- leaving out what would find nothing ----------------------------------------------------------------------

    def _unless_idle(self, step: Step) -> Any:
        async def run(work: Work) -> bool:
            if self._is_idle(step.name, work):
                return False
            writing = WRITING.set(work.tenure if step.name in OUT else None)
            try:
                return await step.run(work)
            finally:
                WRITING.reset(writing)

        return run

    def _is_idle(self, name: str, work: Work) -> bool:
        world = self.world
        if name == "follow":
            return memory_of(work).position == world.judge.last_id
        if name == "listings":
            return memory_of(work).config == world.config_version
        if name == "make_errands":
            return world.sql.file.execute(ALL_LOOKED_AT, (work.facts.code,)).fetchone() is not None
        query, facts = NOTHING_DUE.get(name), work.line.connector.facts
        if query is None:
            return False
        wait_s = {"pull_orders": facts.poll_s, "prove": facts.shown_after_s}.get(name, 0)
        due = work.facts.code, world.now_ms() - 1_000 * wait_s
        return world.sql.file.execute(f"{query} LIMIT 1", due).fetchone() is None
