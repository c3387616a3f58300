"""
`allot worker`: what goes on beside the API, in a process of its own.

It copies the ledger into SQL, lets leave Valkey what is old and in SQL, opens the skus of a store that was started anew
when they are what SQL remembers, and keeps channels and stock together. Any number may run, one of them works, and one
for each connection to a channel; whatever fails is said once and tried again, since orders go on meanwhile and nothing
is lost. It looks a few times a second, and at once when an answer waits for it.
"""

import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog
import uvloop
from pydantic import SecretStr, ValidationError

from allocator import make_client

from . import log as logs
from .bell import Bell
from .checking.running import RunningCheck
from .data_folder import DataFolder
from .draining.drain import Drain
from .draining.forgetting import Forgetting
from .embedded import EmbeddedValkey
from .opening import check_database, database_url, open_service
from .pulse import Pulse
from .recovery.verifying import Verifier
from .roles import NotFit, settings_for
from .schedule import Job, open_new_sellers, running
from .server_process import ServerFailed
from .settings import Settings
from .signals import WAKE_DRAIN, listening
from .store.database import Database, SqlError
from .sync.running import syncing
from .whereabouts import in_a_line

ROLE: Final = "worker"

PAUSE_SECONDS: Final = 0.2
"""Between looks while there is nothing to do."""

TRY_AGAIN_SECONDS: Final = 1.0

VERIFY_SECONDS: Final = 0.5
"""Between looks whether the server was started anew."""

PAGE_PAUSE_SECONDS: Final = 0.05
"""Between two pages of records that may leave Valkey: nobody should notice."""

OWN_JOBS: Final = (Job(open_new_sellers, 2),)
"""What every worker needs for itself."""

Told = Callable[[str], None]

log = structlog.get_logger(__name__)


def run(data_dir: Path | None) -> int:
    """Work until told to stop, for the service on this folder if one is given; the exit code."""
    try:
        settings = settings_for(ROLE, {}) if data_dir is None else Settings(data_dir=data_dir)
    except (NotFit, ValidationError) as error:
        print(error if isinstance(error, NotFit) else in_a_line(error), file=sys.stderr)  # noqa: T201 a command's last words
        return 1
    logs.configure(settings.log_level, settings.log_format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(_run(settings, _run_dir(settings)))
        except (OSError, ServerFailed) as error:
            print(f"allot cannot work: {error}", file=sys.stderr)  # noqa: T201 a command's last words
            return 1
    return 0


def _run_dir(settings: Settings) -> Path | None:
    """Beside a service with a data folder the heartbeat is in there, and nothing is left elsewhere."""
    return settings.run_dir or (settings.data_dir.expanduser() / "run" if settings.redis_url is None else None)


async def _run(settings: Settings, run_dir: Path | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    pulse = Pulse(run_dir, ROLE)
    pulse.open()
    try:
        await work(settings, stop, pulse.beat)
    finally:
        pulse.close()


async def work(settings: Settings, stop: asyncio.Event, told: Told = lambda _: None) -> None:
    """Work until `stop` is set. Stores that are away are waited for. `told` hears what is wrong, '' for nothing."""
    url = settings.redis_url or EmbeddedValkey(settings.data_dir).url
    client = make_client(url)
    bell = Bell(stop)
    try:
        database = await _open(settings, bell, told)
        if database is not None:
            async with database, listening(url, bell.ring, bell.nothing_missed, channel=WAKE_DRAIN):
                drain = Drain(database, client, lambda: told(""))
                verifier = Verifier(database, client, drain)
                forgetting = Forgetting(database, client, days=settings.answer_days)
                await asyncio.gather(
                    _drain(drain, bell, told),
                    _verify(verifier, bell),
                    _forget(forgetting, bell),
                    _check(RunningCheck(database, client), bell),
                    _sync(settings, bell),
                )
    finally:
        await client.aclose()


async def _open(settings: Settings, bell: Bell, told: Told) -> Database | None:
    said = ""
    while not bell.stopped:
        try:
            database = await Database.open(database_url(settings))
            await check_database(database, settings)
            return database
        except Exception as error:  # noqa: BLE001 - whatever the driver says, the database may come back
            said = _say(error, said)
            told(said)
            await bell.sleep(TRY_AGAIN_SECONDS)
    return None


async def _forget(forgetting: Forgetting, bell: Bell) -> None:
    said = ""
    while not bell.stopped:
        try:
            forgot = await forgetting.run()
        except Exception as error:  # noqa: BLE001 - the next try must come, whatever one says
            said = _say(error, said, "forgetting_failed")
            await bell.sleep(TRY_AGAIN_SECONDS)
            continue
        said = ""
        await bell.sleep(PAGE_PAUSE_SECONDS if forgot.more else TRY_AGAIN_SECONDS)
    with suppress(*SqlError):
        await forgetting.stop()


async def _drain(drain: Drain, bell: Bell, told: Told) -> None:
    said = ""
    while not bell.stopped:
        bell.hush()
        try:
            drained = await drain.run()
        except Exception as error:  # noqa: BLE001 - the next try must come, whatever one says
            said = _say(error, said)
            told(said)
            await bell.sleep(TRY_AGAIN_SECONDS)
            continue
        told("")
        if said:
            log.info("drain_goes_on")
            said = ""
        if not drained.more:
            await bell.doze(PAUSE_SECONDS)
    with suppress(*SqlError):
        await drain.stop()


async def _verify(verifier: Verifier, bell: Bell) -> None:
    said = ""
    while not bell.stopped:
        try:
            await verifier.run()
            said = ""
        except Exception as error:  # noqa: BLE001 - the next try must come, whatever one says
            said = _say(error, said, "verify_failed")
        await bell.sleep(VERIFY_SECONDS)


async def _check(check: RunningCheck, bell: Bell) -> None:
    said = ""
    while not bell.stopped:
        try:
            await check.run()
            said = ""
        except Exception as error:  # noqa: BLE001 - the next try must come, whatever one says
            said = _say(error, said, "check_failed")
        await bell.sleep(TRY_AGAIN_SECONDS)
    with suppress(*SqlError):
        await check.stop()


async def _sync(settings: Settings, bell: Bell) -> None:
    """Work at channels, with a service's state of our own, as soon as there is a service."""
    said = ""
    while not bell.stopped:
        try:
            async with open_service(_beside(settings), gated=True) as state, running(state, OWN_JOBS), syncing(state):
                said = ""
                await bell.stop()
        except Exception as error:  # noqa: BLE001 - the next try must come, whatever one says
            said = _say(error, said, "sync_failed")
            await bell.sleep(TRY_AGAIN_SECONDS)


def _beside(settings: Settings) -> Settings:
    """The settings of another process on the same stores, which neither starts nor fills any."""
    folder = settings.data_dir.expanduser().absolute()
    pepper = settings.key_pepper or SecretStr(DataFolder(folder).pepper().decode())
    shared = {"redis_url": settings.redis_url or EmbeddedValkey(settings.data_dir).url, "key_pepper": pepper}
    return settings.model_copy(update={**shared, "database_url": database_url(settings), "seed_path": None})


def _say(error: Exception, said: str, what: str = "drain_failed") -> str:
    """Say what is new."""
    reason = f" ({error.__cause__})" if error.__cause__ else ""
    says = f"{type(error).__name__}: {error}{reason}"
    if says != said:
        log.error(what, says=says)
    return says
