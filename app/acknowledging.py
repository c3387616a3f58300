"""
The level of an answer, on its way: what is asked for before a change, waited for after it, and named.

An endpoint that changes what the store has is `acknowledged`, and asks `deciding` for the allocator it uses. Where
nobody asks for more than `fsynced` that is the seller's own, nothing else happens, and it costs under two microseconds.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from allocator import Allocator
from allocator.errors import Refusal, Unanswered
from allocator.refusals import ERRORS

from .deps import State, caller_of, state_of
from .errors import Unfit
from .levels import LEDGER, LEVEL, REPLICATED, TOLD, WISHES

ASK: Final = "Allot-Acknowledge"

Endpoint = Callable[[Request], Awaitable[Response]]

_ASK: Final = ASK.lower().encode()
_TOLD: Final = TOLD.lower().encode()
_WISH: Final = "allot.wish"
"""Where a request keeps what it was begun with: what it asked for, the channels it is about, and what it waited for."""


async def deciding(request: Request, *channels: str) -> Allocator:
    """
    The allocator for a change that concerns these channels.

    Raises Unfit (the header), LevelUnreachable (nothing was done).
    """
    scope, allocator = request.scope, caller_of(request).allocator
    levels, asked = state_of(request).levels, _asked(scope["headers"])
    want = levels.wanted(asked, allocator.raised, channels)
    scope[_WISH] = asked, channels, want
    if not want:
        return allocator
    await levels.refuse_unreachable(want)
    return allocator.replicated() if want & REPLICATED else allocator


def _asked(headers: Any) -> int:
    asked = 0
    for name, value in headers:
        if name == _ASK:
            wish = WISHES.get(value.decode("latin-1").strip())
            if wish is None:
                raise Unfit("there is no such level", where=f"header {ASK}", allowed=list(WISHES))
            asked |= wish
    return asked


def acknowledged(endpoint: Endpoint) -> Endpoint:
    """An endpoint whose answers name their level, remembered refusals too. May raise NotInLedger and Unanswered."""

    @wraps(endpoint)
    async def told(request: Request) -> Response:
        try:
            answer = await endpoint(request)
        except Refusal as error:
            if error.op:
                await reach(request, error)
            raise
        level = request.scope.get(LEVEL) or _at_once(request) or await reach(request)
        answer.raw_headers.append((_TOLD, level.encode()))
        return answer

    return told


def _at_once(request: Request) -> str:
    """The level of an answer for which nobody has anything to wait for; '' where somebody may have."""
    if request.scope[_WISH][-1] or caller_of(request).allocator.raised:
        return ""
    return state_of(request).levels.base


async def reach(request: Request, *refusals: Refusal) -> str:
    """Wait until what was decided is at its level, these refusals too; the level's name."""
    state, allocator = state_of(request), caller_of(request).allocator
    asked, channels, waited = request.scope[_WISH]
    # The config may have changed under the call, and the answer is one of the config it was decided with.
    want = waited | state.levels.wanted(asked, allocator.raised, channels)
    if want:
        await _wait(state, allocator, waited, want, refusals)
    level = request.scope[LEVEL] = state.levels.name(want)
    return level


async def _wait(state: State, allocator: Allocator, waited: int, want: int, refusals: Sequence[Refusal]) -> None:
    if want & REPLICATED and not waited & REPLICATED:
        raise Unanswered("it was done, but its channel asks for `replicated` now; repeat with the same id")
    if want & LEDGER:
        for refusal in refusals:
            await _keep(state, allocator, refusal)
        await state.levels.arrivals.arrived(allocator.seller)


async def _keep(state: State, allocator: Allocator, refusal: Refusal) -> None:
    """Write a refusal into SQL, which the drain never sees; of a conflict what was answered first."""
    remembered = await allocator.find_remembered(refusal.op)
    if remembered is not None and remembered.word in ERRORS:
        await state.levels.arrivals.keep_refusal(allocator.seller, refusal.op, remembered)
