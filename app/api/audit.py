"""Who did what, and what was refused to whom."""

from fastapi import Request, Response

from app.deps import caller_of, state_of
from app.edge import Query, answer
from app.errors import Unfit
from app.guarding import guarded_router
from app.key_forms import AuditPage, AuditQuery, show_entry
from app.openapi import documented
from app.store.audit import Wanted, list_entries

router = guarded_router("/v1/audit", "audit")

WANTED = Query(AuditQuery)


@router.get("", **documented(WANTED, scope="audit:read", answers=AuditPage))
async def get_audit(request: Request) -> Response:
    """Privileged acts and refused requests, newest first; what just happened is here within two seconds."""
    caller, asked = caller_of(request), WANTED(request)
    wanted = Wanted(
        actor=asked.actor,
        action=asked.action,
        outcome=asked.outcome,
        since_ms=asked.since_ms,
        before=_before(asked.cursor),
    )
    async with state_of(request).database.reading() as session:
        found = await list_entries(session, seller=caller.seller, wanted=wanted, limit=asked.limit)
    more = str(found[-1].id) if len(found) == asked.limit else None
    return answer(AuditPage([show_entry(entry) for entry in found], more))


def _before(cursor: str) -> int | None:
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdigit()):
        raise Unfit("this is no cursor of ours", where="query cursor")
    return int(cursor)
