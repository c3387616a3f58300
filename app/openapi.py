"""
The OpenAPI document, made from the very types that decode bodies and encode answers.

Each endpoint says with `documented` what it reads, answers and refuses; `install` adds the schemas of the types.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from allocator import errors

from .acknowledging import ASK
from .deps import OP_KEY
from .edge import POSITION, REPLAYED, Body, Path, Query
from .errors import (
    BodyTooLarge,
    KeysUnknown,
    LedgerFull,
    LevelUnreachable,
    Malformed,
    NoKey,
    NotInLedger,
    OpKeyMissing,
    OutsideLimits,
    RateLimited,
    ScopeMissing,
    Unfit,
)
from .examples import EXAMPLES
from .fullness import Stage
from .guarding import X_SCOPE, X_STOPS
from .levels import IN_SQL, TOLD, WISHES
from .problem_kinds import Kind
from .problems import MEDIA_TYPE, PROBLEMS, Failed, Problem, problem_type
from .rights import SCOPES
from .store.database import DatabaseAway

Schema = dict[str, Any]

ALWAYS: Final = (
    NoKey,
    ScopeMissing,
    RateLimited,
    Unfit,
    errors.Invalid,
    errors.NotReady,
    errors.Frozen,
    errors.Checking,
    errors.Unanswered,
    errors.HistoryAway,
    KeysUnknown,
    DatabaseAway,
    Failed,
)
"""What any guarded endpoint may answer."""

DONE: Final = ("200", "201", "202")
DECIDED: Final = (*DONE, "404", "409", "422")
"""Statuses that may be remembered decisions, yes or no."""

_JSON: Final = "application/json"
_REF: Final = "#/components/schemas/{name}"

_OP_KEY: Final = {
    "name": OP_KEY,
    "in": "header",
    "required": True,
    "description": "Your own id of this change. Repeat it with the same request: one effect, one answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    "example": "delivery-4711",
}
_ASK: Final = {
    "name": ASK,
    "in": "header",
    "required": False,
    "description": "The level to wait for, where neither the channel nor the service asks for as much. `fsynced`: on "
    "the server's disk. `replicated`: and with its replicas. `ledger`: in SQL.",
    "schema": {"type": "string", "enum": list(WISHES)},
    "example": "ledger",
}
_TOLD: Final = {
    TOLD: {
        "description": "The level this answer has: what was asked for, or more. `memory` where an operator allowed a "
        "server that may forget. A refusal that is not remembered has none.",
        "schema": {"type": "string", "enum": ["memory", *WISHES]},
        "example": "fsynced",
    }
}
_POSITION: Final = {
    POSITION: {
        "description": "Only when the answer comes from SQL, because Valkey does not have it (any more) or is away: "
        "everything up to this entry of the ledger is in it.",
        "schema": {"type": "string"},
    }
}
_REPLAYED: Final = {REPLAYED: {"description": "true: answered before, nothing done now.", "schema": {"type": "string"}}}


def documented(
    *parts: Path[Any] | Query[Any] | Body[Any],
    scope: str,
    answers: type,
    or_else: Iterable[type] = (),
    kept: type | None = None,
    created: bool = False,
    op_key: bool = False,
    acknowledges: bool = False,
    past: bool = False,
    stops: Stage | None = None,
    refuses: Iterable[type[Exception]] = (),
) -> dict[str, Any]:
    """
    What a route's decorator needs to document and to guard it.

    `or_else`: other types that 200 may have. `kept`: what 202 has, for what is not accepted yet.
    `scope`: what a key needs (rights.SCOPES); one that ends with `:read` changes nothing. `created`: 201 when done
    now, 200 when done before. `op_key`: needs an Idempotency-Key. `acknowledges`: names the level of its answers, for
    endpoints that are `acknowledged`. `past`: what Valkey does not have comes from SQL. `stops`: when it is refused
    because SQL does not take the ledger. Raises TypeError for a scope there is none of.
    """
    if scope not in SCOPES:
        raise TypeError(f"there is no scope {scope}; there are {', '.join(SCOPES)}")
    named = [errors.OpConflict] if op_key or created else []
    limits = [OutsideLimits] if any(part.reach for part in parts) or scope == "stock:read" else []
    levels = [LevelUnreachable, NotInLedger] if acknowledges else []
    full = [LedgerFull] if stops else []
    refused = [*refuses, *full, *named, *limits, *ALWAYS, *levels, *([OpKeyMissing] if op_key else [])]
    operation: Schema = {X_SCOPE: scope, "parameters": [row for part in parts for row in _parameters(part)]}
    for body in (part for part in parts if isinstance(part, Body)):
        operation["requestBody"] = {"required": not body.optional, "content": {_JSON: _content(body.type)}}
        refused += [Malformed, BodyTooLarge]
    if op_key:
        operation["parameters"].append(_OP_KEY)
    operation["responses"] = {**_answered(answers, created, op_key, past), **_refused(refused)}
    _tell_others(operation["responses"], or_else, kept)
    if stops:
        operation[X_STOPS] = stops
    if acknowledges:
        operation["parameters"].append(_ASK)
        _tell_levels(operation["responses"], DECIDED)
    elif scope in IN_SQL:
        _tell_levels(operation["responses"], DONE)
    return {"openapi_extra": operation, "status_code": 201 if created else 200}


def open_to_all(*parts: Path[Any] | Query[Any], answers: type, also: int | None = None) -> dict[str, Any]:
    """As `documented`, for a route that needs no key; `also` is another status with the same answer."""
    content = {"content": {_JSON: _content(answers)}}
    responses: Schema = {"200": {"description": "The answer.", **content}}
    if also:
        responses[str(also)] = {"description": "The answer, when it is no.", **content}
    return {
        "openapi_extra": {"parameters": [row for part in parts for row in _parameters(part)], "responses": responses}
    }


def _parameters(part: Path[Any] | Query[Any] | Body[Any]) -> list[Schema]:
    if isinstance(part, Body):
        return []
    schema = _schemas([part.type])[part.type.__name__]
    place = "path" if isinstance(part, Path) else "query"
    return [
        {
            "name": name,
            "in": place,
            "required": name in schema["required"],
            "description": rows.get("description", ""),
            "schema": rows,
        }
        for name, rows in schema["properties"].items()
    ]


def _content(type: type) -> Schema:
    return {"schema": {"$ref": _REF.format(name=type.__name__)}, "example": EXAMPLES[type]}


def _answered(type: type, created: bool, op_key: bool, past: bool) -> Schema:
    content = {"content": {_JSON: _content(type)}}
    if created:
        again = {"description": "Done before; the same answer.", "headers": _REPLAYED, **content}
        return {"201": {"description": "Done now.", **content}, "200": again}
    headers = {**(_REPLAYED if op_key else {}), **(_POSITION if past else {})}
    return {"200": {"description": "Done." if op_key else "The answer.", "headers": headers, **content}}


def _tell_others(responses: Schema, or_else: Iterable[type], kept: type | None) -> None:
    if others := [{"$ref": _REF.format(name=type.__name__)} for type in or_else]:
        said = responses["200"]["content"][_JSON]
        responses["200"]["content"] = {_JSON: {**said, "schema": {"oneOf": [said["schema"], *others]}}}
    if kept:
        responses["202"] = {"description": "Kept, not accepted yet.", "content": {_JSON: _content(kept)}}


def _tell_levels(responses: Schema, statuses: Iterable[str]) -> None:
    for status in statuses:
        if said := responses.get(status):
            said["headers"] = {**said.get("headers", {}), **_TOLD}


def _refused(refused: Iterable[type[Exception]]) -> Schema:
    by_status: dict[int, list[Kind]] = {}
    for error in dict.fromkeys(refused):
        kind = PROBLEMS[error]
        by_status.setdefault(kind.status, []).append(kind)
    return {str(status): _problems(kinds) for status, kinds in sorted(by_status.items())}


def _problems(kinds: list[Kind]) -> Schema:
    examples = {kind.slug: {"summary": kind.title, "value": msgspec.to_builtins(_example(kind))} for kind in kinds}
    content = {"schema": {"$ref": _REF.format(name=Problem.__name__)}, "examples": examples}
    description = " · ".join(f"{kind.slug}: {kind.title}" for kind in kinds)
    return {"description": description, "content": {MEDIA_TYPE: content}}


def _example(kind: Kind) -> Problem:
    return Problem(
        type=problem_type(kind.slug),
        title=kind.title,
        status=kind.status,
        detail=kind.title,
        instance="/v1/...",
        outcome=kind.outcome,
        do=kind.do,
    )


def _schemas(types: Iterable[type]) -> dict[str, Schema]:
    _, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    portable: dict[str, Schema] = _portable(schemas)
    return portable


def _portable(schema: Any) -> Any:
    r"""JSON Schema's patterns end with $, Python's with \Z."""
    if isinstance(schema, dict):
        return {name: _portable(value) for name, value in schema.items()}
    if isinstance(schema, list):
        return [_portable(value) for value in schema]
    return schema.removesuffix("\\Z") + "$" if isinstance(schema, str) and schema.endswith("\\Z") else schema


def install(app: FastAPI) -> None:
    """Let the application answer this document at /openapi.json, made once."""

    def document() -> Schema:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # FastAPI's own way of replacing it


def _document(app: FastAPI) -> Schema:
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    document["components"] = {
        "schemas": _schemas([*EXAMPLES, Problem]),
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "allot_live_<id>_<secret>"}},
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            _tell_rights(operation)
    return document


def _tell_rights(operation: Schema) -> None:
    """The scope, for machines and for people; a route without one is open to all."""
    scope = operation.get(X_SCOPE)
    operation["security"] = [{"key": [scope]}] if scope else []
    if scope:
        operation["description"] += f"\n\nNeeds the scope `{scope}`: {SCOPES[scope]}."
