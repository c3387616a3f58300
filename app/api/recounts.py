"""What is to be counted because a location rejected it, and how often locations reject."""

import msgspec
from fastapi import Request, Response

from allocator import Allocator
from allocator.ranking import REJECT_STEP, rejected_percent
from app.deps import caller_of, state_of
from app.edge import Query, answer
from app.errors import Behind
from app.guarding import guarded_router
from app.history import Whole, cut, one_of, read_cursor_of, wait_for
from app.openapi import documented
from app.recount_forms import RecountPage, RecountsQuery, RejectRate, RejectRates, shown_recount
from app.reject_rates import read_given
from app.store.recounts import LocationUnits, RecountFacts, RecountKey, WantedRecounts, list_recounts

router = guarded_router("/v1/recounts", "counts")
rates = guarded_router("/v1/reject-rates", "stock")

RECOUNTS = Query(RecountsQuery)

_key = msgspec.json.Decoder(tuple[Whole, str]).decode


@router.get("", **documented(RECOUNTS, scope="stock:read", answers=RecountPage, refuses=(Behind,)))
async def list_all_recounts(request: Request) -> Response:
    """
    What is to be counted or was, oldest first: skus at locations where a reject took units off the books.

    A reject opens a task when its reason asks for it; the next count of the sku there closes it.
    """
    caller, asked = caller_of(request), RECOUNTS(request)
    position = await wait_for(request, asked.after)
    wanted = WantedRecounts(
        state=asked.state or "",
        locations=one_of(asked.location, caller.locations),
        sku=asked.sku or "",
        after=read_cursor_of(asked.cursor, _key),
    )
    async with state_of(request).database.reading() as session:
        found = await list_recounts(session, caller.seller, wanted, asked.limit + 1)
    page, more = cut(found, asked.limit, _key_of)
    return answer(RecountPage([shown_recount(task) for task in page], more, position))


def _key_of(task: RecountFacts) -> RecountKey:
    return task.number, task.sku


@rates.get("", **documented(scope="stock:read", answers=RejectRates))
async def list_reject_rates(request: Request) -> Response:
    """
    How many of the units that orders got from each location it rejected, on the last days (ALLOT_REJECT_DAYS).

    A channel whose `routing` names `reject_rate` prefers locations that reject less, in steps of five percent.
    """
    caller, settings = caller_of(request), state_of(request).settings
    position = await wait_for(request)
    async with state_of(request).database.reading() as session:
        found = await read_given(session, caller.seller, settings.reject_days)
    seen = [one for one in found if caller.sees_location(one.location)]
    shown = [_shown(one, caller.allocator, settings.reject_units_min) for one in seen]
    days, units_min = settings.reject_days, settings.reject_units_min
    return answer(RejectRates(days=days, units_min=units_min, rates=shown, position=position))


def _shown(one: LocationUnits, allocator: Allocator, units_min: int) -> RejectRate:
    in_use = allocator.rates.get(one.location, 0)
    return RejectRate(
        location=one.location,
        taken=one.taken,
        rejected=one.rejected,
        percent=rejected_percent(one.taken, one.rejected),
        counts=one.taken >= units_min,
        ranks_as=in_use - in_use % REJECT_STEP,
    )
