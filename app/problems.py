"""
Every error as an RFC 9457 problem, and the one table that gives it a status.

A slug is public and never changes; `/problems/<slug>` explains it. `outcome` says what is known about the effect:
not_applied, or unknown, and then the same request with the same id is the way to find out.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from .channel_problems import CHANNEL_KINDS
from .config.errors import (
    ChangeUnknown,
    DraftOver,
    DraftUnknown,
    InUse,
    ItemUnknown,
    RuleClash,
    TooMuch,
    VersionDiffers,
    VersionMissing,
)
from .edge import REPLAYED
from .errors import (
    Behind,
    BodyTooLarge,
    DeliveryUnknown,
    KeysUnknown,
    LedgerFull,
    LevelUnreachable,
    Malformed,
    NotInLedger,
    OpKeyMissing,
    RateLimited,
    RequestRefused,
    TooManyStreams,
    TooManyWebhooks,
    TransferUnknown,
    Unfit,
    WebhookDisabled,
    WebhookUnknown,
)
from .levels import LEVEL, TOLD
from .problem_kinds import ALLOCATOR_KINDS, COUNT_KINDS, KEY_KINDS, Kind
from .store.database import DatabaseAway

MEDIA_TYPE: Final = "application/problem+json"


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
    **ALLOCATOR_KINDS,
    **KEY_KINDS,
    **COUNT_KINDS,
    **CHANNEL_KINDS,
    TooManyStreams: Kind(
        503,
        "too-many-streams",
        "This process has as many streams as it may have",
        "Every follower of events keeps a connection open, and a process has a limit of them (ALLOT_STREAMS_MAX).",
        "Come back later, or ask in steps: GET /v1/events/availability?after=... without Accept: text/event-stream.",
        retry_s=5,
    ),
    TransferUnknown: Kind(
        404,
        "unknown-transfer",
        "There is no such transfer",
        "Nothing was sent under this id, or only a moment ago: transfers are read from SQL.",
        "Check the id; PUT /v1/transfers/{transfer_id} sends one. `after` waits for what has just been sent.",
    ),
    WebhookUnknown: Kind(
        404,
        "unknown-webhook",
        "There is no such webhook",
        "The seller has no webhook with this id, or none that the key may see.",
        "GET /v1/webhooks lists the webhooks.",
    ),
    DeliveryUnknown: Kind(
        404,
        "unknown-delivery",
        "There is no such delivery",
        "No event was made under this id, or it is older than deliveries are kept (ALLOT_WEBHOOK_LOG_DAYS).",
        "GET /v1/webhooks/{webhook_id}/deliveries lists them; the id is the webhook-id that the receiver saw.",
    ),
    WebhookDisabled: Kind(
        409,
        "webhook-disabled",
        "Nothing is sent to a webhook that is disabled",
        "The webhook was disabled: by somebody, by its receiver (410 Gone), or because nothing arrived for five days.",
        "GET the webhook for `disabled_why`; put it right and PUT it with active true.",
    ),
    TooManyWebhooks: Kind(
        409,
        "too-many-webhooks",
        "The seller has as many webhooks as he may have",
        "Every event is written down once for every webhook that wants it, so their number has a limit.",
        "Delete a webhook that is not needed, or let one receiver pass the events on.",
    ),
    Behind: Kind(
        503,
        "behind",
        "The answer would be too old",
        "Lists come from SQL, which gets what happened within a second; this time it took longer.",
        "Repeat the request; look at allot_undrained_age_seconds if it stays so.",
        retry_s=2,
    ),
    LevelUnreachable: Kind(
        503,
        "level-unreachable",
        "The level of acknowledgement cannot be reached now",
        "`replicated` needs as many connected replicas as ALLOT_REPLICAS says, and a store that was allowed to lose "
        "what it has (ALLOT_ALLOW_UNSAFE) cannot promise to keep it. `detail` says what is missing.",
        "Operators: connect the replica, or set the store right. Callers: repeat later with the same id; a lower level "
        "can be asked for only where neither the channel nor the service asks for this one.",
        retry_s=5,
    ),
    NotInLedger: Kind(
        503,
        "not-in-ledger",
        "It was done, but is not in SQL yet",
        "The answer had to wait until SQL has what was decided (level `ledger`), and that took too long: the worker is "
        "not running or behind, or SQL does not answer. `detail` says which. What was done stays done.",
        "Send the same request with the same id again: it has one effect, and is answered when SQL has it.",
        retry_s=1,
        outcome="unknown",
    ),
    LedgerFull: Kind(
        503,
        "ledger-full",
        "Too much of what happened is not in SQL yet",
        "SQL is away or the drain is stopped, and every effect has to stay in Valkey's memory until SQL has it. From a "
        "limit on (ALLOT_LEDGER_BYTES_MAX) new holds, promises and stock movements are refused, beyond it what frees "
        "units too, and what has been sold already last.",
        "Repeat with the same id; it is taken as soon as SQL has caught up. Operators: /readyz says what keeps it.",
        retry_s=10,
    ),
    KeysUnknown: Kind(
        503,
        "keys-unknown",
        "The API key could not be checked",
        "The key has not been seen since the service started, and the database that knows it does not answer.",
        "Repeat later, with the same id.",
        retry_s=5,
    ),
    DatabaseAway: Kind(
        503,
        "database-away",
        "The database does not answer",
        "Config, keys, webhooks, everything that is listed and what has left Valkey are in SQL, and the database is "
        "down, full, or took too long. Availability, holds and orders need Valkey alone and go on. A change may have "
        "been made.",
        "Repeat the request later. A change of config: read what is there now, and send it again if it is not that.",
        retry_s=5,
        outcome="unknown",
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
    ItemUnknown: Kind(
        404,
        "unknown-item",
        "The config has nothing with this key",
        "No location, channel, sku, listing, rule or zone has the key of the path.",
        "Check the spelling; a list of the kind has the keys. PUT makes a new one.",
    ),
    ChangeUnknown: Kind(
        404,
        "unknown-change",
        "The config has no such version",
        "No version of the config has this number, or it failed and was never in force.",
        "GET /v1/config/changes lists the versions.",
    ),
    VersionMissing: Kind(
        428,
        "if-match-missing",
        "Say which version you replace",
        "What exists is replaced or deleted only by those who say which version they saw. `facts.version` is the one "
        "there.",
        "Read it, send its ETag as If-Match, and put your change on top of what you read.",
    ),
    VersionDiffers: Kind(
        412,
        "changed-meanwhile",
        "It is not what you think it is",
        "If-Match names another version than the one there, or If-None-Match: * something that exists.",
        "Read it again, put your change on top of what you read, and send that with its ETag.",
    ),
    InUse: Kind(
        409,
        "in-use",
        "Something still depends on it",
        "It is named by other parts of the config (`facts.users`), or units, quotas, holds or orders depend on it.",
        "Change those first. A location that is not active counts as empty; a listing or rule can be deleted.",
    ),
    RuleClash: Kind(
        409,
        "rule-clash",
        "Another rule is for the same kind and scope",
        "A kind and scope has one rule without a window, and beside it rules whose windows do not overlap. "
        "`facts.rule` is the other one.",
        "Change or delete the other rule, or give this one another window.",
    ),
    DraftUnknown: Kind(
        404,
        "unknown-draft",
        "There is no such draft",
        "No change of config is prepared under this name.",
        "GET /v1/config/drafts lists them.",
    ),
    DraftOver: Kind(
        409,
        "draft-over",
        "The draft is in force",
        "A draft that was put in force has nothing to preview any more.",
        "PUT it again to prepare the next change.",
    ),
    TooMuch: Kind(
        422,
        "too-much",
        "One change may not touch that much",
        "A change has at most 1,000 rows and touches at most 1,000 parts of the compiled config. Of a roll back that "
        "is too far, `facts.nearest` is the version that one reaches.",
        "Send the change in parts; roll back in steps.",
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


def problem_type(slug: str) -> str:
    """The address that explains a problem."""
    return f"/problems/{slug}"


def problem_of(request: Request, error: Exception) -> Problem:
    """The problem for an error of the table."""
    kind = PROBLEMS[type(error)]
    return Problem(
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


def respond(request: Request, error: Exception, headers: Mapping[str, str] | None = None) -> Response:
    """The problem for an error of the table, as an answer."""
    kind = PROBLEMS[type(error)]
    request.scope["allot.outcome"] = kind.slug
    extra = {**request.scope.get("allot.headers", {}), **(headers or {}), **_headers(kind, error)}
    if getattr(error, "op", "") and LEVEL in request.scope:
        extra[TOLD] = request.scope[LEVEL]
    return Response(msgspec.json.encode(problem_of(request, error)), kind.status, extra, MEDIA_TYPE)


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
    if isinstance(error, RateLimited):
        headers.update(error.headers)
    return headers
