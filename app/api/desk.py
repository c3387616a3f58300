"""Orders that lose their location: refused by it, moved by somebody, in conflict."""

import msgspec
from fastapi import Request, Response

from allocator import Allocator, Changed, SkuState, errors
from allocator.config import DEFAULT_REASONS
from app.acknowledging import acknowledged, deciding
from app.deps import caller_of, op_key, state_of
from app.desk_forms import (
    Conflict,
    ConflictPage,
    ConflictsQuery,
    Option,
    OrderMoveAsked,
    ReasonInForce,
    ReasonsInForce,
    RejectAsked,
)
from app.edge import Body, Path, Query, answer
from app.errors import Behind
from app.guarding import guarded_router
from app.history import Whole, cut, one_of, read_cursor_of, wait_for
from app.openapi import documented
from app.requests import OrderPath
from app.store.desk import ConflictFacts, list_conflicts

orders = guarded_router("/v1/orders", "orders")
conflicts = guarded_router("/v1/conflicts", "orders")
reject_reasons = guarded_router("/v1/reject-reasons", "orders")

ORDER = Path(OrderPath)
REJECT = Body(RejectAsked)
MOVE = Body(OrderMoveAsked)
CONFLICTS = Query(ConflictsQuery)

SKUS_AT_ONCE = 100

_key = msgspec.json.Decoder(tuple[tuple[Whole, str, str], str]).decode


@orders.post(
    "/{channel}/{external_id}/reject",
    **documented(
        ORDER,
        REJECT,
        scope="orders:ship",
        answers=Changed,
        op_key=True,
        acknowledges=True,
        stops="upkeep",
        refuses=(errors.UnknownReason, errors.UnknownOrder, errors.UnknownLine, errors.NotCommitted),
    ),
)
@acknowledged
async def reject_order(request: Request) -> Response:
    """
    A location refuses what the order was to get there: the stock learns from the reason, the order goes elsewhere.

    What finds no place is in conflict and served when units arrive; after `rejects_max` rejects somebody has to decide.
    """
    caller, path, op, asked = caller_of(request), ORDER(request), op_key(request), await REJECT(request)
    allocator = await deciding(request, path.channel)
    rejected = allocator.reject(
        path.channel,
        path.external_id,
        asked.location,
        asked.lines,
        op=op,
        reason=asked.reason,
        rejects_max=asked.rejects_max,
        ship_to=asked.ship_to,
        prefer=asked.prefer,
        actor=caller.actor,
    )
    return answer(await rejected)


@reject_reasons.get("", **documented(scope="orders:read", answers=ReasonsInForce))
async def list_reject_reasons(request: Request) -> Response:
    """The reasons that a reject may name, the default ones too, and what each says of the stock."""
    allocator = caller_of(request).allocator
    await allocator.reload()
    reasons = sorted(allocator.reasons.values(), key=lambda reason: reason.code)
    shown = [ReasonInForce(one.code, one.name, one.effect, one.recount, one in DEFAULT_REASONS) for one in reasons]
    return answer(ReasonsInForce(allocator.version, shown))


@orders.post(
    "/{channel}/{external_id}/move",
    **documented(
        ORDER,
        MOVE,
        scope="orders:write",
        answers=Changed,
        op_key=True,
        acknowledges=True,
        stops="upkeep",
        refuses=(
            *(errors.UnknownOrder, errors.UnknownLine, errors.UnknownLocation),
            *(errors.NotCommitted, errors.NotEnough),
        ),
    ),
)
@acknowledged
async def move_order(request: Request) -> Response:
    """
    Units of the order go to another location, from one or from those that wait: released and taken in one step.

    Any unit there may be taken that nobody has, safety stock and quotas last: whoever moves has decided.
    """
    caller, path, op, asked = caller_of(request), ORDER(request), op_key(request), await MOVE(request)
    allocator = await deciding(request, path.channel)
    moved = allocator.move(
        path.channel,
        path.external_id,
        asked.to_location,
        asked.lines,
        op=op,
        origin=asked.from_location or "",
        why=asked.why,
        actor=caller.actor,
    )
    return answer(await moved)


@conflicts.get("", **documented(CONFLICTS, scope="orders:read", answers=ConflictPage, refuses=(Behind,)))
async def list_all_conflicts(request: Request) -> Response:
    """
    Units of accepted orders that lost their location and found no other, oldest orders first; from SQL as orders.

    Each says where there are units now that somebody may move it to (`POST …/move`); it may also wait, or be cancelled.
    A key that is limited to locations sees none: what is in conflict is at no location.
    """
    caller, asked = caller_of(request), CONFLICTS(request)
    position = await wait_for(request, asked.after)
    if caller.locations is not None:
        return answer(ConflictPage([], None, position))
    channels, after = one_of(asked.channel, caller.channels), read_cursor_of(asked.cursor, _key)
    async with state_of(request).database.reading() as session:
        found = await list_conflicts(
            session, caller.seller, asked.limit + 1, channels=channels, sku=asked.sku or "", after=after
        )
    page, more = cut(found, asked.limit, _key_of)
    return answer(ConflictPage(await _shown(caller.allocator, list(page)), more, position))


def _key_of(facts: ConflictFacts) -> tuple[object, ...]:
    return (facts.placed_ms, facts.channel, facts.external_id), facts.line


async def _shown(allocator: Allocator, found: list[ConflictFacts]) -> list[Conflict]:
    states = await _states(allocator, sorted({facts.sku for facts in found}))
    return [
        Conflict(
            facts.channel,
            facts.external_id,
            facts.line,
            facts.sku,
            facts.units,
            facts.placed_ms,
            _options(states.get(facts.sku)),
        )
        for facts in found
    ]


async def _states(allocator: Allocator, skus: list[str]) -> dict[str, SkuState | None]:
    states: dict[str, SkuState | None] = {}
    for start in range(0, len(skus), SKUS_AT_ONCE):
        part = skus[start : start + SKUS_AT_ONCE]
        states |= dict(zip(part, await allocator.stock(part), strict=True))
    return states


def _options(state: SkuState | None) -> list[Option]:
    """Where units of a sku are that nobody has, most first."""
    places = state.places if state else {}
    options = [Option(code, place.available) for code, place in places.items()]
    return sorted((option for option in options if option.available > 0), key=lambda option: -option.available)
