"""
The end of tasks that would go on for ever.

One cancellation is not enough: what a driver says while it gives up a transaction may take its place, and whoever goes
on after every error goes on after that one too, with nobody left to stop him. So they are told again.
"""

import asyncio
from typing import Any, Final

import structlog

AGAIN_SECONDS: Final = 1.0
"""How long a task may take to end before it is told again."""

TIMES_MAX: Final = 10
"""What does not end then is left alone: the end of a service must come."""

log = structlog.get_logger(__name__)


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel these tasks and wait for them, whatever becomes of them; of one that will not end only for a while."""
    left = set(tasks)
    try:
        for _ in range(TIMES_MAX):
            if not left:
                return
            left = await _told(left)
    except asyncio.CancelledError:
        # Whoever ends us does not wait for them.
        for task in left:
            task.cancel()
        raise
    if left:
        log.error("tasks_do_not_end", tasks=sorted(repr(task.get_coro()) for task in left))


async def _told(tasks: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """Those that have not ended after they were told to."""
    for task in tasks:
        task.cancel()
    _, left = await asyncio.wait(tasks, timeout=AGAIN_SECONDS)
    return left
