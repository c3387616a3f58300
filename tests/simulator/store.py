"""
One server of the simulated world: its data, its clock and its disk.

What a script or command wrote is one unit of the append-only file. `fsync` puts all units on the disk; `crash` forgets
those that are not there, all of them or the latest, as a power cut does, and starts the process anew.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import hiredis
from redis._parsers.base import BaseParser
from redis.exceptions import InvalidResponse

from .lua import Lua

LONG = 10_000

NOON_MS = 1_700_000_000_000
"""When a new world begins."""


def in_bytes(value: Any) -> bytes:
    """An argument as it travels."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode() if len(value) < LONG else _long(value)
    return str(value).encode()


@lru_cache(8)
def _long(text: str) -> bytes:
    """The library, which every process sends."""
    return text.encode()


class Store:
    """
    A server without a process: commands in, replies out, at once.

    `now_ms` is its clock, which stands still until it is set. Nothing is on the disk before `fsync`.
    """

    def __init__(self, seed: int = 1) -> None:
        self.lua = Lua()
        self._server = self.lua.server
        self._data = self.lua.store
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=BaseParser.parse_error)
        self.reset(seed)

    def reset(self, seed: int = 1) -> None:
        """Become a new, empty server at noon; the seed decides what the server draws at random."""
        self._server[b"reset"](seed % 2_147_483_646 + 1)
        self.now_ms = NOON_MS

    @property
    def now_ms(self) -> int:
        """The server's wall clock; scripts read it, and ids of ledger entries follow it."""
        return int(self._data[b"now_us"] // 1000)

    @now_ms.setter
    def now_ms(self, value: int) -> None:
        self._data[b"now_us"] = value * 1000

    @property
    def random(self) -> int:
        """What the server's next random choice follows from."""
        return int(self._data[b"random"])

    @random.setter
    def random(self, value: int) -> None:
        self._data[b"random"] = value

    # --- asking ------------------------------------------------------------------------------------------------

    def command(self, *words: Any) -> Any:
        """The reply to one command, as redis-py's parser gives it; errors are returned, not raised."""
        return self._read(self.lua.answer([word if type(word) is bytes else in_bytes(word) for word in words]))

    def together(self, commands: Iterable[Iterable[Any]]) -> list[Any]:
        """The replies to commands that are one unit, as in MULTI and EXEC."""
        self._server[b"begin"]()
        try:
            return [self.command(*words) for words in commands]
        finally:
            self._server[b"commit"]()

    def _read(self, reply: bytes) -> Any:
        self._reader.feed(reply)
        return self._reader.gets()

    # --- the disk ----------------------------------------------------------------------------------------------

    @property
    def volatile(self) -> int:
        """How many units a power cut would lose now."""
        return int(self._data[b"volatile"]())

    def fsync(self) -> None:
        """All that was written is on the disk."""
        self._data[b"fsync"]()

    def undo(self, kept: int) -> None:
        """Take back all but the first `kept` units that are not on the disk; many times cheaper than `restore`."""
        self._data[b"undo"](kept)

    def crash(self, kept: int = 0) -> None:
        """The power fails: only the first `kept` units that were not on the disk survive. The process starts anew."""
        self._server[b"crash"](kept)

    def restart(self) -> None:
        """The process ends and starts anew with all it has written."""
        self._server[b"restart"]()

    def snapshot(self) -> object:
        """All data and libraries as they are now, for `restore` of this store; a backup or a replica."""
        return self._server[b"snapshot"]()

    def restore(self, snapshot: object) -> None:
        """All data and libraries as they were at the snapshot, on the disk as well; it can be used again."""
        self._server[b"restore"](snapshot)
