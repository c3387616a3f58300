"""
Who is let in.

Every route of an `APIRouter(route_class=Guarded)` is denied without a good key whose role has the route's scope,
whatever its endpoint does.
"""

from collections.abc import Callable, Coroutine
from inspect import signature
from typing import Any, Final, cast

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from .deps import State, caller_of, state_of
from .errors import (
    BeyondOwnRights,
    KeysUnknown,
    NoKey,
    OutsideLimits,
    RateLimited,
    RequestRefused,
    ScopeMissing,
)
from .fullness import Stage, refuse_when_full
from .levels import IN_SQL, TOLD
from .limits import spend
from .narrowing import narrowed
from .rights import SCOPES, Caller
from .security import Known

X_SCOPE: Final = "x-scope"
"""Where a route's documentation has the scope it needs."""

X_STOPS: Final = "x-stops"
"""Where a route's documentation says when it is refused because SQL does not take the ledger (fullness.Stage)."""

DENIALS: Final = (NoKey, ScopeMissing, OutsideLimits, BeyondOwnRights, RateLimited)
"""Refusals that are audited."""


class Guarded(APIRoute):
    """
    A route that asks for a good key with the right scope before it does anything else.

    Its endpoint takes the request and nothing more: FastAPI's way of filling parameters costs 20 µs, and `edge` reads
    paths, queries and bodies in one tenth of that.
    """

    serve: Callable[[Request], Coroutine[Any, Any, Response]]

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint behind the check. One without a scope or with other parameters fails when the service starts."""
        endpoint, needed = self.endpoint, _scope_of(self)
        in_sql = needed in IN_SQL
        stage: Stage | None = (self.openapi_extra or {}).get(X_STOPS)
        if len(signature(endpoint).parameters) != 1:
            raise TypeError(f"{endpoint.__name__} must take the request alone")

        async def guarded(request: Request) -> Response:
            try:
                known = await _admit(request, needed)
                if stage and (full := state_of(request).full):
                    refuse_when_full(full, caller_of(request).seller, stage)
                answer: Response = await endpoint(request)
                if in_sql:
                    answer.headers[TOLD] = state_of(request).levels.of_sql
                return answer if known is None else _finish(request, answer, known, needed)
            except DENIALS as error:
                _note_denial(request, error)
                raise

        self.serve = guarded
        return guarded


def _scope_of(route: APIRoute) -> str:
    needed = (route.openapi_extra or {}).get(X_SCOPE)
    if needed not in SCOPES:
        message = f'{route.endpoint.__name__} needs **documented(..., scope="..."), one of: {", ".join(SCOPES)}'
        raise TypeError(message)
    return cast(str, needed)


def guarded_router(prefix: str, tag: str) -> APIRouter:
    """A router whose every route is guarded, and known in the documentation by its endpoint's name."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=Guarded, generate_unique_id_function=operation_id)


def operation_id(route: APIRoute) -> str:
    """The endpoint's name: generated clients call it by this, so it never changes."""
    return route.name


async def _admit(request: Request, needed: str) -> Known | None:
    """Let the caller in. Returns what the answer must know of the key, None if nothing, as mostly."""
    scope, state = request.scope, state_of(request)
    header = _authorization(scope)
    known = state.keys.recall(header) or await state.keys.verify(header, _address(scope))
    scope["allot.caller"] = caller = known.caller or _caller(state, known)
    if known.bucket is not None:
        scope["allot.headers"] = spend(known.bucket)
    if needed not in caller.scopes:
        raise ScopeMissing(_lacks(known, needed), where=f"scope {needed}")
    if known.bucket is None and caller.limits is None:
        return None
    scope["allot.writes"] = not needed.endswith(":read")
    return known


def _authorization(scope: Any) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return cast(bytes, value)
    return None


def _address(scope: Any) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _caller(state: State, known: Known) -> Caller:
    key = known.facts
    allocator = state.allocators.get(key.seller)
    if allocator is None:
        raise KeysUnknown(f"the seller {key.seller} is not open yet; new sellers are within seconds")
    limits = known.limits if known.limits.are_set else None
    known.caller = Caller(key.seller, f"key:{key.id}", allocator, key.id, key.role, known.scopes, limits)
    return known.caller


def _lacks(known: Known, needed: str) -> str:
    role = known.facts.role
    why = "keys with limits do not have it" if known.limits.are_set else f"the role {role} does not have it"
    return f"this needs the scope {needed}, to {SCOPES[needed]}: {why}"


def _finish(request: Request, answer: Response, known: Known, needed: str) -> Response:
    """What the answer to a limited key has more, or less."""
    if known.bucket is not None:
        answer.headers.update(request.scope["allot.headers"])
    if needed == "stock:read" and known.caller and known.caller.limits is not None:
        return narrowed(answer, known.caller)
    return answer


def _note_denial(request: Request, error: RequestRefused) -> None:
    caller: Caller | None = request.scope.get("allot.caller")
    audit = state_of(request).audit
    if caller is None:
        audit.refused(request, error)
    else:
        audit.refused(request, error, seller=caller.seller, actor=caller.actor)
