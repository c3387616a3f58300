"""Orders whose payment or check is pending, between HTTP, the store and SQL."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from allocator import Allocator, KeptOrder, Order, OrderRequest, PendingReason, errors
from allocator.pending import PREFIX, owner_of
from allocator.pending_orders import pending_order
from allocator.records import decode_hold

from .deps import caller_of
from .edge import answer
from .errors import Unfit
from .past import AWAY, from_sql, past_order, read_past
from .store.past_holds import newest_of_owner

UNKNOWN = (errors.UnknownOrder, errors.UnknownHold)


def refuse_reserved(where: str, name: str) -> None:
    """Names of pending orders' holds are nobody else's. Raises Unfit."""
    if name.startswith(PREFIX):
        raise Unfit(f"what begins with {PREFIX} are pending orders", where=f"{where}")


async def keep_pending(
    allocator: Allocator, wanted: OrderRequest, reason: PendingReason, actor: str
) -> KeptOrder | Order:
    """Keep an order until it is paid or checked; one that was accepted already is the answer as it stands."""
    try:
        return await allocator.keep_pending(wanted, reason, actor)
    except errors.AlreadyAccepted:
        return await allocator.find_order(wanted.channel, wanted.external_id)


def status_of(kept: KeptOrder | Order) -> int:
    """202 for what is only kept now; 200 for what was kept before, and for an order that was accepted."""
    return 202 if isinstance(kept, KeptOrder) and not kept.replayed else 200


async def last_hold(request: Request, channel: str, external_id: str) -> str:
    """The hold that the order is while it is pending, or was last. Raises UnknownOrder, DatabaseAway."""
    try:
        return await caller_of(request).allocator.pending_hold(channel, external_id)
    except errors.UnknownOrder as why:
        read = partial(newest_of_owner, owner=owner_of(channel, external_id))
        found, _ = await read_past(request, read, why)
        return found.hold_id


async def not_in_store(request: Request, channel: str, external_id: str, why: errors.AllocatorError) -> Response:
    """
    What is known of an order of which the store says `why` there is no record: it is pending, in SQL, or was pending.

    Raises `why` when it is nothing of that; DatabaseAway.
    """
    if isinstance(why, errors.UnknownOrder):
        try:
            return answer(await caller_of(request).allocator.find_pending(channel, external_id))
        except UNKNOWN:
            pass
    try:
        return await past_order(request, channel, external_id, why)
    except type(why):
        return await _was_pending(request, channel, external_id, why)


async def _was_pending(request: Request, channel: str, external_id: str, why: errors.AllocatorError) -> Response:
    """The order by the hold that it was last: as the store has that, or else SQL."""
    read = partial(newest_of_owner, owner=owner_of(channel, external_id))
    found, position = await read_past(request, read, why)
    allocator = caller_of(request).allocator
    try:
        return answer(pending_order(await allocator.find_hold(found.hold_id)))
    except errors.UnknownOrder:
        # It was paid a moment ago.
        return answer(await allocator.find_order(channel, external_id))
    except (errors.UnknownHold, *AWAY):
        return from_sql(pending_order(decode_hold(found.hold_id, found.record)), position)
