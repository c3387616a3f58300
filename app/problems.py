"""
Every error as an RFC 9457 problem, and the one table that gives it a status.

A slug is public and never changes; `/problems/<slug>` explains it. `outcome` says what is known about the effect:
not_applied, or unknown, and then the same request with the same id is the way to find out.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Route

from allocator import errors

from .edge import REPLAYED
from .errors import BodyTooLarge, KeysUnknown, Malformed, NoKey, OpKeyMissing, RequestRefused, Unfit

MEDIA_TYPE: Final = "application/problem+json"


class Kind(NamedTuple):
    """One kind of problem: status, slug, when it happens, what to do, and after how many seconds to try again."""

    status: int
    slug: str
    title: str
    when: str
    do: str
    retry_s: int = 0
    outcome: str = "not_applied"


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong (RFC 9457). `facts` say what was asked and what there is; `where` names the place."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    outcome: str
    do: str
    where: str = ""
    allowed: list[str] = []
    facts: dict[str, Any] = {}
    request_id: str = ""


class NotFound(Exception):
    """There is nothing at this address."""


class MethodNotAllowed(Exception):
    """This address does not know this method."""


class Failed(Exception):
    """The service failed."""


PROBLEMS: Final[dict[type[Exception], Kind]] = {
    errors.Short: Kind(
        409,
        "short",
        "Fewer units may be promised than are asked for",
        "A hold or an order asks for more than the channel may promise now. `facts.lines` has atp_now for each line.",
        "Ask for fewer units or with partial. This answer is final for this id: a new try is a new hold id or attempt.",
    ),
    errors.Unroutable: Kind(
        409,
        "unroutable",
        "The units are not at places that may serve this together",
        "There are enough units, but not within the channel's split limit or region. `facts.trace` has every location.",
        "Split the order, raise the channel's split limit, or ship elsewhere; then use a new hold id or attempt.",
    ),
    errors.OpConflict: Kind(
        422,
        "op-conflict",
        "This id was used for another request",
        "The same hold id, order and attempt, or Idempotency-Key came before with another content.",
        "Repeat the first request exactly, or choose a new id.",
    ),
    errors.UnknownSku: Kind(
        404,
        "unknown-sku",
        "There is no such sku",
        "A sku is not part of the seller's config. `facts.skus` names it.",
        "Check the spelling, or add the sku to the config.",
    ),
    errors.UnknownLocation: Kind(
        404,
        "unknown-location",
        "There is no such location",
        "A location is not part of the seller's config. `facts.locations` names it.",
        "Check the spelling, or add the location to the config.",
    ),
    errors.UnknownChannel: Kind(
        404,
        "unknown-channel",
        "There is no such channel",
        "A channel is not part of the seller's config. `facts.channel` names it.",
        "Check the spelling, or add the channel to the config.",
    ),
    errors.UnknownHold: Kind(
        404,
        "unknown-hold",
        "There is no such hold",
        "No hold was made under this id.",
        "Check the id; PUT /v1/holds/{hold_id} makes a hold.",
    ),
    errors.UnknownOrder: Kind(
        404,
        "unknown-order",
        "There is no such order",
        "No order was accepted under this channel and id.",
        "Check channel and id; PUT /v1/orders/{channel}/{external_id} places an order.",
    ),
    errors.UnknownLine: Kind(
        404,
        "unknown-line",
        "The order has no such line",
        "A change names a line the order does not have. `facts.line` is its name.",
        "Read the order for the names of its lines; without names of your own they are 1, 2, 3, ...",
    ),
    errors.HoldEnded: Kind(
        409,
        "hold-ended",
        "The hold has ended already",
        "The hold was released, expired, replaced or ordered. `facts.state` says which.",
        "Make a new hold under a new id.",
    ),
    errors.NotEnough: Kind(
        409,
        "not-enough",
        "Fewer units are there than the movement takes away",
        "A movement would take what is not there. `facts` name sku, location and the units there.",
        "Correct the units and send the movement under a new Idempotency-Key.",
    ),
    errors.OverLimit: Kind(
        409,
        "over-limit",
        "More units than one place can count",
        "A movement would raise a counter beyond its limit. `facts` name sku, location and the units there.",
        "Check the units: most likely they are wrong. Correct them under a new Idempotency-Key.",
    ),
    errors.NotCommitted: Kind(
        409,
        "not-committed",
        "More units than the order has committed there",
        "A pick, shipment or cancellation is for units the order does not have at that location (any more).",
        "Read the order: `lines[].takes` says what is committed where.",
    ),
    errors.PickStarted: Kind(
        409,
        "pick-started",
        "The pick of these units has started",
        "Units that are being picked cannot be cancelled without asking the warehouse.",
        "Cancel what is not being picked, or let it ship and book the return.",
    ),
    errors.NotShipped: Kind(
        409,
        "not-shipped",
        "More units than were shipped and not returned yet",
        "A return is for more units than the line has shipped. `facts.units` is what may come back.",
        "Correct the units; goods without an order go to POST /v1/stock/return.",
    ),
    errors.Invalid: Kind(
        422,
        "invalid",
        "The request makes no sense",
        "The values contradict each other or are out of range; `detail` says which.",
        "Correct the request. Nothing was remembered: the same id may be used again.",
    ),
    errors.Unanswered: Kind(
        503,
        "unanswered",
        "The store did not answer, so the outcome is unknown",
        "The connection to Valkey broke or timed out. The change may have been made.",
        "Send the same request with the same id again: it has one effect and one answer.",
        retry_s=1,
        outcome="unknown",
    ),
    errors.NotReady: Kind(
        503,
        "not-ready",
        "The store is not ready",
        "Valkey has no data or those of another data set than the database remembers: it was flushed, restored, or "
        "is the wrong server. Nothing is decided until it is the right one. `facts.epoch_found` is what it says it is.",
        "Operators: check ALLOT_REDIS_URL, restore Valkey's files or rebuild it. Callers: repeat later, same id.",
        retry_s=5,
    ),
    errors.StaleConfig: Kind(
        503,
        "stale-config",
        "The config changed meanwhile",
        "Somebody else changed the config at the same moment.",
        "Repeat the request.",
        retry_s=1,
    ),
    NoKey: Kind(
        401,
        "no-key",
        "A good API key is needed",
        "The request has no API key, or one that is malformed, unknown or revoked.",
        "Send the header Authorization: Bearer allot_live_<id>_<secret>. `allot serve` shows a key on its first start.",
    ),
    KeysUnknown: Kind(
        503,
        "keys-unknown",
        "The API key could not be checked",
        "The key has not been seen since the service started, and the database that knows it does not answer.",
        "Repeat later, with the same id.",
        retry_s=5,
    ),
    OpKeyMissing: Kind(
        400,
        "idempotency-key-missing",
        "A change needs an Idempotency-Key",
        "Without a name for the change, a repeated request could not be told from a second one.",
        "Send the header Idempotency-Key with an id of your own, and the same one when you repeat the request.",
    ),
    Malformed: Kind(
        400,
        "malformed",
        "The body is not JSON",
        "The body could not be read as JSON in UTF-8; `detail` says where reading stopped.",
        "Send JSON.",
    ),
    Unfit: Kind(
        422,
        "unfit",
        "The request does not have the documented form",
        "A value in the body, path, query or a header is missing, unknown or of another form; `where` says it.",
        "Compare with /docs; `allowed` has the fields or words that are known there.",
    ),
    BodyTooLarge: Kind(
        413,
        "body-too-large",
        "The body has more bytes than are read",
        "The service reads a limited number of bytes of a body (ALLOT_BODY_BYTES_MAX).",
        "Send less in one request.",
    ),
    NotFound: Kind(
        404,
        "not-found",
        "There is nothing at this address",
        "No endpoint has this path.",
        "Compare with /docs.",
    ),
    MethodNotAllowed: Kind(
        405,
        "method-not-allowed",
        "This address does not know this method",
        "The path exists, for other methods; the header Allow names them.",
        "Compare with /docs.",
    ),
    Failed: Kind(
        500,
        "failed",
        "The service failed",
        "A bug, or something that nobody thought of. The log has it under the request id.",
        "Send the same request with the same id again; if it fails again, report the request id.",
        outcome="unknown",
    ),
}

BY_SLUG: Final = {kind.slug: kind for kind in PROBLEMS.values()}

_HTTP: Final[dict[int, type[Exception]]] = {400: Malformed, 404: NotFound, 405: MethodNotAllowed}


def problem_type(slug: str) -> str:
    """The address that explains a problem."""
    return f"/problems/{slug}"


def respond(request: Request, error: Exception, headers: Mapping[str, str] | None = None) -> Response:
    """The problem for an error of the table, as an answer."""
    kind = PROBLEMS[type(error)]
    said = Problem(
        type=problem_type(kind.slug),
        title=kind.title,
        status=kind.status,
        detail=str(error) or kind.title,
        instance=request.scope.get("raw_path", b"").decode("ascii", "replace"),
        outcome=kind.outcome,
        do=kind.do,
        where=_where(error),
        allowed=getattr(error, "allowed", []),
        facts=getattr(error, "facts", {}),
        request_id=request.scope.get("allot.request_id", ""),
    )
    return Response(msgspec.json.encode(said), kind.status, {**(headers or {}), **_headers(kind, error)}, MEDIA_TYPE)


def _where(error: Exception) -> str:
    if isinstance(error, RequestRefused):
        return error.where
    place = str(getattr(error, "facts", {}).get("where", ""))
    return f"body {place}" if place.startswith("/") else place


def _headers(kind: Kind, error: Exception) -> dict[str, str]:
    headers = {}
    if kind.retry_s:
        headers["Retry-After"] = str(kind.retry_s)
    if kind.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="allot"'
    if getattr(error, "replayed", False):
        headers[REPLAYED] = "true"
    return headers


async def _known(request: Request, error: Exception) -> Response:
    return respond(request, error)


async def _http(request: Request, error: Exception) -> Response:
    """What the framework refuses: unknown paths and methods, and nothing else in this service."""
    assert isinstance(error, HTTPException)
    headers = {"Allow": _methods(request)} if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else error.headers
    return respond(request, _HTTP.get(error.status_code, Failed)(), headers)


def _methods(request: Request) -> str:
    """Every method of this path; the framework names those of the first route alone."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    here = [route.methods or () for route in routes if route.path_regex.match(request.scope["path"])]
    return ", ".join(sorted({method for methods in here for method in methods}))


async def _framework_unfit(request: Request, error: Exception) -> Response:
    """What FastAPI's own validation refuses, in our words."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    part, *names = map(str, first["loc"])
    return respond(request, Unfit(first["msg"], where=f"{part} {'/'.join(names)}".strip()))


def install(app: FastAPI) -> None:
    """Answer every error of the table with its problem. What is not in it is a bug and becomes `failed` in log.py."""
    for error in PROBLEMS:
        app.add_exception_handler(error, _known)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _framework_unfit)
