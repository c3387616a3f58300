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
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import Any, Final

import structlog
import uvicorn
import uvloop
from fastapi import FastAPI
from pydantic import ValidationError
from redis.exceptions import RedisError

from allocator import UnsafeServer
from allocator.errors import AllocatorError

from . import log as logs
from .beside import worker_beside
from .data_folder import FolderForeign, FolderInUse
from .main import create_app
from .opening import make_first_key
from .server_process import ServerFailed
from .settings import Settings
from .store.datasets import OtherDataset

GRACE_SECONDS: Final = 30
"""How long requests that were begun may take after the service was told to stop."""

BACKLOG: Final = 2_048
"""Connections that may wait to be accepted: a flash sale brings them all at once."""

GC_THRESHOLDS: Final = (50_000, 50, 100)
"""Requests make few cycles; a full collection in the middle of one costs 40 ms."""

EXPECTED: Final = (
    AllocatorError,
    FolderForeign,
    FolderInUse,
    OSError,
    OtherDataset,
    RedisError,
    ServerFailed,
    UnsafeServer,
    ValidationError,
)
"""What operators can put right: told in a line, without a traceback."""

log = structlog.get_logger(__name__)


def run(given: dict[str, Any], key_file: Path | None) -> int:
    """Serve until told to stop; the exit code."""
    try:
        settings = Settings(**given)
        logs.configure(settings.log_level, settings.log_format)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, key_file))
    except EXPECTED as error:
        print(f"allot cannot serve: {error}", file=sys.stderr)  # noqa: T201 a command's last words
        return 1
    return 0


async def _serve(settings: Settings, key_file: Path | None) -> None:
    listener = _bind(settings.host, settings.port)
    app = create_app(settings, gated=settings.drain)
    server = uvicorn.Server(_config(app))
    _stop_on_signals(server, app)
    async with app.router.lifespan_context(app):
        await _introduce(app, listener, key_file)
        _calm_collector()
        async with worker_beside(settings) if settings.drain else nullcontext():
            await server.serve(sockets=[listener])
            log.info("stopping")


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


def _config(app: FastAPI) -> uvicorn.Config:
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


def _stop_on_signals(server: uvicorn.Server, app: FastAPI) -> None:
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


async def _introduce(app: FastAPI, listener: socket.socket, key_file: Path | None) -> None:
    """Say where the service is, and on a first start with which key it opens."""
    host, port = listener.getsockname()[:2]
    key = await make_first_key(app.state.service, key_file)
    if key and key_file:
        print(f"API key: written to {key_file}", flush=True)  # noqa: T201 a command's answer
    elif key:
        print(f"API key (shown this once): {key}", flush=True)  # noqa: T201 a command's answer
    # From here on whoever connects is answered, as soon as uvicorn accepts.
    listener.listen(BACKLOG)
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    print(f"Allot answers at {address} (documentation: {address}/docs)", flush=True)  # noqa: T201 a command's answer


def _calm_collector() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
