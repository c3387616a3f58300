"""
A stand-in for the way to the server: the same Pipe and the same redis-py client over a store of this process.

Whatever is asked has a fate, which the world decides: it is answered, or lost on the way, or the answer is, or it
arrives twice, or the power fails. Delays pass in virtual time (`loop.py`); without delays nothing ever waits, and a
caller may drive its coroutine without an event loop.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import hiredis
import stamina
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError

from allocator import Pipe

from .store import Store

# What watches retries is made when first needed, and that draws from `random`: so before a world has seeded it.
stamina.instrumentation.get_on_retry_hooks()

Words = Sequence[Any]

FATES = {
    "answered": "it ran and the caller hears the answer",
    "lost": "it never arrived",
    "cut": "it ran and is on the disk, the answer was lost",
    "doubled": "it arrived twice; the caller hears the second answer",
    "crashed": "it ran, and the power failed before it was on the disk",
    "crashed_late": "it ran and is on the disk, and the power failed before the answer left",
}
"""What may become of a call, by name."""

LOSES_ANSWER = FATES.keys() - {"answered", "doubled"}


class Fate(NamedTuple):
    """What becomes of one call: a word of FATES, and the virtual seconds before it arrives and before it is heard."""

    what: str = "answered"
    there_s: float = 0.0
    back_s: float = 0.0


ANSWERED = Fate()


class Network:
    """
    Carries commands to a store; `fate` is asked about each by its name ("order", "HGETALL").

    Everything that arrives is put on the disk before its answer leaves, as with appendfsync always.
    """

    def __init__(self, store: Store, fate: Callable[[str], Fate] | None = None) -> None:
        self.store = store
        self.fate = fate

    async def ask(self, name: str, commands: Sequence[Words], *, together: bool = False) -> list[Any]:
        """The replies, errors among them. Raises redis-py's ConnectionError when no answer comes back."""
        what, there_s, back_s = self.fate(name) if self.fate else ANSWERED
        if there_s:
            await asyncio.sleep(there_s)
        replies = self._arrive(what, commands, together)
        if back_s:
            await asyncio.sleep(back_s)
        if what in LOSES_ANSWER:
            raise RedisConnectionError(FATES[what])
        return replies

    def _arrive(self, what: str, commands: Sequence[Words], together: bool) -> list[Any]:
        if what == "lost":
            return []
        if what == "doubled":
            self._run(commands, together)
        replies = self._run(commands, together)
        if what != "crashed":
            self.store.fsync()
        if what in {"crashed", "crashed_late"}:
            self.store.crash()
        return replies

    def _run(self, commands: Sequence[Words], together: bool) -> list[Any]:
        if together:
            return self.store.together(commands)
        return [self.store.command(*words) for words in commands]


class SimulatedPipe(Pipe):
    """The real pipe with another wire: what it would have written is parsed again and asked of the network."""

    def __init__(self, network: Network) -> None:
        super().__init__(Client(network))
        self._network = network
        self._reader = hiredis.Reader()

    async def _call(self, verb: str, packed: bytes, size: int) -> Any:
        self._reader.feed(packed)
        [reply] = await self._network.ask(verb, [self._reader.gets()])
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def close(self) -> None:
        """Nothing is open."""


@cache
def _callbacks() -> Any:
    """How redis-py's client reads each command's reply."""
    return Redis().response_callbacks


class Client(Redis):
    """redis-py's client with its own commands and its own reading of replies; only the connection is missing."""

    def __init__(self, network: Network) -> None:
        # Not redis-py's own: it takes half a millisecond to prepare a connection, and worlds are many.
        self.network = network
        self.response_callbacks = _callbacks()
        self.connection_pool = None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        # FUNCTION LOAD and XINFO STREAM come as one word.
        words = [*str(args[0]).split(), *args[1:]]
        [reply] = await self.network.ask(words[0], [words])
        return self.understand(args[0], reply, options)

    def understand(self, name: str, reply: Any, options: dict[str, Any]) -> Any:
        """The reply as this command's callers know it. Raises the server's error."""
        if isinstance(reply, Exception):
            raise reply
        known = {option: value for option, value in options.items() if option not in {"keys", "NEVER_DECODE"}}
        read = self.response_callbacks.get(name)
        return read(reply, **known) if read else reply

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Any:
        return Together(self, transaction)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Nothing is open."""


class Together(Pipeline):
    """Commands that travel together; with `transaction` they are one unit."""

    def __init__(self, client: Client, transaction: bool) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, None)
        self.client = client

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        stack, self.command_stack = self.command_stack, []
        commands = [[*str(args[0]).split(), *args[1:]] for args, _ in stack]
        name = "MULTI" if self.is_transaction else "PIPELINE"
        replies = await self.client.network.ask(name, commands, together=self.is_transaction)
        return [
            self._understand(args[0], reply, options, raise_on_error)
            for (args, options), reply in zip(stack, replies, strict=True)
        ]

    def _understand(self, name: str, reply: Any, options: dict[str, Any], raise_on_error: bool) -> Any:
        if isinstance(reply, Exception) and not raise_on_error:
            return reply
        return self.client.understand(name, reply, options)
