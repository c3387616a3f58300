"""What goes wrong beside the wire: the server, the database, the clocks and the workers."""

import asyncio
import sqlite3
from contextvars import ContextVar
from random import Random
from typing import TYPE_CHECKING

from .swarm import FAULTS_MAX

if TYPE_CHECKING:
    from .world import World

MORTAL: ContextVar[bool] = ContextVar("mortal", default=False)
"""Whether whoever takes this step may die in the middle of it."""

JUMPS_MS = (-7_200_000, -90_000, -1_500, 1_500, 30_000, 90_000, 7_200_000)
"""How far clocks are set."""

AWAY_S = 5.0
"""How long the server or the database is away at most."""


class SqlTrouble:
    """What becomes of a statement: it waits, it fails, whoever made it dies; of a commit, the answer may be lost."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.chance = Random(f"sql {world.seed}")
        self.away, self.faults_left = False, FAULTS_MAX

    async def step(self, kind: str) -> None:
        """Raises what a driver raises, or CancelledError when whoever waits dies."""
        world, swarm = self.world, self.world.swarm
        if world.calm:
            return
        if swarm.sql_delay_s:
            await asyncio.sleep(self.chance.random() * swarm.sql_delay_s)
        if swarm.dies and MORTAL.get() and self.chance.random() < swarm.dies:
            world.chronicle.note(f"dies at {kind}")
            raise asyncio.CancelledError
        if self.away or self._fails(kind):
            world.chronicle.note(f"the database fails at {kind}")
            raise sqlite3.OperationalError("connection closed")

    def _fails(self, kind: str) -> bool:
        rate = self.world.swarm.sql.get(kind, 0.0)
        fails = bool(rate and self.faults_left and self.chance.random() < rate)
        self.faults_left -= fails
        return fails


class Trouble:
    """Lets happen what the swarm has planned, each at its time."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.chance = Random(f"trouble {world.seed}")

    async def live(self) -> None:
        for at_s, kind in self.world.swarm.events:
            await asyncio.sleep(max(0.0, at_s - self.world.loop.time()))
            if self.world.calm:
                return
            self.world.chronicle.note(f"trouble: {kind}")
            getattr(self, f"_{kind}")()

    # --- each kind ---------------------------------------------------------------------------------------------

    def _cut(self) -> None:
        self.chance.choice(self.world.processes).wires.cut()

    def _power(self) -> None:
        server = self.world.server
        server.lose_power(self.chance.randint(0, server.store.volatile))
        self._stay_away()

    def _kill(self) -> None:
        self.world.server.kill()
        self._stay_away()

    def _stay_away(self) -> None:
        self.world.server.away = True
        self.world.later(self.chance.choice([0.0, 0.1, AWAY_S]), self._come_back)

    def _come_back(self) -> None:
        self.world.server.away = False

    def _death(self) -> None:
        self.chance.choice(self.world.workers).die()

    def _sql_away(self) -> None:
        self.world.sql_trouble.away = True
        self.world.later(self.chance.random() * AWAY_S, self._sql_back)

    def _sql_back(self) -> None:
        self.world.sql_trouble.away = False

    def _server_clock(self) -> None:
        self.world.server.ahead_ms += self.chance.choice(JUMPS_MS)

    def _wall_clock(self) -> None:
        self.chance.choice(self.world.clocks).ahead_ms += self.chance.choice(JUMPS_MS)

    def _replica(self) -> None:
        self.world.server.copy_to_replica()

    def _flush(self) -> None:
        self.world.server.empty()

    def _failover(self) -> None:
        self.world.server.fail_over()
