"""
One process that serves: settings, socket, service, uvicorn, in this order, and back.

The service is opened here and not by uvicorn, in the main thread, so that an embedded Valkey lives as long as the
process and what keeps a service from starting is told in one line.
"""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final, NamedTuple

import structlog
import uvicorn
import uvloop

from . import log as logs
from .beside import worker_beside
from .door import Service
from .main import create_app
from .opening import make_first_key
from .roles import EXPECTED, NotFit, settings_for
from .settings import Settings

GRACE_SECONDS: Final = 30
"""How long requests that were begun may take after the service was told to stop."""

BACKLOG: Final = 2_048
"""Connections that may wait to be accepted: a flash sale brings them all at once."""

GC_THRESHOLDS: Final = (50_000, 50, 100)
"""Requests make few cycles; a full collection in the middle of one costs 40 ms."""

log = structlog.get_logger(__name__)


def serve(given: dict[str, Any], key_file: Path | None) -> int:
    """Serve until told to stop, with everything that belongs to it; the exit code."""
    return _until_told(lambda: Settings(**given), partial(_serve, key_file=key_file))


def serve_api(given: dict[str, Any]) -> int:
    """Answer HTTP alone until told to stop; the exit code. Prints no key: whoever reads logs would have it."""
    return _until_told(lambda: settings_for("api", given), _serve_api)


def _until_told(read: Callable[[], Settings], work: Callable[[Settings], Coroutine[Any, Any, None]]) -> int:
    try:
        settings = read()
        logs.configure(settings.log_level, settings.log_format)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work(settings))
    except NotFit as error:
        print(error, file=sys.stderr)  # noqa: T201 a command's last words
        return 1
    except EXPECTED as error:
        print(f"allot cannot serve: {error}", file=sys.stderr)  # noqa: T201 a command's last words
        return 1
    return 0


async def _serve(settings: Settings, key_file: Path | None) -> None:
    # Where the worker is elsewhere, it checks the store as well; nobody sells before it has.
    async with _open(settings, create_app(settings, gated=True)) as served:
        _tell_key(await make_first_key(served.app.service, key_file), key_file)
        async with worker_beside(settings) if settings.drain else nullcontext():
            await served.answer()


async def _serve_api(settings: Settings) -> None:
    async with _open(settings, create_app(settings, gated=True, schedules=False)) as served:
        await served.answer()


class _Served(NamedTuple):
    """An open service, the socket it has, and what answers on it."""

    app: Service
    listener: socket.socket
    server: uvicorn.Server

    async def answer(self) -> None:
        """Answer until told to stop."""
        _introduce(self.listener)
        _calm_collector()
        await self.server.serve(sockets=[self.listener])
        log.info("stopping")


@asynccontextmanager
async def _open(settings: Settings, app: Service) -> AsyncIterator[_Served]:
    listener = _bind(settings.host, settings.port)
    server = uvicorn.Server(_config(app))
    _stop_on_signals(server, app)
    async with app.router.lifespan_context(app):
        yield _Served(app, listener, server)


def _bind(host: str, port: int) -> socket.socket:
    """Take the address before anything else is started; nobody can connect before the service is open."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(f"{host}:{port}: {error.strerror}") from error
    return listener


def _config(app: Service) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Nothing here asks who the client behind a proxy is.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _stop_on_signals(server: uvicorn.Server, app: Service) -> None:
    """
    Ask uvicorn to finish, also when it has not begun yet.

    It raises a signal it caught once more when it has ended; with the default handlers that would end the process
    before Valkey is stopped.
    """
    told = server.handle_exit

    def stop(sig: int, frame: FrameType | None) -> None:
        app.state.draining = True
        told(sig, frame)

    # uvicorn puts its own handler in place while it serves; it must be this one.
    server.handle_exit = stop  # type: ignore[method-assign]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _tell_key(key: str, key_file: Path | None) -> None:
    """Say with which key a first start opens the service."""
    if key and key_file:
        print(f"API key: written to {key_file}", flush=True)  # noqa: T201 a command's answer
    elif key:
        print(f"API key (shown this once): {key}", flush=True)  # noqa: T201 a command's answer


def _introduce(listener: socket.socket) -> None:
    """Say where the service is."""
    host, port = listener.getsockname()[:2]
    # From here on whoever connects is answered, as soon as uvicorn accepts.
    listener.listen(BACKLOG)
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    print(f"Allot answers at {address} (documentation: {address}/docs)", flush=True)  # noqa: T201 a command's answer


def _calm_collector() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
