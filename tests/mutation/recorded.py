"""
Sequences of calls with the oracle beside them, kept to be asked again of any mutant, without the oracle's time.

While a sequence is recorded the oracle says what each answer must be and what must be stored in the end, and the
library has to agree. Asked again, a reply that is not byte for byte the same must still mean what the oracle said.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import hiredis

from allocator.answers import unpack
from allocator.scripts import scripts
from tests.allocator.oracle_arguments import ARGUMENTS
from tests.allocator.twins import Said, comparable
from tests.mutation.books import Expected, Stored, read_stored
from tests.simulator.contract import check_reply
from tests.simulator.mirror import ShimTwins
from tests.simulator.pipe import Network
from tests.simulator.store import Store

FUNCTIONS = {script.function.encode(): name for name, script in scripts().items()}

READS = {"HGETALL", "HSCAN", "ZSCAN", "SMEMBERS", "ZRANGE", "XRANGE", "XREVRANGE", "HMGET", "HGET"}


class Asked(NamedTuple):
    """A command and its reply."""

    words: list[bytes]
    reply: Any


class Recording(NamedTuple):
    """What was asked and answered, and what must be stored after all of it."""

    name: str
    asked: list[Asked]
    stored: Stored
    expected: Expected | None

    def run(self, store: Store) -> None:
        """Raises AssertionError when something else is answered or stored."""
        store.reset()
        for words, reply in self.asked:
            heard = store.command(*words)
            if not _same(heard, reply):
                _judge(words, heard, reply)
        if self.expected is not None:
            found = read_stored(store)
            if found != self.stored:
                self.expected.compare(found, store)


def _same(heard: Any, reply: Any) -> bool:
    if isinstance(reply, Exception):
        return type(heard) is type(reply) and str(heard) == str(reply)
    return bool(heard == reply)


def _judge(words: list[bytes], heard: Any, reply: Any) -> None:
    """Other bytes than were recorded, and the oracle agreed with those."""
    verb = FUNCTIONS.get(words[1]) if words[0] == b"FCALL" else None
    assert verb is not None, (words, heard, reply)
    assert not isinstance(heard, Exception), (verb, heard)
    assert not isinstance(reply, Exception), (verb, reply)
    assert verb in ARGUMENTS, (verb, heard, reply)
    check_reply(words, heard)
    assert _meant(heard) == _meant(reply), (verb, heard, reply)


def _meant(reply: list[Any]) -> Any:
    word, packed, replayed, echo = reply
    return comparable(Said(word.decode(), unpack(packed), bool(replayed))), echo


class RecordingNetwork(Network):
    """Keeps what is asked as long as `on` is set."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.asked: list[Asked] = []

    async def ask(self, name: str, commands: Any, *, together: bool = False) -> list[Any]:
        replies = await super().ask(name, commands, together=together)
        if name not in READS:
            self.asked += [Asked(as_bytes(words), reply) for words, reply in zip(commands, replies, strict=True)]
        return replies


def as_bytes(words: Any) -> list[bytes]:
    """The words as they travel."""
    reader = hiredis.Reader()
    reader.feed(hiredis.pack_command(tuple(words)))
    parts: list[bytes] = reader.gets()
    return parts


class RecordedTwins(ShimTwins):
    """Twins whose every call is kept."""

    def __init__(self, config: Any = None, store: Store | None = None) -> None:
        super().__init__(config, store, RecordingNetwork)
        self.rebuilt = False
        """Whether something was written beside the scripts, so that the ledger does not tell of it."""

    def recording(self, name: str) -> Recording:
        """All that was asked, once the oracle agrees with what is stored. Raises AssertionError when it does not."""
        if self.rebuilt:
            return Recording(name, list(self.network.asked), {}, None)
        stored = read_stored(self.store)
        expected = Expected.of(self, self.network.asked)
        expected.compare(stored, self.store)
        return Recording(name, list(self.network.asked), stored, expected)


def record(name: str, steps: Callable[[RecordedTwins], None], store: Store, config: Any = None) -> Recording:
    """A recording of these steps on an empty store."""
    store.reset()
    twins = RecordedTwins(config, store)
    try:
        steps(twins)
        return twins.recording(name)
    finally:
        twins.close()
