"""What must be the same on the shim and on a server, and what is known to differ."""

import re
from collections.abc import Sequence
from typing import Any

import msgpack

from tests.simulator.store import in_bytes

WHERE = re.compile(r" script: (?:\w+, )?on @user_function:(\d+)\.$")
"""Redis names the function here, Valkey does not."""

MAKER = re.compile(r"\b((Redis |Valkey |redis lib )(?=command|call)|(Lua redis lib command|Command)(?= arguments))")
"""Each server names itself in some errors."""

PROBES = (["probe_call"], ["probe_pcall"])
"""Functions whose replies are those of commands, one by one."""

UNORDERED = {b"SMEMBERS", b"SRANDMEMBER", b"KEYS", b"HKEYS"}
"""Their replies are in no order."""

ONLY_SERVER = {b"radix-tree-keys", b"radix-tree-nodes", b"recorded-first-entry-id", b"max-deleted-entry-id"}
"""Facts of XINFO STREAM that nobody here reads, about how a stream lies in memory."""


def comparable(words: Sequence[Any], reply: Any) -> Any:
    """A reply without what is known to differ."""
    name = in_bytes(words[0]).upper()
    if name == b"FCALL" and isinstance(reply, list) and list(words[1:2]) in PROBES:
        asked = msgpack.unpackb(words[3], raw=True)
        return [comparable(*pair) for pair in zip(asked, reply, strict=True)]
    if isinstance(reply, Exception):
        return "error", type(reply), MAKER.sub("", WHERE.sub(r" at \1", str(reply)))
    if name == b"SRANDMEMBER" and len(words) == 2:
        return reply is None
    if name in UNORDERED and isinstance(reply, list | set):
        return sorted(reply)
    if name == b"XINFO" and isinstance(reply, list):  # as scripts get it
        reply = dict(zip(reply[::2], reply[1::2], strict=True))
    if name == b"XINFO" and isinstance(reply, dict):
        return {fact: value for fact, value in reply.items() if fact not in ONLY_SERVER}
    return reply
