"""
A Valkey of our own that ends while the service runs is started again, as often as it takes.

It ends when somebody kills it, when memory runs out, and by itself when its disk is full: a write that cannot be made
durable is never answered. Meanwhile callers are told that nobody knows (503), and what was answered is in its files. It
is started in the thread of the event loop, which lives as long as the service: the kernel ends a server with the
thread that started it.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from .data_folder import FolderInUse
from .embedded import EmbeddedValkey
from .ending import end
from .server_process import ServerFailed, answers

LOOK_SECONDS: Final = 0.1
PAUSES: Final = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds before a server that ended is started again; the last one for good."""

STEADY_SECONDS: Final = 30.0
"""A server that ran for so long had nothing wrong when it began."""

log = structlog.get_logger(__name__)


@asynccontextmanager
async def kept_running(server: EmbeddedValkey) -> AsyncIterator[None]:
    """Start the server again whenever it has ended, until the block ends."""
    keeper = asyncio.create_task(_keep(server))
    try:
        yield
    finally:
        await end(keeper)


async def _keep(server: EmbeddedValkey) -> None:
    started, ended = time.monotonic(), 0
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if server.is_running():
            continue
        ended = 0 if time.monotonic() - started > STEADY_SECONDS else ended
        pause = PAUSES[min(ended, len(PAUSES) - 1)]
        log.error("valkey_ended", code=server.code, says=_last_words(server), again_in_s=pause)
        await asyncio.sleep(pause)
        started, ended = time.monotonic(), ended + 1
        await _start_again(server)


async def _start_again(server: EmbeddedValkey) -> None:
    """One try; whoever called looks what became of it."""
    began = time.monotonic()
    try:
        server.launch_again()
    except (FolderInUse, ServerFailed, OSError) as error:
        log.error("valkey_not_started", says=str(error))  # noqa: TRY400 an operator's matter
        return
    while server.is_running():
        # It has no limit: a large file takes minutes to read.
        if await asyncio.to_thread(answers, server.socket):
            log.info("valkey_started_again", pid=server.pid, seconds=round(time.monotonic() - began, 2))
            return
        await asyncio.sleep(LOOK_SECONDS)


def _last_words(server: EmbeddedValkey) -> str:
    """Why it ended, as it says itself; nothing when it was killed."""
    if server.code is None or server.code < 0:
        return ""
    return server.log_end().strip().rpartition("\n")[2]
