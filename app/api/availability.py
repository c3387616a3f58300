"""How many units a channel may promise now, and why."""

from fastapi import Request, Response

from allocator import Level, errors
from app.answers import Levels
from app.deps import caller_of
from app.edge import Body, Path, Query, answer
from app.guarding import guarded_router
from app.openapi import documented
from app.requests import AvailabilityAsked, AvailabilityQuery, SkuPath

router = guarded_router("/v1/availability", "availability")

SKU = Path(SkuPath)
WANTED = Query(AvailabilityQuery)
MANY = Body(AvailabilityAsked)

CHUNK = 100
"""Skus per question to the allocator: a longer script would keep orders waiting."""


@router.get(
    "/{sku}",
    **documented(
        SKU, WANTED, scope="availability:read", answers=Levels, refuses=(errors.UnknownSku, errors.UnknownChannel)
    ),
)
async def get_availability(request: Request) -> Response:
    """How many units of a sku each channel may promise now."""
    caller, sku, wanted = caller_of(request), SKU(request).sku, WANTED(request)
    channels = wanted.channel or await caller.own_channels()
    if not channels:
        return answer(Levels([]))
    levels = await caller.allocator.availability([sku], channels, owner=wanted.owner, ship_to=wanted.ship_to())
    if levels[0].version == -1:
        raise errors.UnknownSku(facts={"skus": [sku]})
    return answer(Levels(levels))


@router.post("", **documented(MANY, scope="availability:read", answers=Levels, refuses=(errors.UnknownChannel,)))
async def ask_availability(request: Request) -> Response:
    """How many units of up to 1,000 skus each channel may promise now, read a hundred at a time."""
    caller, asked = caller_of(request), await MANY(request)
    channels = asked.channels or await caller.own_channels()
    levels: list[Level] = []
    for start in range(0, len(asked.skus) if channels else 0, CHUNK):
        skus = asked.skus[start : start + CHUNK]
        levels += await caller.allocator.availability(skus, channels, owner=asked.owner, ship_to=asked.ship_to)
    return answer(Levels(levels))
