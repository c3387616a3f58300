"""
Notifications, as whoever forwards them brings them to us.

Amazon sends them to an SQS queue or an event bus and to no address of ours, and signs nothing. So an EventBridge rule,
or a pipe from the queue, with an API destination posts each to our address, with a header that only we and it know.
It may come bare, inside EventBridge's envelope, or as a message of the queue; alone or several in a list.
"""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from channels.base import Delivery, News, Shown
from channels.errors import Nonsense, Unauthorized

from .bodies import SELLERS, read_as
from .feeds import FEED
from .words import AmazonSecrets, AmazonSettings

HEADER: Final = "x-allot-webhook-secret"


class _Lower(msgspec.Struct, rename="camel", frozen=True):
    """A struct whose fields Amazon spells in camel case, large or small."""


class Metadata(_Lower, frozen=True):
    """`notification_id` is the same however often a notification comes."""

    notification_id: str


class Notification(_Lower, frozen=True):
    """What every notification has; `payload` differs by its type."""

    notification_type: str
    notification_metadata: Metadata
    payload: dict[str, Any] = {}


class Summary(_Lower, frozen=True):
    """Where an order was placed and who ships it: MFN, the seller, or AFN, Amazon."""

    fulfillment_type: str = "MFN"
    marketplace_id: str = ""


class OrderChange(_Lower, frozen=True):
    """An order that changed."""

    seller_id: str
    amazon_order_id: str
    summary: Summary = Summary()


class QuantityChange(_Lower, frozen=True):
    """The number that is shown now, whoever changed it."""

    seller_id: str
    sku: str
    quantity: int
    fulfillment_channel_code: str = ""


class IssuesChange(_Lower, frozen=True):
    """Something about a listing is wrong, or no longer."""

    seller_id: str
    sku: str


class FeedFinished(_Lower, frozen=True):
    """A feed is done with, well or not."""

    feed_id: str
    feed_type: str
    seller_id: str = ""


def prove(delivery: Delivery, secrets: AmazonSecrets) -> None:
    """Raise Unauthorized unless whoever posts it knows our secret; with no secret nobody is believed."""
    given = delivery.headers.get(HEADER, "").encode()
    for secret in filter(None, (secrets.webhook_secret, secrets.previous_webhook_secret)):
        if hmac.compare_digest(secret.encode(), given):
            return
    raise Unauthorized(f"the header {HEADER} is not our secret")


def news_of(delivery: Delivery, settings: AmazonSettings) -> News:
    """What a delivery says, of one notification or several. Raises Nonsense."""
    try:
        said = msgspec.json.decode(delivery.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Nonsense(f"a notification that is no JSON: {error}") from error
    told = [_one(read_as(_lowered(one), Notification), settings) for one in _unwrapped(said)]
    if not told:
        raise Nonsense("a delivery without a notification")
    return told[0] if len(told) == 1 else _together(told)


def _unwrapped(said: Any) -> Iterator[Any]:
    """The notifications themselves, whatever they came in."""
    if isinstance(said, list):
        for one in said:
            yield from _unwrapped(one)
    elif isinstance(said, dict) and "detail" in said:
        yield said["detail"]
    elif isinstance(said, dict) and "body" in said:
        body = said["body"]
        try:
            yield msgspec.json.decode(body) if isinstance(body, str) else body
        except msgspec.DecodeError as error:
            raise Nonsense(f"a message of the queue that is no JSON: {error}") from error
    else:
        yield said


def _lowered(said: Any) -> Any:
    """The same with names that begin small: some types have them large, some small."""
    if isinstance(said, dict):
        return {name[:1].lower() + name[1:]: _lowered(inner) for name, inner in said.items()}
    return [_lowered(inner) for inner in said] if isinstance(said, list) else said


def _together(told: Sequence[News]) -> News:
    id = hashlib.sha256("\n".join(news.id for news in told).encode()).hexdigest()
    return News(
        id,
        told[0].topic,
        ask=[order for news in told for order in news.ask],
        shown=[shown for news in told for shown in news.shown],
        look=[listing for news in told for listing in news.look],
        finished=[ticket for news in told for ticket in news.finished],
    )


def _one(said: Notification, settings: AmazonSettings) -> News:
    """What one notification says; a queue has those of all sellers of an application, and others' say nothing here."""
    id, topic = said.notification_metadata.notification_id, said.notification_type
    news = News(id, topic)
    match topic:
        case "ORDER_CHANGE":
            order = read_as(said.payload.get("orderChangeNotification"), OrderChange)
            return News(id, topic, ask=[order.amazon_order_id]) if _is_ours(order, settings) else news
        case "LISTINGS_ITEM_MFN_QUANTITY_CHANGE":
            change = read_as(said.payload, QuantityChange)
            ours = (change.seller_id, change.fulfillment_channel_code) == (settings.seller, SELLERS)
            return News(id, topic, shown=[Shown(change.sku, change.quantity, change.sku)]) if ours else news
        case "LISTINGS_ITEM_ISSUES_CHANGE":
            issues = read_as(said.payload, IssuesChange)
            return News(id, topic, look=[issues.sku]) if issues.seller_id == settings.seller else news
        case "FEED_PROCESSING_FINISHED":
            feed = read_as(said.payload.get("feedProcessingFinishedNotification"), FeedFinished)
            ours = (feed.seller_id, feed.feed_type) == (settings.seller, FEED)
            return News(id, topic, finished=[feed.feed_id]) if ours else news
    return news


def _is_ours(order: OrderChange, settings: AmazonSettings) -> bool:
    """Whether we have to do with it: not with what Amazon ships, unless that is wanted too."""
    by_seller = order.summary.fulfillment_type == "MFN"
    there = order.summary.marketplace_id in settings.marketplaces
    return order.seller_id == settings.seller and there and (by_seller or settings.fba)
