"""An event loop in which time is only a number: when nobody is ready, it is at once as late as somebody waits for."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _NoSockets:
    """Stands where a loop waits for sockets."""

    def __init__(self, passes: Callable[[float], None]) -> None:
        self._passes = passes

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everybody waits and nothing can happen any more")
        self._passes(timeout)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """
    asyncio with virtual time; it can do everything but wait for what is outside this process.

    `passes`, when given, hears of every stretch of time that passes, in seconds. Callbacks run in the order in which
    they were asked for, so a world is the same in every run.
    """

    def __init__(self, passes: Callable[[float], None] | None = None) -> None:
        super().__init__()
        self._now = 0.0
        self._heard = passes
        self._selector = _NoSockets(self._pass)

    def time(self) -> float:
        return self._now

    def _pass(self, seconds: float) -> None:
        if seconds > 0:
            self._now += seconds
            if self._heard:
                self._heard(seconds)

    def _process_events(self, event_list: list[Any]) -> None:
        assert not event_list, "no socket is ever ready here"

    def _write_to_self(self) -> None:
        """Nobody sleeps, so nobody has to be woken."""

    def run(self, work: Awaitable[T]) -> T:
        """Run this to its end."""

        async def wait() -> T:
            return await work

        return self.run_until_complete(wait())


def drive(work: Coroutine[Any, Any, T]) -> T:
    """
    Run a coroutine that never waits, without a loop; many times faster than with one.

    Raises RuntimeError when it waits after all.
    """
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("this waits: it needs a loop")
