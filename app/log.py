"""
What the service says: one event per request and per happening, JSON for machines or coloured lines for people.

No secret, no body and no query is ever logged. A request that went well is logged at `debug` only: the ledger
has what it did, and at ten thousand a second a line each would cost as much as the work.
"""

import logging
import re
import secrets
import sys
import time
from contextvars import ContextVar
from typing import Any, Final

import structlog
from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import problems
from .deps import OP_KEY, OP_KEY_MAX
from .edge import keep_slashes, path_names

REQUEST_ID: Final = b"x-request-id"
_GOOD_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")

request_id: ContextVar[str] = ContextVar("request_id", default="")

log = structlog.get_logger(__name__)


def configure(level: str, form: str) -> None:
    """Send every event of the service and of its libraries to standard error, in one form."""
    plain = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        _add_request_id,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any] = (
        [structlog.dev.ConsoleRenderer()]
        if plain
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[_without_meta, *last])
    )
    logging.basicConfig(
        handlers=[handler], level=max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]), force=True
    )


def _add_request_id(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    if id := request_id.get():
        event["request_id"] = id
    return event


_without_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta


class RequestLog:
    """
    The outermost layer: names each request, turns what nobody expected into a problem, and says what came of it.

    It also keeps a %2F in a path apart from a slash, so that ids with slashes can be addressed.
    """

    def __init__(self, app: ASGIApp, *, quiet: bool) -> None:
        self._app = app
        self._quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        id = scope["allot.request_id"] = _name(scope)
        token = request_id.set(id)
        keep_slashes(scope)

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((REQUEST_ID, id.encode()))
            await send(message)

        try:
            await self._app(scope, receive, told)
        except ClientDisconnect:
            log.info("client_gone", method=scope["method"], path=template(scope))
        except Exception as error:
            log.exception("request_failed", method=scope["method"], path=template(scope))
            if status:
                raise
            await problems.respond(Request(scope), problems.Failed(f"{type(error).__name__}; see the log"))(
                scope, receive, told
            )
        finally:
            if status >= 400 or not self._quiet:
                _tell(scope, status, started)
            request_id.reset(token)


def _tell(scope: Scope, status: int, started: float) -> None:
    say = log.error if status >= 500 else log.info if status >= 400 else log.debug
    duration_ms = round((time.perf_counter() - started) * 1000, 2)
    say(
        "request", method=scope["method"], path=template(scope), status=status, duration_ms=duration_ms, **_names(scope)
    )


def template(scope: Scope) -> str:
    """The route's own path, so that events of one endpoint belong together; '' when there is no route."""
    return getattr(scope.get("route"), "path", "")


def _names(scope: Scope) -> dict[str, str]:
    """The caller's ids in this request: they name the op."""
    names = path_names(scope)
    key = Request(scope).headers.get(OP_KEY)
    return {**names, "op": key[:OP_KEY_MAX]} if key else names


def _name(scope: Scope) -> str:
    """The caller's request id if it has the form of one, else a new one."""
    given = next((value for name, value in scope["headers"] if name == REQUEST_ID), b"")
    return given.decode() if _GOOD_ID.fullmatch(given) else secrets.token_hex(8)
