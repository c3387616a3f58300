"""What can be done with webhooks, each in the caller's transaction and with its entry in the audit."""

from hashlib import blake2b
from typing import Any, Final

from allocator import errors
from app.audit import By, note
from app.errors import DeliveryUnknown, TooManyWebhooks, WebhookDisabled, WebhookUnknown
from app.store.audit import add_entries
from app.store.cursors import begin_at
from app.store.database import Session
from app.store.sellers import require_seller
from app.store.webhooks import (
    WAITING,
    DeliveryFacts,
    EndpointFacts,
    NewDelivery,
    add_deliveries,
    add_endpoint,
    change_delivery,
    change_endpoint,
    count_endpoints,
    delete_endpoint,
    find_delivery,
    find_endpoint,
)
from app.times import now_ms

from . import happenings
from .reader import READER
from .signing import rotated
from .words import WebhookAsked, WebhookPut

ENDPOINTS_MAX: Final = 50
"""Most webhooks of a seller: every event is written once for each that wants it."""

TEST: Final = "webhook.test"


async def make(session: Session, by: By, asked: WebhookAsked, *, op: str, position: str) -> tuple[EndpointFacts, bool]:
    """
    A new webhook, which is told what happens after this position of the ledger; and whether it was there already.

    `op` is the caller's name for it: the same op gives the same webhook. Raises OpConflict, TooManyWebhooks.
    """
    id = f"wh_{_digest(by.seller, op)[:24]}"
    # One at a time: the same op sent twice is one webhook, and the most there may be are the most there are.
    await require_seller(session, by.seller, lock=True)
    found = await find_endpoint(session, by.seller, id)
    if found is not None:
        if (found.url, found.events, found.channels) != (asked.url, list(asked.events), asked.channels):
            raise errors.OpConflict(facts={"op": op})
        return found, True
    if await count_endpoints(session, by.seller) >= ENDPOINTS_MAX:
        raise TooManyWebhooks(f"{ENDPOINTS_MAX} webhooks are the most a seller may have")
    await _listen_from(session, by.seller, position)
    now = now_ms()
    made = EndpointFacts(
        id=id,
        seller=by.seller,
        url=asked.url,
        events=list(asked.events),
        channels=asked.channels,
        secrets=rotated([], op, now_ms=now),
        active=True,
        disabled_why="",
        failing_since_ms=None,
        created_ms=now,
    )
    await add_endpoint(session, made)
    await add_entries(session, [note(by, "webhook.make", id, _shown(made))])
    return made, False


async def put(session: Session, by: By, before: EndpointFacts, asked: WebhookPut, *, position: str) -> EndpointFacts:
    """The webhook with other content; one that becomes active is told what happens after this position."""
    wakes = asked.active and not before.active
    if wakes:
        await _listen_from(session, by.seller, position)
    why = "" if asked.active else before.disabled_why or f"disabled by {by.actor}"
    is_fresh = wakes or asked.url != before.url
    after = await change_endpoint(
        session,
        before.id,
        url=asked.url,
        events=list(asked.events),
        channels=asked.channels,
        active=asked.active,
        disabled_why=why,
        failing_since_ms=None if is_fresh else before.failing_since_ms,
    )
    assert after is not None
    detail = {"before": _shown(before), "after": _shown(after)}
    await add_entries(session, [note(by, "webhook.put", before.id, detail)])
    return after


async def remove(session: Session, by: By, endpoint: EndpointFacts) -> None:
    """Forget a webhook and its deliveries."""
    await delete_endpoint(session, endpoint.id)
    await add_entries(session, [note(by, "webhook.delete", endpoint.id, _shown(endpoint))])


async def rotate(session: Session, by: By, endpoint: EndpointFacts, *, op: str) -> tuple[EndpointFacts, bool]:
    """The webhook with a new secret, the old one signing too for a day; and whether this op did so before."""
    if endpoint.secrets[0]["op"] == op:
        return endpoint, True
    secrets = rotated(endpoint.secrets, op, now_ms=now_ms())
    after = await change_endpoint(session, endpoint.id, secrets=secrets)
    assert after is not None
    await add_entries(session, [note(by, "webhook.rotate", endpoint.id, {})])
    return after, False


async def try_out(session: Session, by: By, endpoint: EndpointFacts, *, op: str) -> DeliveryFacts:
    """A test event, to be sent at once; the same op is the same event. Raises WebhookDisabled."""
    _refuse_disabled(endpoint)
    now = now_ms()
    body = happenings.body(TEST, now, {"webhook_id": endpoint.id})
    id = f"msg_{_digest(endpoint.id, TEST, op)}"
    await add_deliveries(session, [NewDelivery(id, endpoint.id, by.seller, TEST, body)], now_ms=now)
    return await delivery_of(session, by.seller, id)


async def resend(session: Session, by: By, endpoint: EndpointFacts, delivery: DeliveryFacts) -> DeliveryFacts:
    """Send a delivery once more, whatever became of it, under the same id. Raises WebhookDisabled."""
    _refuse_disabled(endpoint)
    again = await change_delivery(session, delivery.id, state=WAITING, attempts=0, next_ms=now_ms())
    assert again is not None
    await add_entries(session, [note(by, "webhook.resend", delivery.id, {"webhook": endpoint.id})])
    return again


async def endpoint_of(session: Session, seller: str, id: str, *, lock: bool = False) -> EndpointFacts:
    """The seller's webhook. Raises WebhookUnknown."""
    found = await find_endpoint(session, seller, id, lock=lock)
    if found is None:
        raise WebhookUnknown(f"there is no webhook {id}", where="path webhook_id")
    return found


async def delivery_of(session: Session, seller: str, id: str) -> DeliveryFacts:
    """The seller's delivery. Raises DeliveryUnknown."""
    found = await find_delivery(session, seller, id)
    if found is None:
        raise DeliveryUnknown(f"there is no delivery {id}", where="path delivery_id")
    return found


async def _listen_from(session: Session, seller: str, position: str) -> None:
    """While nobody listened nothing was read; what lies in between is nobody's news."""
    if await count_endpoints(session, seller, active=True) == 0:
        await begin_at(session, seller, READER, position)


def _refuse_disabled(endpoint: EndpointFacts) -> None:
    if not endpoint.active:
        raise WebhookDisabled(f"the webhook is disabled: {endpoint.disabled_why}")


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def _shown(endpoint: EndpointFacts) -> dict[str, Any]:
    """What the audit keeps. A URL's query may hold a token."""
    return {
        "url": endpoint.url.partition("?")[0],
        "events": endpoint.events,
        "channels": endpoint.channels,
        "active": endpoint.active,
    }
