"""
The outermost layer of HTTP: names each request, and says and counts what came of it.

A request that went well is logged at `debug` only, unless ALLOT_LOG_CHANGES asks for those that change something: the
ledger has what they did, and at ten thousand a second a line each would cost as much as the work.
"""

import re
import secrets
import time
from itertools import count
from typing import Final, cast

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import problems
from .deps import OP_KEY, OP_KEY_MAX
from .edge import keep_slashes, path_names
from .log import request_id
from .metrics import Metrics, count_demand

REQUEST_ID: Final = b"x-request-id"
_PROCESS: Final = secrets.token_hex(4)
_NUMBERS: Final = count(1)
_GOOD_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})

GONE_AWAY: Final = 499
"""What a request counts as whose caller hung up before an answer began; nginx uses the same number."""

log = structlog.get_logger(__name__)


class RequestLog:
    """
    The outermost layer: names each request, turns what nobody expected into a problem, says and counts what came of it.

    It also keeps a %2F in a path apart from a slash, so that ids with slashes can be addressed. `quiet`: nothing is
    said of what went well; `changes`: except where something may have changed.
    """

    def __init__(self, app: ASGIApp, *, quiet: bool, metrics: Metrics, changes: bool = False) -> None:
        self._app = app
        self._quiet = quiet
        self._changes = changes
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, answered, status = time.perf_counter(), 0.0, 0
        id = scope["allot.request_id"] = _name(scope)
        token = request_id.set(id)
        keep_slashes(scope)

        async def told(message: Message) -> None:
            nonlocal answered, status
            if message["type"] == "http.response.start":
                # A stream of events ends after hours; what a caller waits for is its beginning.
                answered, status = time.perf_counter(), message["status"]
                message["headers"].append((REQUEST_ID, id.encode()))
            await send(message)

        try:
            await self._app(scope, receive, told)
        except ClientDisconnect:
            log.info("client_gone", **_facts(scope))
        except Exception as error:
            log.exception("request_failed", **_facts(scope))
            if status:
                raise
            await problems.respond(Request(scope), problems.Failed(f"{type(error).__name__}; see the log"))(
                scope, receive, told
            )
        finally:
            self._account(scope, status or GONE_AWAY, (answered or time.perf_counter()) - started)
            request_id.reset(token)

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        self._metrics.observe(getattr(scope.get("route"), "name", "none"), status, seconds)
        if "allot.demand" in scope:
            count_demand(self._metrics, scope, status)
        if status >= 400 or not self._quiet:
            _tell(scope, status, seconds)
        elif self._changes and scope["method"] not in READING:
            log.info("request", status=status, duration_ms=_ms(seconds), **_facts(scope))


def _tell(scope: Scope, status: int, seconds: float) -> None:
    if status == GONE_AWAY:
        return
    say = log.error if status >= 500 else log.info if status >= 400 else log.debug
    say("request", status=status, duration_ms=_ms(seconds), **_facts(scope))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _facts(scope: Scope) -> dict[str, str]:
    """
    What a request was about: its route, its caller's ids, who asked, and the problem it was answered with.

    The ids are those of the path, the op, and the channel of a hold, which only the body has.
    """
    facts = {"method": scope["method"], "path": template(scope), **_names(scope)}
    if caller := scope.get("allot.caller"):
        facts |= {"seller": caller.seller, "actor": caller.actor}
    if demand := scope.get("allot.demand"):
        facts["channel"] = demand[2]
    if outcome := scope.get("allot.outcome"):
        facts["outcome"] = outcome
    return facts


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
    for name, given in scope["headers"]:
        if name == REQUEST_ID and _GOOD_ID.fullmatch(given):
            return cast(bytes, given).decode()
    return f"{_PROCESS}{next(_NUMBERS):08x}"
