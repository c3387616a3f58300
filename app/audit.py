"""
Who did what, and what was refused to whom.

An act in SQL is written in the same transaction (`note`). An act in Valkey, which is in the ledger too, and a refusal
are gathered here and written in batches: neither waits for SQL, and nobody can fill the database by being refused.
"""

from typing import Any, Final, NamedTuple

import structlog
from starlette.requests import Request

from . import problems
from .errors import RequestRefused
from .rights import Caller
from .store.audit import Entry, add_entries
from .store.database import Database
from .store.keys import key_id
from .times import now_ms

WAITING_MAX: Final = 10_000
"""Most acts, and most different refusals, that wait to be written; what is more is counted."""

HOUSE: Final = "main"
"""The seller whose audit has the refusals of callers nobody knows."""

NOBODY: Final = "unknown"

Refusal = tuple[str, str, str, str, str, str, str]

log = structlog.get_logger(__name__)


class By(NamedTuple):
    """Whose audit an act belongs in, who did it, and in which request."""

    seller: str
    actor: str
    request_id: str = ""


class Audit:
    """What waits to be written."""

    def __init__(self) -> None:
        self._acts: list[Entry] = []
        self._refusals: dict[Refusal, tuple[int, int, int, str]] = {}
        self._lost = 0

    def act(self, request: Request, action: str, target: str, detail: dict[str, Any]) -> None:
        """An act that was done in Valkey: `action` "stock.adjust", `target` the op or thing, `detail` JSON."""
        if len(self._acts) >= WAITING_MAX:
            self._lost += 1
            return
        self._acts.append(note(by(request), action, target, detail))

    def refused(self, request: Request, error: RequestRefused, *, seller: str = HOUSE, actor: str = "") -> None:
        """A request that was refused; the same refusal again only counts until it is written."""
        what = _refusal(request, error, seller, actor or _claimed(request))
        at = now_ms()
        id = request.scope.get("allot.request_id", "")
        count, first, _, id = self._refusals.get(what, (0, at, at, id))
        if not count and len(self._refusals) >= WAITING_MAX:
            self._lost += 1
            return
        self._refusals[what] = (count + 1, first, at, id)

    async def write(self, database: Database) -> None:
        """Write what waits, in one transaction; if that fails it goes on waiting. Raises what SQL raises."""
        acts, refusals, lost = self._acts, self._refusals, self._lost
        if not (acts or refusals or lost):
            return
        self._acts, self._refusals, self._lost = [], {}, 0
        try:
            async with database.writing() as session:
                await add_entries(session, [*acts, *map(_entry, refusals.items()), *_overflow(lost)])
        except BaseException:
            self._put_back(acts, refusals, lost)
            raise

    def _put_back(self, acts: list[Entry], refusals: dict[Refusal, tuple[int, int, int, str]], lost: int) -> None:
        room = WAITING_MAX - len(acts)
        self._lost += lost + max(0, len(self._acts) - room)
        self._acts = [*acts, *self._acts[: max(0, room)]]
        for what, (count, first, last, id) in self._refusals.items():
            before = refusals.get(what, (0, first, last, id))
            if before[0] or len(refusals) < WAITING_MAX:
                refusals[what] = (before[0] + count, before[1], last, before[3])
            else:
                self._lost += count
        self._refusals = refusals


def by(request: Request) -> By:
    """Who does what this request asks for."""
    caller: Caller = request.scope["allot.caller"]
    return By(caller.seller, caller.actor, request.scope.get("allot.request_id", ""))


def note(by: By, action: str, target: str, detail: dict[str, Any]) -> Entry:
    """The entry about an act in SQL; write it with `add_entries`, in the transaction of the act."""
    return Entry(
        seller=by.seller,
        at_ms=now_ms(),
        actor=by.actor,
        action=action,
        target=target,
        detail=detail,
        request_id=by.request_id,
    )


def _refusal(request: Request, error: RequestRefused, seller: str, actor: str) -> Refusal:
    route = request.scope.get("route")
    client = request.scope.get("client")
    return (
        seller,
        actor,
        getattr(route, "name", ""),
        f"{request.method} {getattr(route, 'path', '')}",
        problems.PROBLEMS[type(error)].slug,
        error.where,
        client[0] if client else "",
    )


def _claimed(request: Request) -> str:
    """The id of the key that was shown, if it has the form of one. It may be anybody's invention."""
    shown = key_id(request.headers.get("authorization", "").removeprefix("Bearer ").strip())
    return f"{NOBODY}:{shown}" if shown else NOBODY


def _entry(item: tuple[Refusal, tuple[int, int, int, str]]) -> Entry:
    (seller, actor, action, target, outcome, where, client), (count, first, last, id) = item
    return Entry(
        seller=seller,
        at_ms=last,
        actor=actor,
        action=action,
        target=target,
        outcome=outcome,
        detail={"where": where, "client": client, "count": count, "first_ms": first},
        request_id=id,
    )


def _overflow(lost: int) -> list[Entry]:
    if not lost:
        return []
    log.error("audit_overflow", lost=lost)
    detail = {"count": lost}
    return [Entry(seller=HOUSE, at_ms=now_ms(), actor="service", action="audit.overflow", target="", detail=detail)]
