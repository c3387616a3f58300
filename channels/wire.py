"""
One request to a channel and its answer, before and after HTTP.

A connector's translation is a generator of these: it yields a `Call`, is sent the `Answer`, and returns what it was
made for. So it can be read as a plain list of steps, knows no client, no token and no clock, and is the same code
against the vendor, the sandbox and a test.
"""

from collections.abc import Generator, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec

from .errors import Nonsense

T = TypeVar("T")

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """
    One request.

    operation: what logs call it. bucket: the name of its limit, when it is not the operation's. path: below the
    connector's base address, or a whole address. repeatable: it may be sent again when nobody knows whether it arrived.
    authorized: with our token or keys. secret: its bodies must never be logged. yields: while it waits for room others
    may go first, as one that takes much of a bucket it shares with pushes.
    """

    operation: str
    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = {}
    body: bytes = b""
    repeatable: bool = True
    authorized: bool = True
    secret: bool = False
    bucket: str = ""
    cost: float = 1.0
    yields: bool = False

    @property
    def limit(self) -> str:
        """The name of its limit."""
        return self.bucket or self.operation


class Answer(msgspec.Struct, frozen=True):
    """A whole answer; the names of headers in lower case."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""

    @property
    def is_fine(self) -> bool:
        """Whether the status is a success."""
        return 200 <= self.status < 300

    def json(self, type: Any = Any) -> Any:
        """The body, read as this type. Raises Nonsense."""
        try:
            return msgspec.json.decode(self.body, type=type, strict=False)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Nonsense(f"status {self.status}: {error}") from error


Steps = Generator[Call, Answer, T]
"""A translation: yields calls, is sent their answers, returns its result."""


def get(operation: str, path: str, **params: str | int) -> Call:
    """A request that changes nothing."""
    return Call(operation=operation, method="GET", path=path, params=_params(params))


def send_json(operation: str, method: str, path: str, body: Any, **more: Any) -> Call:
    """A request with a JSON body; `more` are fields of the call."""
    headers = {"Content-Type": JSON, **more.pop("headers", {})}
    return Call(operation=operation, method=method, path=path, body=msgspec.json.encode(body), headers=headers, **more)


def send_form(operation: str, path: str, fields: Mapping[str, str], **more: Any) -> Call:
    """A POST of a form; `more` are fields of the call."""
    headers = {"Content-Type": FORM, **more.pop("headers", {})}
    return Call(operation=operation, method="POST", path=path, body=urlencode(fields).encode(), headers=headers, **more)


def _params(params: Mapping[str, str | int]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in params.items())
