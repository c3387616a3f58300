"""
What endpoints are handed: the service's state, and who asks.

Every route of an `APIRouter(route_class=Guarded)` is denied without a good key, whatever its endpoint does.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from inspect import signature
from typing import Any, Final, NamedTuple, cast

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from allocator import Allocator

from .errors import KeysUnknown, OpKeyMissing, Unfit
from .security import Keys
from .settings import Settings
from .store.database import Database

OP_KEY: Final = "Idempotency-Key"
OP_KEY_MAX: Final = 128


@dataclass
class State:
    """What lives as long as the service; `clock_jumps_ms` has the sellers whose clock is paused."""

    settings: Settings
    database: Database
    keys: Keys
    allocators: dict[str, Allocator]
    clock_jumps_ms: dict[str, int] = field(default_factory=dict)


class Caller(NamedTuple):
    """Who asks. The seller comes from the key and from nowhere else."""

    seller: str
    actor: str
    allocator: Allocator

    async def channels(self) -> list[str]:
        """Every channel of the seller. Raises NotReady, Unanswered."""
        if not self.allocator.config.channels:
            # No shop is without channels for long; more likely the store could not be read yet.
            await self.allocator.reload()
        return [channel.code for channel in self.allocator.config.channels]


def state_of(request: Request) -> State:
    """The service's state."""
    return cast(State, request.app.state.service)


def caller_of(request: Request) -> Caller:
    """Who asks; there is one on every guarded route."""
    return cast(Caller, request.scope["allot.caller"])


def op_key(request: Request) -> str:
    """The caller's name for this change. Raises OpKeyMissing, Unfit."""
    where = f"header {OP_KEY}"
    given = request.headers.get(OP_KEY)
    if given is None:
        raise OpKeyMissing(f"the request has no {OP_KEY} header", where=where)
    # The draft standard quotes the key, most clients do not.
    key = given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given
    if not 1 <= len(key.encode()) <= OP_KEY_MAX or not key.isprintable():
        raise Unfit(f"the key must be 1 to {OP_KEY_MAX} printable bytes", where=where)
    return key


class Guarded(APIRoute):
    """
    A route that asks for a good key before it does anything else.

    Its endpoint takes the request and nothing more: FastAPI's way of filling parameters costs 20 µs, and `edge` reads
    paths, queries and bodies in one tenth of that.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint behind the check. An endpoint with other parameters fails here, when the service starts."""
        endpoint = self.endpoint
        if len(signature(endpoint).parameters) != 1:
            raise TypeError(f"{endpoint.__name__} must take the request alone")

        async def guarded(request: Request) -> Response:
            request.scope["allot.caller"] = await _admit(request)
            answer: Response = await endpoint(request)
            return answer

        return guarded


def guarded_router(prefix: str, tag: str) -> APIRouter:
    """A router whose every route is guarded, and known in the documentation by its endpoint's name."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=Guarded, generate_unique_id_function=operation_id)


def operation_id(route: APIRoute) -> str:
    """The endpoint's name: generated clients call it by this, so it never changes."""
    return route.name


async def _admit(request: Request) -> Caller:
    state = state_of(request)
    header = request.headers.get("authorization")
    key = state.keys.recall(header) or await state.keys.verify(header)
    allocator = state.allocators.get(key.seller)
    if allocator is None:
        raise KeysUnknown(f"the seller {key.seller} was made after this service started")
    return Caller(key.seller, f"key:{key.id}", allocator)
