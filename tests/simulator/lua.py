"""
The server's Lua inside this process: the real library's text, run by the same Lua 5.1, over data kept in Lua tables.

The data live beside the scripts because a call from Lua into Python costs more than most commands do; Python asks and
gets the very bytes that a server would send.
"""

from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Any

import lupa.lua51

FOLDER = Path(__file__).with_name("lua")

ARGUMENTS_MAX = 4_000
"""Most values passed one by one; Lua's stack has room for 8,000."""


@cache
def _texts() -> dict[str, bytes]:
    return {file.stem: file.read_bytes() for file in sorted(FOLDER.glob("*.lua"))}


def sha1hex(text: bytes) -> bytes:
    """As `redis.sha1hex`: Lua has no digest of its own."""
    return sha1(text, usedforsecurity=False).hexdigest().encode()


class Lua:
    """One Lua state with an empty server in it."""

    def __init__(self) -> None:
        self.runtime = lupa.lua51.LuaRuntime(encoding=None, unpack_returned_tuples=True)
        load = self.runtime.eval(b"function(text, name) return assert(loadstring(text, name)) end")

        def run(name: str, *needs: Any) -> Any:
            return load(_texts()[name], f"={name}".encode())(*needs)

        store, json, wire = run("store"), run("json"), run("wire")
        msgpack = self.runtime.table_from({b"pack": run("pack"), b"unpack": run("unpack")})
        shared = run("commands", store)
        run("sorted", store, shared)
        run("streams", store, shared)
        self.store = store
        self.server = run("server", store, shared, msgpack, json, wire, sha1hex)
        self._answer, self._answer_list = self.server[b"answer"], self.server[b"answer_list"]

    def answer(self, words: list[bytes]) -> bytes:
        """The reply to one command, as it travels."""
        if len(words) <= ARGUMENTS_MAX:
            reply: bytes = self._answer(*words)
        else:
            reply = self._answer_list(self.runtime.table_from(words))
        return reply
