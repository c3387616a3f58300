"""Skus of which no unit moves, because their records contradict each other."""

from fastapi import Request, Response

from allocator.gate import Gate
from app.answers import FrozenSku, FrozenSkus
from app.deps import caller_of, state_of
from app.edge import answer
from app.guarding import guarded_router
from app.openapi import documented

router = guarded_router("/v1/frozen", "stock")


@router.get("", **documented(scope="audit:read", answers=FrozenSkus))
async def list_frozen(request: Request) -> Response:
    """Which skus are frozen, and why; `allot check --repair` puts them right."""
    allocator = caller_of(request).allocator
    gate = Gate(state_of(request).pipe.client, allocator.seller, allocator.epoch)
    found = await gate.frozen()
    return answer(FrozenSkus([FrozenSku(sku, found[sku]) for sku in sorted(found)]))
