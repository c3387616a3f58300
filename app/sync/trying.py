"""Tries what a connection could do, without changing anything on the channel."""

import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from app.lines.lines import Line
from app.times import now_ms
from channels.base import Window
from channels.errors import ChannelError
from channels.wire import Steps

from .words import ConnectionTested, TestStep

BACK_MS: Final = 3_600_000
"""Orders of the last hour are asked for."""


async def try_line(line: Line) -> ConnectionTested:
    """Read a page of listings and a page of orders; the first thing that goes wrong is the last that is tried."""
    steps = [step async for step in _steps(line)]
    return ConnectionTested(all(step.ok for step in steps), steps)


async def _steps(line: Line) -> AsyncIterator[TestStep]:
    window = Window(now_ms() - BACK_MS, now_ms())
    tries: tuple[tuple[str, Callable[[], Steps[Any]], Callable[[Any], str]], ...] = (
        ("listings", lambda: line.connector.list_listings(""), lambda page: f"{len(page[0])} on the first page"),
        ("orders", lambda: line.connector.orders(window, ""), lambda page: f"{len(page.orders)} in the last hour"),
    )
    for name, begin, tell in tries:
        began = time.monotonic()
        try:
            ok, says = True, tell(await line.engine.run(begin()))
        except ChannelError as error:
            ok, says = False, f"{type(error).__name__}: {error}"
        yield TestStep(name, ok, says, round((time.monotonic() - began) * 1000))
        if not ok:
            return
