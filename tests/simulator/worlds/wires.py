"""The way from one process of the world to the server, on which anything may happen to a call."""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from random import Random
from typing import Any

from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from allocator import Config
from allocator.pipe import run_of
from allocator.scripts import Script
from tests.simulator.pipe import Network, SimulatedPipe

from .chronicle import NUMBERED, Asking, Chronicle, said
from .server import UNTOLD, Server, Words
from .swarm import FAULTS_MAX

TIMEOUT_S = 2.0
"""How long a caller waits for an answer."""

LATE_S = 6.0
"""The latest that a message arrives."""

BUSY = (
    "LOADING Valkey is loading the dataset in memory",
    "BUSY Valkey is busy running a script.",
    "READONLY You can't write against a read only replica.",
    "OOM command not allowed when used memory > 'maxmemory'.",
)
"""What a server says that did not run a script and may later."""

READS = {"XRANGE", "XREVRANGE", "XLEN", "HGET", "HMGET", "HGETALL", "EXISTS", "PIPELINE", "MULTI"}

ASKING: ContextVar[Asking | None] = ContextVar("asking", default=None)
"""For whose sake a script is run."""

Later = Callable[[float, Callable[[], Any]], None]
"""Does something in so many virtual seconds."""


class Fates:
    """Draws what becomes of each call; none of it when the world is calm."""

    def __init__(self, chance: Random, rates: dict[str, float], delay_s: float) -> None:
        self.chance, self.delay_s = chance, delay_s
        self.words, self.rates = list(rates), list(rates.values())
        self.any = sum(self.rates)
        self.calm = True

    def draw(self, name: str) -> str:
        """A word of the swarm's wire, or ''. What is no verb and no question is never repeated or late."""
        if self.calm or not self.any or self.chance.random() >= self.any:
            return ""
        [word] = self.chance.choices(self.words, self.rates)
        safe = name.islower() or name in READS
        return word if safe or word not in {"late", "doubled"} else "lost"

    def wait_s(self) -> float:
        return 0.0 if self.calm or not self.delay_s else self.chance.random() * self.delay_s


def is_echo(replies: list[Any]) -> bool:
    """Whether these are a script's that names the op it was asked with."""
    return isinstance(replies[0], list) and len(replies[0]) == 4 and bool(replies[0][3])


class Wires(Network):
    """
    One process's connections. `cut` breaks them with everything that is under way.

    before: the replies to the last call with an op; a confused connection gives them again.
    """

    def __init__(self, server: Server, fates: Fates, chronicle: Chronicle, later: Later, who: str) -> None:
        super().__init__(server.store)
        self.server, self.fates, self.chronicle, self.later, self.who = server, fates, chronicle, later, who
        self.cuts, self.faults_left = 0, FAULTS_MAX
        self.before: list[Any] = []

    def cut(self) -> None:
        self.cuts += 1

    async def ask(self, name: str, commands: Sequence[Words], *, together: bool = False) -> list[Any]:
        """The replies, errors among them. Raises redis-py's errors when none comes back."""
        before, life = self.cuts, self.server.life
        word = self.fates.draw(name) if self.faults_left else ""
        if word:
            self.faults_left -= 1
            self.chronicle.note(f"{self.who}'s {name} is {word}")
        if wait_s := self.fates.wait_s():
            await asyncio.sleep(wait_s)
        if word in {"lost", "busy", "late"}:
            return await self._fail(word, commands, together)
        if word in {"crashed", "doubled"}:
            getattr(self, f"_{word}")(commands, together)
        if self.server.life != life:
            raise RedisConnectionError("this connection led to another run of the server")
        replies = await self.server.answer(commands, together=together)
        if wait_s := self.fates.wait_s():
            await asyncio.sleep(wait_s)
        if word == "cut" or self.cuts != before:
            raise RedisConnectionError("the answer was lost")
        if name.islower() and is_echo(replies):
            self.before, earlier = replies, self.before
            replies = earlier if word == "foreign" and earlier else replies
        return replies

    async def _fail(self, word: str, commands: Sequence[Words], together: bool) -> list[Any]:
        if word == "busy":
            error = BaseParser.parse_error(self.fates.chance.choice(BUSY))
            return [error for _ in commands]
        if word == "late":
            self._again(commands, together, TIMEOUT_S)
            await asyncio.sleep(TIMEOUT_S)
            raise RedisTimeoutError("no answer in time")
        raise RedisConnectionError("the message was lost")

    def _doubled(self, commands: Sequence[Words], together: bool) -> None:
        self._again(commands, together, 0)

    def _again(self, commands: Sequence[Words], together: bool, least_s: float) -> None:
        """The message arrives at some later time, and nobody waits for its answer."""

        life = self.server.life

        def arrive() -> None:
            # A connection does not lead to a server that was started anew.
            if not self.server.away and self.server.life == life:
                self.server.run(commands, together=together)
                self.server.fsync()

        self.later(self.fates.chance.uniform(least_s, LATE_S), arrive)

    def _crashed(self, commands: Sequence[Words], together: bool) -> None:
        kept = self.server.store.volatile
        self.server.run(commands, together=together)
        self.server.lose_power(self.fates.chance.randint(0, kept))
        raise RedisConnectionError("the power failed")


COMING: ContextVar[Config] = ContextVar("coming")
"""The config that is about to be put in force."""


class ToldPipe(SimulatedPipe):
    """The pipe of a process: replies that arrive are written down for whoever asked, whole configs by epoch and op."""

    def __init__(self, wires: Wires, configs: dict[tuple[str, str], Config]) -> None:
        super().__init__(wires)
        self.configs, self.wires = configs, wires
        self.wire: tuple[int, int] | None = None
        self.opening = asyncio.Lock()

    async def _call(self, verb: str, packed: bytes, size: int) -> Any:
        """As the real pipe: a new wire is met before anything travels over it."""
        async with self.opening:
            if self.wire != self._leads_to():
                self.wire = await self._new_wire()
        return await super()._call(verb, packed, size)

    def _leads_to(self) -> tuple[int, int]:
        """What a wire that is opened now leads to, and how often this process's wires were cut."""
        return self.wires.server.life, self.wires.cuts

    async def _new_wire(self) -> tuple[int, int]:
        leads_to = self._leads_to()
        if self.meet is not None:
            await self.meet(await run_of(self.client))
        if self._leads_to() != leads_to:
            raise RedisConnectionError("the wire broke while it was opened")
        return leads_to

    async def run(self, script: Script, keys: list[str], arguments: list[Any]) -> Any:
        if script.name == "configure":
            self.configs[arguments[0], arguments[NUMBERED]] = COMING.get()
        reply = await super().run(script, keys, arguments)
        asking = ASKING.get()
        if asking is not None and script.name not in UNTOLD:
            asking.replies.append(said(arguments, reply))
        return reply
