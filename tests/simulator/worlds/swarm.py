"""
What may go wrong in a world, and how often: drawn from its seed, so that no two are alike.

Most worlds have a few kinds of trouble and not the others: where everything happens at once, nothing gets far enough
for a rare fault to matter.
"""

from random import Random
from typing import NamedTuple

EVENTS = ("cut", "power", "kill", "death", "sql_away", "server_clock", "wall_clock")
"""What happens to the whole world, or to one process of it, at a moment (trouble.py)."""

LOSSES = ("flush", "failover")
"""Kinds of trouble after which Valkey's newest data may be gone."""

WIRE = {"lost": 0.05, "cut": 0.08, "late": 0.04, "doubled": 0.06, "busy": 0.04, "crashed": 0.005, "foreign": 0.03}
SQL = {"connect": 0.03, "begin": 0.03, "ask": 0.01, "commit": 0.06, "committed": 0.06}
"""How often a call, or a step of a transaction, goes wrong where it does at all."""


LONG = 0.03
"""The share of worlds that live long."""

FAULTS_MAX = 8
"""So often a process's wires fail, and the database: a world in which nothing gets through shows nothing."""


class Swarm(NamedTuple):
    """
    The habits of one world.

    deeds: how many there are, over all callers, who ask one of the processes. pause_s: between two of one caller, on
    average. wire: chance of each fate of a call. delay_s, fsync_s, sql_delay_s: longest virtual waits on the wire, for
    the disk, of a statement. events: (seconds after the start, kind) of what happens to the whole world. sql: chance of
    an error by step. dies: chance that a worker dies at a step. jobs_s: between runs of the schedule's jobs. drain_s:
    between runs of a drain, on average. verify_s: between looks of whoever checks a store after its start. drain:
    constants of the drain.
    """

    deeds: int
    callers: int
    processes: int
    workers: int
    pause_s: float
    wire: dict[str, float]
    delay_s: float
    fsync_s: float
    events: list[tuple[float, str]]
    sql: dict[str, float]
    sql_delay_s: float
    dies: float
    jobs_s: float
    drain_s: float
    verify_s: float
    drain: dict[str, float]
    gives_up: float


def draw(seed: int) -> Swarm:
    """The habits of this seed's world."""
    return _Drawing(Random(f"swarm {seed}")).all()


class _Drawing:
    def __init__(self, chance: Random) -> None:
        self.chance = chance

    def all(self) -> Swarm:
        pick, chance = self.chance.choice, self.chance
        deeds, callers, pause_s = self.deeds(), chance.randint(1, 3), pick([0.03, 0.1, 0.3])
        seconds = pause_s * deeds / callers
        events = self.events(1.2 * seconds)
        # What is lost must have been in SQL, or nothing comes back that could be wrong.
        losing = any(kind in LOSSES for _, kind in events)
        return Swarm(
            deeds=deeds,
            callers=callers,
            processes=pick([1, 2]),
            workers=pick([1, 1, 1, 2]),
            pause_s=pause_s,
            wire=self.some(WIRE),
            delay_s=pick([0.0, 0.0, 0.01, 0.2]),
            fsync_s=pick([0.0, 0.0, 0.005, 0.05]),
            events=events,
            sql=self.some(SQL),
            sql_delay_s=pick([0.0, 0.0, 0.0, 0.02, 0.3]),
            dies=pick([0.0, 0.0, 0.003, 0.01]),
            jobs_s=pick([1.5, 8.0]),
            drain_s=max(0.5, 0.15 * seconds) if losing else pick([0.5, 3.0, 6.0]) * max(4.0, seconds),
            verify_s=pick([1.0, 3.0]),
            drain=self.drain(),
            gives_up=pick([0.0, 0.1]),
        )

    def deeds(self) -> int:
        """Mostly few: much happens to them at once, and many worlds see more than a long one."""
        chance = self.chance
        return chance.randint(60, 90) if chance.random() < LONG else chance.randint(6, 18)

    def some(self, rates: dict[str, float]) -> dict[str, float]:
        """Each of these at about a third of the time, and then between half and twice as often as said."""
        chance = self.chance
        return {word: rate * chance.uniform(0.5, 2) for word, rate in rates.items() if chance.random() < 0.35}

    def events(self, seconds: float) -> list[tuple[float, str]]:
        chance, events = self.chance, []
        for kind in EVENTS:
            times = chance.choice([0, 0, 0, 0, 1, 2])
            events += [(chance.uniform(0, seconds), kind) for _ in range(times)]
        return sorted(events + self.loss(seconds))

    def loss(self, seconds: float) -> list[tuple[float, str]]:
        """Late, when there is something to lose; a replica may have nothing new for long, or all there is."""
        chance = self.chance
        if chance.random() > 0.3:
            return []
        at_s = chance.uniform(0.4, 0.9) * seconds
        return [(at_s * chance.choice([0.3, 0.7, 1.0]), "replica"), (at_s, chance.choice(LOSSES))]

    def drain(self) -> dict[str, float]:
        pick = self.chance.choice
        return {
            "GROUP": pick([3, 20, 1_000, 1_000, 1_000]),
            "LEASE_MS": pick([1_000, 10_000]),
            "TRIM_SECONDS": pick([1.0, 10.0]),
            "KEEP_MS": pick([0, 2_000, 3_600_000]),
            "KEEP_MAX": pick([5, 200_000]),
            "LOOK_SECONDS": pick([1.0, 60.0]),
        }
