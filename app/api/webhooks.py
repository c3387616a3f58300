"""Webhooks: where events are sent, with which secret, and what became of each."""

import base64
from typing import Final, cast

from fastapi import Request, Response
from redis.exceptions import RedisError

from allocator import errors, ledger
from app.addresses import BadUrl, parse
from app.audit import by
from app.deps import State, caller_of, op_key, state_of
from app.edge import Body, Path, Query, answer
from app.errors import (
    DeliveryUnknown,
    OutsideLimits,
    TooManyWebhooks,
    Unfit,
    WebhookDisabled,
    WebhookUnknown,
)
from app.guarding import guarded_router
from app.openapi import documented
from app.rights import Caller
from app.store.database import Session
from app.store.webhooks import DeliveryFacts, EndpointFacts, list_deliveries, list_endpoints
from app.webhooks import desk
from app.webhooks.jobs import Webhooks
from app.webhooks.words import (
    WITHOUT_CHANNEL,
    DeliveriesQuery,
    Delivery,
    DeliveryPage,
    DeliveryPath,
    DeliveryShown,
    WebhookAsked,
    WebhookList,
    WebhookMade,
    WebhookPath,
    WebhookPut,
    WebhookShown,
    show_delivery,
    show_webhook,
)

router = guarded_router("/v1/webhooks", "webhooks")

WEBHOOK = Path(WebhookPath)
DELIVERY = Path(DeliveryPath)
WANTED = Query(DeliveriesQuery)
MAKE = Body(WebhookAsked)
PUT = Body(WebhookPut)

SCOPE: Final = "webhooks:write"


@router.get("", **documented(scope=SCOPE, answers=WebhookList))
async def get_webhooks(request: Request) -> Response:
    """The seller's webhooks, oldest first; a limited key sees those that tell no more than it may know."""
    caller = caller_of(request)
    async with state_of(request).database.reading() as session:
        found = await list_endpoints(session, caller.seller)
    return answer(WebhookList([show_webhook(endpoint) for endpoint in found if _may_see(caller, endpoint)]))


@router.post(
    "",
    **documented(
        MAKE,
        scope=SCOPE,
        answers=WebhookMade,
        created=True,
        op_key=True,
        refuses=(TooManyWebhooks, errors.UnknownChannel),
    ),
)
async def make_webhook(request: Request) -> Response:
    """
    Send events to this address from now on, signed as Standard Webhooks 1.0. The answer alone has the secret.

    An event is {"type", "timestamp", "data"}, posted until the answer is 2xx, again after 5 s, 5 min, 30 min, 2 h, 5 h,
    10 h and 10 h. Types: `availability.changed` (the newest numbers, several changes taken together), `order.placed`,
    `order.changed`, `hold.ended`, `stock.deficit`, `config.changed`; and to everybody `events.lost`, when events are
    gone and all numbers have to be asked for. An event may come twice, with the same webhook-id, and out of order:
    versions tell.
    """
    op, asked, caller, state = op_key(request), await MAKE(request), caller_of(request), state_of(request)
    await _refuse_unfit(state, caller, asked)
    position = await _position(state, caller)
    async with state.database.writing() as session:
        made, is_known = await desk.make(session, by(request), asked, op=op, position=position)
    return answer(_with_secret(made, op, replayed=is_known), 201)


@router.get("/{webhook_id}", **documented(WEBHOOK, scope=SCOPE, answers=WebhookShown, refuses=(WebhookUnknown,)))
async def get_webhook(request: Request) -> Response:
    """One webhook: whether it is active, and if not why."""
    async with state_of(request).database.reading() as session:
        return answer(show_webhook(await _find(session, request)))


@router.put(
    "/{webhook_id}",
    **documented(WEBHOOK, PUT, scope=SCOPE, answers=WebhookShown, refuses=(WebhookUnknown, errors.UnknownChannel)),
)
async def put_webhook(request: Request) -> Response:
    """Change a webhook, disable or enable it. What happens while it is disabled is not sent later; what waited is."""
    asked, caller, state = await PUT(request), caller_of(request), state_of(request)
    await _refuse_unfit(state, caller, asked)
    position = await _position(state, caller)
    async with state.database.writing() as session:
        before = await _find(session, request, lock=True)
        after = await desk.put(session, by(request), before, asked, position=position)
    _kick(request)
    return answer(show_webhook(after))


@router.delete("/{webhook_id}", **documented(WEBHOOK, scope=SCOPE, answers=WebhookShown, refuses=(WebhookUnknown,)))
async def delete_webhook(request: Request) -> Response:
    """Send nothing more there, and forget what was sent. The answer is the webhook as it was."""
    async with state_of(request).database.writing() as session:
        endpoint = await _find(session, request, lock=True)
        await desk.remove(session, by(request), endpoint)
    return answer(show_webhook(endpoint))


@router.post(
    "/{webhook_id}/rotate",
    **documented(WEBHOOK, scope=SCOPE, answers=WebhookMade, op_key=True, refuses=(WebhookUnknown,)),
)
async def rotate_webhook(request: Request) -> Response:
    """Make a new secret. For 24 hours events carry both signatures, so the receiver can change over when it likes."""
    op = op_key(request)
    async with state_of(request).database.writing() as session:
        endpoint = await _find(session, request, lock=True)
        after, is_known = await desk.rotate(session, by(request), endpoint, op=op)
    return answer(_with_secret(after, op, replayed=is_known))


