"""Refuses bodies that are too large before anything parses them, or even holds them in memory."""

from starlette.types import Message, Receive, Scope

from .errors import BodyTooLarge


def limited(scope: Scope, receive: Receive, bytes_max: int) -> Receive:
    """
    A `receive` that raises BodyTooLarge for a body of more than `bytes_max` bytes.

    One that announces too much is refused at its first read; one that does not announce its length is cut off where it
    passes the limit.
    """
    for name, announced in scope["headers"]:
        if name == b"content-length":
            # The server itself holds a body to the length it announced. Digits without end are no number to be read.
            small = announced.isdigit() and len(announced) < 16 and int(announced) <= bytes_max
            return receive if small else _refusing(bytes_max)
    return _counting(receive, bytes_max)


def _refusing(bytes_max: int) -> Receive:
    async def refusing() -> Message:
        raise BodyTooLarge(f"the body has more than {bytes_max} bytes", where="body")

    return refusing


def _counting(receive: Receive, bytes_max: int) -> Receive:
    left = bytes_max

    async def counting() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        return message if left >= 0 else await _refusing(bytes_max)()

    return counting
