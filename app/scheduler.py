"""
`allot scheduler`: what is done once for a whole deployment, in a process of its own.

Holds end, backorders are served, rules go in and out of force, webhooks are sent. Any number may run: one works, the
others stand by and follow it within seconds (`leading`).
"""

import asyncio
import signal
import sys
from typing import Final

import structlog
import uvloop

from . import log as logs
from .opening import open_service
from .pulse import Pulse
from .roles import EXPECTED, NotFit, settings_for
from .schedule import Job, open_new_sellers, running
from .scheduling import scheduling
from .settings import Settings

ROLE: Final = "scheduler"

OWN_JOBS: Final = (Job(open_new_sellers, 2),)
"""What every scheduler needs for itself, at work or not."""

log = structlog.get_logger(__name__)


def run() -> int:
    """Schedule until told to stop; the exit code."""
    try:
        settings = settings_for(ROLE, {})
        logs.configure(settings.log_level, settings.log_format)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings))
    except (NotFit, *EXPECTED) as error:
        print(error if isinstance(error, NotFit) else f"allot cannot schedule: {error}", file=sys.stderr)  # noqa: T201 a command's last words
        return 1
    return 0


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    pulse = Pulse(settings.run_dir, ROLE)
    pulse.open()
    try:
        async with open_service(settings, gated=True) as state:

            def told(says: str) -> None:
                pulse.beat(says or "; ".join(f"{job}: {wrong}" for job, wrong in sorted(state.jobs_failing.items())))

            async with running(state, OWN_JOBS), scheduling(state, told):
                log.info("scheduler_started")
                await stop.wait()
                log.info("stopping")
    finally:
        pulse.close()
