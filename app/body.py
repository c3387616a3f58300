"""Refuses bodies that are too large before anything parses them, or even holds them in memory."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import BodyTooLarge


class BodyLimit:
    """
    Counts the bytes of every body.

    One that announces too much is refused at its first read; one that does not announce its length is cut off where it
    passes the limit.
    """

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with a `receive` that keeps the limit."""
        await self._app(scope, self._limited(scope, receive) if scope["type"] == "http" else receive, send)

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), None)
        if announced is None:
            return self._counted(receive)
        # The server itself holds a body to the length it announced. Digits without end are no number to be read.
        small = announced.isdigit() and len(announced) < 16 and int(announced) <= self._bytes_max
        return receive if small else self._refuse

    def _counted(self, receive: Receive) -> Receive:
        left = self._bytes_max

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            return message if left >= 0 else await self._refuse()

        return counted

    async def _refuse(self) -> Message:
        raise BodyTooLarge(f"the body has more than {self._bytes_max} bytes", where="body")
