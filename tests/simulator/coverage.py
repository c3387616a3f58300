"""
Which lines of the library's Lua were reached, by file.

A hook notes every line of the library that runs. What could run is read from the compiled text, since Lua tells the
lines of a function only when there is one to ask: blank lines, comments and lone `end`s are no lines.
"""

import struct
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from allocator.scripts import library, modules, verbs
from tests.simulator.store import Store

FAR = 10_000
"""The watched library begins so many lines below its first, so that no other Lua has lines of these numbers."""

HOOK = b"""
local far = ...
local lines = {}
debug.sethook(function(_, line)
  if line > far then
    lines[line - far] = true
  end
end, 'l')
return function()
  local found = {}
  for line in pairs(lines) do
    found[#found + 1] = line
  end
  lines = {}
  return table.concat(found, ' ')
end
"""

NOT_A_STATEMENT = {"end", "else"}
"""Lines whose only instruction is a jump, which a compiler also writes where nothing can come by."""

COMPILE = b"function(text) return string.dump(assert(loadstring(text, '@user_function'))) end"


class Line(NamedTuple):
    """One line of a file of allocator/lua."""

    file: str
    number: int
    text: str


class WatchedStore(Store):
    """A server with the library on it, which remembers the lines that ran."""

    def __init__(self) -> None:
        super().__init__()
        self._take: Callable[[], bytes] = self.lua.runtime.execute(HOOK, FAR)

    def reset(self, seed: int = 1) -> None:
        super().reset(seed)
        first, rest = library().source.split("\n", 1)
        self.command("FUNCTION", "LOAD", first + "\n" * (FAR + 1) + rest)

    def take_lines(self) -> frozenset[int]:
        """Numbers of the library's lines that ran since the last time."""
        return frozenset(map(int, self._take().split()))


def missed(store: Store, reached: frozenset[int]) -> list[Line]:
    """Every line that could have run and did not."""
    return [files_by_line()[line] for line in sorted(lines_of(store) - reached)]


def lines_of(store: Store) -> set[int]:
    """Numbers of the library's lines that could run, those of its files alone."""
    text = library().source.split("\n", 1)[1]
    compiled: bytes = store.lua.runtime.eval(COMPILE)(b"\n" + text.encode())
    where = files_by_line()
    lines = set(_Compiled(compiled).lines()) & where.keys()
    return {line for line in lines if where[line].text.strip() not in NOT_A_STATEMENT}


@cache
def files_by_line() -> dict[int, Line]:
    """Where each line of the library comes from."""
    found: dict[int, Line] = {}
    source = library().source
    texts = {f"shared/{name}.lua": (text, 1) for name, text in modules().items()}
    # A verb's first line, with its flags, is not part of the library.
    texts |= {f"{name}.lua": (text.split("\n", 1)[1], 2) for name, text in verbs().items()}
    for file, (text, first) in texts.items():
        start = source[: source.index(text)].count("\n") + 1
        for offset, line in enumerate(text.splitlines()):
            found[start + offset] = Line(file, first + offset, line)
    return found


class _Compiled:
    """Lua 5.1's compiled form, as far as lines are concerned."""

    HEADER = 12

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._at = self.HEADER

    def lines(self) -> Iterator[int]:
        """The line of every instruction, but for the return that ends every function whether it is reached or not."""
        self._string()
        self._skip(4 + 4 + 4)
        self._skip(4 * self._int())
        self._constants()
        for _ in range(self._int()):
            yield from self.lines()
        count = self._int()
        yield from struct.unpack_from(f"<{count}i", self._text, self._at)[:-1]
        self._skip(4 * count)
        for _ in range(self._int()):
            self._string()
            self._skip(8)
        for _ in range(self._int()):
            self._string()

    def _constants(self) -> None:
        sizes = {0: 0, 1: 1, 3: 8}
        for _ in range(self._int()):
            kind = self._text[self._at]
            self._skip(1)
            if kind == 4:
                self._string()
            else:
                self._skip(sizes[kind])

    def _string(self) -> None:
        [size] = struct.unpack_from("<Q", self._text, self._at)
        self._skip(8 + size)

    def _int(self) -> int:
        [value] = struct.unpack_from("<i", self._text, self._at)
        self._skip(4)
        return int(value)

    def _skip(self, count: int) -> None:
        self._at += count
