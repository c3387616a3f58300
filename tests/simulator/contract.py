"""What every reply of every verb must be, whatever was asked: a declared outcome, a sign of a replay, the op's name."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from allocator.answers import unpack
from allocator.scripts import Script, scripts
from tests.simulator.pipe import Network
from tests.simulator.store import in_bytes

REFUSED_UNREMEMBERED = {b"invalid", b"not_ready", b"stale_config", b"frozen", b"checking"}
"""Never the answer of a replay."""

OP_AT = 3
"""The op's place among the arguments of the verbs that have one."""


RECORDS = {"find", "stock"}
"""Verbs that answer with what is stored, as it is."""


def _has_truth(value: Any) -> bool:
    """Whether there is a true or false in it: answers say 1 or 0, which in Python would be the same."""
    if isinstance(value, list):
        return any(map(_has_truth, value))
    return isinstance(value, bool)


@cache
def _by_function() -> dict[bytes, Script]:
    return {script.function.encode(): script for script in scripts().values()}


def check_reply(words: Sequence[Any], reply: Any) -> None:
    """Raises AssertionError when a call's reply is none that its verb may give."""
    if in_bytes(words[0]) != b"FCALL" or isinstance(reply, Exception):
        return
    script = _by_function()[in_bytes(words[1])]
    arguments = words[3 + int(words[2]) :]
    word, packed, replayed, named = reply
    assert word.decode() in script.outcomes, (script.name, word)
    assert script.name in RECORDS or not _has_truth(unpack(packed)), (script.name, packed)
    has_op = re.search(r"\bop, fingerprint\b", script.sections["ARGV"]) is not None
    op = in_bytes(arguments[OP_AT]) if has_op and len(arguments) > OP_AT else b""
    assert named in ({op, b""} if word == b"invalid" else {op}), (script.name, word, named)
    assert replayed in ((0, 1) if has_op and word not in REFUSED_UNREMEMBERED else (0,)), (script.name, word, replayed)


class StrictNetwork(Network):
    """A network that looks at every reply it carries."""

    async def ask(self, name: str, commands: Sequence[Any], *, together: bool = False) -> list[Any]:
        replies = await super().ask(name, commands, together=together)
        for words, reply in zip(commands, replies, strict=True):
            check_reply(words, reply)
        return replies
