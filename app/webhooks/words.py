"""What callers say and are told about webhooks, as types."""

from typing import Annotated, Final, Literal

import msgspec

from allocator import Code
from app.requests import CHANNELS_MAX, Asked
from app.store.webhooks import DeliveryFacts, EndpointFacts

EventType = Literal[
    "availability.changed", "order.placed", "order.changed", "hold.ended", "stock.deficit", "config.changed"
]
"""What can be asked for; `events.lost` and `webhook.test` are sent to everybody they concern."""

WITHOUT_CHANNEL: Final = "stock.deficit"
"""What belongs to a location: nobody who is limited to channels can have it."""

Url = Annotated[
    str,
    msgspec.Meta(
        min_length=10, max_length=500, pattern=r"^https?://[!-~]+\Z", description="https, and a public address."
    ),
]
Wanted = Annotated[list[EventType], msgspec.Meta(min_length=1, max_length=10)]
State = Literal["waiting", "delivered", "failed"]


class WebhookPath(Asked, frozen=True, kw_only=True):
    """One webhook."""

    webhook_id: Code


class DeliveryPath(Asked, frozen=True, kw_only=True):
    """One delivery; its id is the webhook-id that the receiver saw."""

    delivery_id: Code


class DeliveriesQuery(Asked, frozen=True, kw_only=True):
    """Which deliveries to list."""

    state: State | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    cursor: Annotated[str, msgspec.Meta(max_length=200)] = ""


class WebhookAsked(Asked, frozen=True, kw_only=True):
    """Where to send which events. With channels only what concerns one of them; `stock.deficit` then is impossible."""

    url: Url
    events: Wanted
    channels: Annotated[list[Code], msgspec.Meta(min_length=1, max_length=CHANNELS_MAX)] | None = None


class WebhookPut(WebhookAsked, frozen=True, kw_only=True):
    """All that can be changed; `active` again lets what waits be sent."""

    active: bool = True


class WebhookShown(msgspec.Struct, frozen=True):
    """
    A webhook. Of its secrets only the last four characters are ever shown again.

    disabled_why: who or what disabled it, '' while it is active. failing_since_ms: nothing has been delivered since.
    """

    id: str
    url: str
    events: list[str]
    channels: list[str] | None
    active: bool
    disabled_why: str
    failing_since_ms: int | None
    secrets_end_with: list[str]
    created_ms: int


class WebhookMade(msgspec.Struct, frozen=True):
    """A webhook with its newest secret, which is shown this once ('' when it has been rotated since)."""

    webhook: WebhookShown
    secret: str
    replayed: bool


class WebhookList(msgspec.Struct, frozen=True):
    """Every webhook of the seller that the caller may see."""

    data: list[WebhookShown]


class Delivery(msgspec.Struct, frozen=True):
    """
    One event for one webhook; `id` is sent as webhook-id, the same with every attempt.

    next_ms: when it is tried next, while it waits. last_status: what the receiver answered last; last_error: why that
    was no success.
    """

    id: str
    webhook_id: str
    event: str
    state: str
    attempts: int
    next_ms: int | None
    last_status: int | None
    last_error: str
    last_ms: int | None
    created_ms: int


class DeliveryShown(msgspec.Struct, frozen=True):
    """A delivery and what it says: the very body that is sent."""

    delivery: Delivery
    body: str


class DeliveryPage(msgspec.Struct, frozen=True):
    """Deliveries, newest first."""

    data: list[Delivery]
    next_cursor: str | None


def show_webhook(facts: EndpointFacts) -> WebhookShown:
    """The webhook without its secrets."""
    return WebhookShown(
        id=facts.id,
        url=facts.url,
        events=facts.events,
        channels=facts.channels,
        active=facts.active,
        disabled_why=facts.disabled_why,
        failing_since_ms=facts.failing_since_ms,
        secrets_end_with=[secret["secret"][-4:] for secret in facts.secrets],
        created_ms=facts.created_ms,
    )


def show_delivery(facts: DeliveryFacts) -> Delivery:
    """The delivery without its payload."""
    return Delivery(
        id=facts.id,
        webhook_id=facts.endpoint,
        event=facts.event,
        state=facts.state,
        attempts=facts.attempts,
        next_ms=facts.next_ms if facts.state == "waiting" else None,
        last_status=facts.last_status,
        last_error=facts.last_error,
        last_ms=facts.last_ms,
        created_ms=facts.created_ms,
    )
