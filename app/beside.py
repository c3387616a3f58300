"""The worker beside `allot serve`: a process of its own, so that its work does not make orders wait for Python."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from .server_process import end_with_parent
from .settings import Settings

NICE: Final = 10
"""Orders come first; what they did is written down when there is time."""

PAUSES: Final = (1, 2, 5, 10, 30)
"""Seconds before a worker that ended is started again; the last one for good."""

STOP_SECONDS: Final = 10.0

log = structlog.get_logger(__name__)


@asynccontextmanager
async def worker_beside(settings: Settings) -> AsyncIterator[None]:
    """Keep a worker running until the block ends."""
    keeper = asyncio.create_task(_keep(settings))
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.wait([keeper])


async def _keep(settings: Settings) -> None:
    ended = 0
    while True:
        code = await _run_once(settings)
        log.error("worker_ended", code=code)
        await asyncio.sleep(PAUSES[min(ended, len(PAUSES) - 1)])
        ended += 1


async def _run_once(settings: Settings) -> int:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", "worker", "--data-dir", str(settings.data_dir.expanduser().absolute())),
        stdin=asyncio.subprocess.DEVNULL,
        # Ctrl-C is for the service, which then ends its worker.
        start_new_session=True,
        preexec_fn=_prepared(),
    )
    try:
        return await process.wait()
    except asyncio.CancelledError:
        await _end(process)
        raise


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def _prepared() -> Callable[[], None]:
    end = end_with_parent()

    def prepare() -> None:
        os.nice(NICE)
        if end:
            end()

    return prepare
