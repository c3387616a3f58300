"""
`allot worker`: what goes on beside the API, in a process of its own.

It copies the ledger into SQL, and opens the skus of a store that was started anew when they are what SQL remembers. Any
number may run, one of them works; whatever fails is said once and tried again, since orders go on meanwhile and
nothing is lost.
"""

import asyncio
import signal
import sys
from typing import Any, Final

import structlog
import uvloop
from pydantic import ValidationError

from allocator import make_client

from . import log as logs
from .draining.drain import Drain
from .embedded import EmbeddedValkey
from .opening import check_database, database_url
from .recovery.verifying import Verifier
from .settings import Settings
from .store.database import Database

PAUSE_SECONDS: Final = 0.2
"""Between looks while there is nothing to do."""

TRY_AGAIN_SECONDS: Final = 1.0

VERIFY_SECONDS: Final = 0.5
"""Between looks whether the server was started anew."""

log = structlog.get_logger(__name__)


def run(given: dict[str, Any]) -> int:
    """Work until told to stop; the exit code."""
    try:
        settings = Settings(**given)
    except ValidationError as error:
        print(f"allot cannot work: {error}", file=sys.stderr)  # noqa: T201 a command's last words
        return 1
    logs.configure(settings.log_level, settings.log_format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings))
    return 0


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await work(settings, stop)


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Drain until `stop` is set. Stores that are away are waited for."""
    client = make_client(settings.redis_url or EmbeddedValkey(settings.data_dir).url)
    try:
        database = await _open(settings, stop)
        if database is not None:
            async with database:
                drain = Drain(database, client)
                await asyncio.gather(_drain(drain, stop), _verify(Verifier(database, client, drain), stop))
    finally:
        await client.aclose()


async def _open(settings: Settings, stop: asyncio.Event) -> Database | None:
    said = ""
    while not stop.is_set():
        try:
            database = await Database.open(database_url(settings))
            await check_database(database, settings)
            return database
        except Exception as error:  # noqa: BLE001 - whatever the driver says, the database may come back
            said = _say(error, said)
            await _wait(stop, TRY_AGAIN_SECONDS)
    return None


async def _drain(drain: Drain, stop: asyncio.Event) -> None:
    said = ""
    while not stop.is_set():
        try:
            drained = await drain.run()
        except Exception as error:  # noqa: BLE001 - the next try must come, whatever one says
            said = _say(error, said)
            await _wait(stop, TRY_AGAIN_SECONDS)
            continue
        if said:
            log.info("drain_goes_on")
            said = ""
        if not drained.more:
            await _wait(stop, PAUSE_SECONDS)
    await drain.stop()


async def _verify(verifier: Verifier, stop: asyncio.Event) -> None:
    said = ""
    while not stop.is_set():
        try:
            await verifier.run()
            said = ""
        except Exception as error:  # noqa: BLE001 - the next try must come, whatever one says
            said = _say(error, said, "verify_failed")
        await _wait(stop, VERIFY_SECONDS)


def _say(error: Exception, said: str, what: str = "drain_failed") -> str:
    """Say what is new."""
    says = f"{type(error).__name__}: {error}"
    if says != said:
        log.error(what, says=says)
    return says


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
