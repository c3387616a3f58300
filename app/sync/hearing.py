"""
Webhooks of channels: proved, written down, and answered; what they say is acted upon afterwards.

What one says and that it was heard are one transaction, so one that comes again changes nothing, and one that was
answered is never lost. An old one that is sent again under another id changes nothing either: pictures have revisions.
"""

import asyncio
import hashlib
from typing import Final

import structlog
from redis.exceptions import RedisError

from app.deps import State
from app.errors import ChannelAway, WebhookForged
from app.store.connections import ConnectionFacts
from app.store.heard import note_named, note_news, note_odd, note_told
from app.times import now_ms
from channels.base import Delivery, News
from channels.errors import Busy, ChannelError, Down, Nonsense, Unclear

from .pictures import told_of
from .told import look_again, note_shown, ticket_finished

SECONDS_MAX: Final = 3.0
"""How long a webhook may take that has to be proved by asking the channel: a vendor gives up after five seconds."""

ID_MAX: Final = 200
VIA: Final = "hook"

log = structlog.get_logger(__name__)


async def hear(state: State, facts: ConnectionFacts, delivery: Delivery) -> bytes:
    """
    Write down what a webhook says; the body to answer with, which mostly is empty.

    Raises WebhookForged, ChannelAway (it could not be proved now), Unsealable, DatabaseAway.
    """
    line = await state.lines.line(facts)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            news = await line.engine.run(line.connector.hear(delivery, now_ms()))
    except Nonsense as error:
        # It is theirs, and sending it again makes it no better; what it was about, polling finds.
        log.warning("webhook_not_understood", seller=facts.seller, connection=facts.code, says=str(error)[:200])
        return b""
    except (Down, Busy, Unclear, TimeoutError, RedisError) as error:
        raise ChannelAway(f"the webhook cannot be proved now: {type(error).__name__}") from error
    except ChannelError as error:
        raise WebhookForged from error
    if not news.reply:
        await _write_down(state, facts, news, delivery.body)
    return news.reply


async def _write_down(state: State, facts: ConnectionFacts, news: News, body: bytes) -> None:
    id = news.id if 0 < len(news.id) <= ID_MAX else hashlib.sha256(news.id.encode() or body).hexdigest()
    at_ms, mine = now_ms(), (facts.seller, facts.code)
    async with state.database.writing() as session:
        if not await note_news(session, *mine, id, topic=news.topic[:100], now_ms=at_ms):
            return
        await note_told(session, *mine, [told_of(order) for order in news.orders], via=VIA, now_ms=at_ms)
        await note_named(session, *mine, news.ask, via=VIA, now_ms=at_ms)
        for one in news.odd:
            await note_odd(session, *mine, one.external_id, one.says, via=VIA, now_ms=at_ms)
        await note_shown(session, facts, news.shown)
        await look_again(session, facts, news.look)
        await ticket_finished(session, facts, news.finished)
