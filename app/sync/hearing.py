"""
Webhooks of channels: proved, written down, and answered; what they say is acted upon afterwards.

One that was answered is never lost: it is in the database by then, together with those that came at the same moment.
"""

import asyncio
import hashlib
from functools import partial
from typing import Final, cast

import structlog
from redis.exceptions import RedisError

from app.deps import State
from app.errors import ChannelAway, WebhookForged
from app.lines.lag import keep
from app.lines.lines import Line
from app.store.connections import ConnectionFacts
from app.times import now_ms
from channels.base import Delivery, News
from channels.errors import Busy, ChannelError, Down, Nonsense, Unclear

from .noting import Note, write_all

SECONDS_MAX: Final = 3.0
"""How long a webhook may take that has to be proved by asking the channel: a vendor gives up after five seconds."""

ID_MAX: Final = 200

log = structlog.get_logger(__name__)


async def hear(state: State, facts: ConnectionFacts, delivery: Delivery) -> bytes:
    """
    Write down what a webhook says; the body to answer with, which mostly is empty.

    Raises WebhookForged, ChannelAway (it could not be proved now), Unsealable, DatabaseAway.
    """
    line = await state.lines.line(facts)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            news = await _proved(line, delivery)
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


async def _proved(line: Line, delivery: Delivery) -> News:
    """What it says, once that is known to be the channel's; one at a time asks the channel for what proves it."""
    try:
        next(line.connector.hear(delivery, now_ms()))
    except StopIteration as done:
        return cast(News, done.value)
    async with line.proving:
        # Mostly whoever asked before has it by now.
        return await line.engine.run(line.connector.hear(delivery, now_ms()))


async def _write_down(state: State, facts: ConnectionFacts, news: News, body: bytes) -> None:
    id = news.id if 0 < len(news.id) <= ID_MAX else hashlib.sha256(news.id.encode() or body).hexdigest()
    arrivals = await state.notes.add(Note(facts, id, news), partial(write_all, state.database))
    await keep(state.pipe.client, facts.seller, facts.code, arrivals)
