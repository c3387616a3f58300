"""
Server-sent events: the one answer of the service that has no end of its own.

It is written straight to the server, part by part; nothing on the way gathers bodies. It ends when the client leaves or
takes nothing for a minute, when its key is revoked, and when the service stops.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Any, Final

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.ending import end

from .subscription import Subscription
from .words import News

ROWS_MAX: Final = 100
"""Most numbers of one message."""

HEARTBEAT_SECONDS: Final = 15.0
"""After so long without news a comment is sent, so that nobody on the way thinks the connection dead."""

STALLED_SECONDS: Final = 60.0
"""Who takes nothing for so long has gone without saying so."""

RETRY_MS: Final = 3_000
"""How long clients wait before they come back."""

HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

_encode = msgspec.json.Encoder().encode


def message(event: str, data: Any, id: str = "") -> bytes:
    """One event. Without an `id` the client keeps the one it has."""
    head = f"id: {id}\n" if id else ""
    return f"{head}event: {event}\ndata: ".encode() + _encode(data) + b"\n\n"


def told(news: News) -> bytes:
    """The events of some news; the position comes with the last of them."""
    parts: list[tuple[str, Any]] = []
    if news.reload:
        parts.append(("reload", news.reload))
    if news.levels:
        parts.append(("availability", {"levels": news.levels}))
    return b"".join(
        message(event, data, news.position if number == len(parts) else "")
        for number, (event, data) in enumerate(parts, 1)
    )


class EventStream(Response):
    """
    Sends what a subscription is told, and closes `until` at the end: the way out of the subscription.

    `is_welcome` is asked before every part; once it is false the stream ends.
    """

    media_type = "text/event-stream"

    def __init__(
        self, subscription: Subscription, until: AsyncExitStack, is_welcome: Callable[[], Awaitable[bool]]
    ) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._subscription = subscription
        self._until = until
        self._is_welcome = is_welcome

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 the form of ASGI
        """Send until the end."""
        subscription = self._subscription
        async with self._until:
            leaving = asyncio.create_task(_end_with_client(subscription, receive))
            try:
                await self._send_all(subscription, send)
            except (TimeoutError, OSError):
                # The client has gone; there is nobody left to tell.
                subscription.end()
            finally:
                await end(leaving)

    async def _send_all(self, subscription: Subscription, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(self._parts(subscription)) as parts:
            async for part in parts:
                async with asyncio.timeout(STALLED_SECONDS):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        async with asyncio.timeout(STALLED_SECONDS):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _parts(self, subscription: Subscription) -> AsyncGenerator[bytes]:
        yield f"retry: {RETRY_MS}\n{_place(subscription)}\n".encode()
        while not subscription.ended and await self._is_welcome():
            news = subscription.take(ROWS_MAX, time.monotonic())
            if news:
                yield told(news)
            elif not await _something_new(subscription):
                # The position of what did not concern this client: it need not be read again.
                yield f": still here\n{_place(subscription)}\n".encode()


async def _end_with_client(subscription: Subscription, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    subscription.end()


async def _something_new(subscription: Subscription) -> bool:
    """Wait for news; False after the time of a heartbeat without any."""
    patience_s = subscription.patience_s(HEARTBEAT_SECONDS, time.monotonic())
    try:
        async with asyncio.timeout(patience_s):
            await subscription.news.wait()
    except TimeoutError:
        return patience_s < HEARTBEAT_SECONDS or subscription.news.is_set()
    return True


def _place(subscription: Subscription) -> str:
    return f"id: {subscription.position}\n" if subscription.position else ""