@router.post(
    "/{webhook_id}/test",
    **documented(WEBHOOK, scope=SCOPE, answers=Delivery, op_key=True, refuses=(WebhookUnknown, WebhookDisabled)),
)
async def try_webhook(request: Request) -> Response:
    """Send a `webhook.test` event; its delivery tells how that went."""
    op = op_key(request)
    async with state_of(request).database.writing() as session:
        delivery = await desk.try_out(session, by(request), await _find(session, request, lock=True), op=op)
    _kick(request)
    return answer(show_delivery(delivery))


@router.get(
    "/{webhook_id}/deliveries",
    **documented(WEBHOOK, WANTED, scope=SCOPE, answers=DeliveryPage, refuses=(WebhookUnknown,)),
)
async def get_deliveries(request: Request) -> Response:
    """What was sent to a webhook and what waits, newest first."""
    wanted = WANTED(request)
    before = _read_cursor(wanted.cursor) if wanted.cursor else None
    async with state_of(request).database.reading() as session:
        endpoint = await _find(session, request)
        found = await list_deliveries(
            session, endpoint.id, state=wanted.state or "", before=before, limit=wanted.limit + 1
        )
    page = found[: wanted.limit]
    more = _write_cursor(page[-1]) if len(found) > wanted.limit else None
    return answer(DeliveryPage([show_delivery(delivery) for delivery in page], more))


@router.get(
    "/deliveries/{delivery_id}",
    **documented(DELIVERY, scope=SCOPE, answers=DeliveryShown, refuses=(DeliveryUnknown,)),
)
async def get_delivery(request: Request) -> Response:
    """One delivery, with the body that is sent."""
    async with state_of(request).database.reading() as session:
        _, delivery = await _find_delivery(session, request)
    return answer(DeliveryShown(show_delivery(delivery), delivery.payload))


@router.post(
    "/deliveries/{delivery_id}/resend",
    **documented(DELIVERY, scope=SCOPE, answers=Delivery, refuses=(DeliveryUnknown, WebhookDisabled)),
)
async def resend_delivery(request: Request) -> Response:
    """Send an event again, under the same webhook-id: a receiver that has it can tell."""
    async with state_of(request).database.writing() as session:
        endpoint, delivery = await _find_delivery(session, request)
        again = await desk.resend(session, by(request), endpoint, delivery)
    _kick(request)
    return answer(show_delivery(again))


# --- what requests have in common ------------------------------------------------------------------------------------


def _kick(request: Request) -> None:
    """Send at once what was just made due; a scheduler elsewhere sees it within a second."""
    webhooks = cast(Webhooks | None, request.app.state.webhooks)
    if webhooks is not None:
        webhooks.courier.kick()


async def _position(state: State, caller: Caller) -> str:
    """Where the ledger ends now. Raises Unanswered."""
    try:
        return await ledger.last_id(state.pipe.client, caller.seller)
    except (RedisError, OSError) as error:
        raise errors.Unanswered("the store did not answer; nothing was done") from error


async def _refuse_unfit(state: State, caller: Caller, asked: WebhookAsked) -> None:
    """Raises Unfit, UnknownChannel, OutsideLimits."""
    try:
        parse(asked.url, allow_private=state.settings.webhooks_allow_private)
    except BadUrl as error:
        raise Unfit(str(error), where="body /url") from error
    if WITHOUT_CHANNEL in asked.events and asked.channels is not None:
        raise Unfit(f"{WITHOUT_CHANNEL} belongs to no channel: leave it out, or the channels", where="body /events")
    if WITHOUT_CHANNEL in asked.events and caller.locations is not None:
        raise OutsideLimits(f"{WITHOUT_CHANNEL} tells of every location", where="body /events")
    for code in asked.channels or ():
        if code not in await caller.own_channels():
            raise errors.UnknownChannel(facts={"channel": code})


def _may_see(caller: Caller, endpoint: EndpointFacts) -> bool:
    """Whether the webhook tells no more than the caller may know."""
    if caller.locations is not None and WITHOUT_CHANNEL in endpoint.events:
        return False
    return caller.channels is None or (endpoint.channels is not None and caller.channels.issuperset(endpoint.channels))


async def _find(session: Session, request: Request, *, lock: bool = False) -> EndpointFacts:
    """The webhook of the path. Raises WebhookUnknown, for one the caller may not see too."""
    caller, id = caller_of(request), WEBHOOK(request).webhook_id
    endpoint = await desk.endpoint_of(session, caller.seller, id, lock=lock)
    if not _may_see(caller, endpoint):
        raise WebhookUnknown(f"there is no webhook {id}", where="path webhook_id")
    return endpoint


async def _find_delivery(session: Session, request: Request) -> tuple[EndpointFacts, DeliveryFacts]:
    """The delivery of the path and its webhook. Raises DeliveryUnknown, for one the caller may not see too."""
    caller, id = caller_of(request), DELIVERY(request).delivery_id
    delivery = await desk.delivery_of(session, caller.seller, id)
    endpoint = await desk.endpoint_of(session, caller.seller, delivery.endpoint)
    if not _may_see(caller, endpoint):
        raise DeliveryUnknown(f"there is no delivery {id}", where="path delivery_id")
    return endpoint, delivery


def _with_secret(endpoint: EndpointFacts, op: str, *, replayed: bool) -> WebhookMade:
    newest = endpoint.secrets[0]
    return WebhookMade(show_webhook(endpoint), newest["secret"] if newest["op"] == op else "", replayed)


def _write_cursor(last: DeliveryFacts) -> str:
    return base64.urlsafe_b64encode(f"{last.created_ms}.{last.id}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[int, str]:
    """The time and id of the last delivery seen. Raises Unfit."""
    try:
        made, _, id = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode().partition(".")
        return int(made), id
    except ValueError as error:
        raise Unfit("this is no cursor of ours", where="query cursor") from error
