"""The simulator's server with another library on it, and a limit for what would run for ever."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.simulator.store import Store

# A hook that comes by every so many instructions; each command may see it so often.
GUARD = b"""
local answer, limit = ...
local seen = 0
local function come_by()
  seen = seen + 1
  if seen > limit then
    error('this runs without end', 0)
  end
end
debug.sethook(come_by, '', 10000)
return function(...)
  seen = 0
  return answer(...)
end
"""

VISITS_MAX = 1_500
"""Fifteen million instructions: many times what the largest call of all needs."""


class TooLong(Exception):
    """Calls went on and on, though none of them was endless."""


class BrokenLibrary(Exception):
    """This text is no library: it does not compile, or its definitions fail."""


class MutantStore(Store):
    """An empty server that has this library already, as long as it lives. Raises BrokenLibrary."""

    def __init__(self, library: bytes) -> None:
        self.library = library
        super().__init__()
        self._guard()

    def _guard(self) -> None:
        guard: Any = self.lua.runtime.eval(b"function(text) return assert(loadstring(text)) end")(GUARD)
        self.lua._answer = guard(self.lua._answer, VISITS_MAX)

    def reset(self, seed: int = 1) -> None:
        super().reset(seed)
        said = self.command("FUNCTION", "LOAD", self.library)
        if isinstance(said, Exception):
            raise BrokenLibrary(str(said))


@contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    """Raises TooLong in what is inside when it took so much time of the processor."""

    def stop(*_: object) -> None:
        raise TooLong(f"more than {seconds} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
