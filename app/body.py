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
        """Pass the request on, with a `receive` that counts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        # The server itself holds a body to the length it announced, so only the others need counting.
        small = announced.isdigit() and int(announced) <= self._bytes_max
        await self._app(scope, receive if small else self._counted(receive, announced), send)

    def _counted(self, receive: Receive, announced: bytes) -> Receive:
        left = 0 if announced else self._bytes_max

        async def counted() -> Message:
            nonlocal left
            message = b"" if announced else await receive()
            if isinstance(message, bytes):
                raise self._too_large()
            left -= len(message.get("body", b""))
            if left < 0:
                raise self._too_large()
            return message

        return counted

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"the body has more than {self._bytes_max} bytes", where="body")
