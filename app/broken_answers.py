"""Lets a sandbox's connection break where its answer is lost: whoever has asked hears nothing, and all was done."""

import asyncio
from typing import cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from channels.sandbox.faults import Lost


class Breakable(AutoHTTPProtocol):  # type: ignore[misc, valid-type] # which one it is uvicorn finds out when it starts
    """One connection as uvicorn serves it, which the app can break."""

    app: ASGIApp

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is there."""
        super().connection_made(transport)
        self.app = breaking(self.app, cast(asyncio.Transport, transport))


def breaking(app: ASGIApp, transport: asyncio.Transport) -> ASGIApp:
    """The app, whose connection breaks when it raises Lost."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        said: list[Message] = []

        async def keep(message: Message) -> None:
            said.append(message)

        try:
            # What it says waits until it is through: of every error Starlette says 500 before it passes it on.
            await app(scope, receive, keep)
        except Lost:
            transport.abort()
            # From the loop's next round on the server knows that nobody is there, and misses no answer.
            await asyncio.sleep(0)
            return
        for message in said:
            await send(message)

    return run
