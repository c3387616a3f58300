"""
What the service itself refuses, before or beside the allocator.

    RequestRefused
    ├── NoKey             no API key, or one that is not good
    ├── OpKeyMissing      a change without an Idempotency-Key
    ├── Malformed         the body is not JSON
    ├── Unfit             JSON, a path or a query of another form than documented
    └── BodyTooLarge      more bytes than the service reads
    KeysUnknown           the database that knows the keys does not answer

`where` names the place: "body /lines/0/units", "path sku", "query channel", "header Authorization".
"""

from collections.abc import Sequence


class RequestRefused(Exception):
    """The request cannot be understood or is not allowed; nothing was done."""

    def __init__(self, detail: str = "", *, where: str = "", allowed: Sequence[str] = ()) -> None:
        super().__init__(detail or (self.__doc__ or "").strip())
        self.where = where
        self.allowed = list(allowed)


class NoKey(RequestRefused):
    """A good API key is needed."""


class OpKeyMissing(RequestRefused):
    """A change needs an Idempotency-Key."""


class Malformed(RequestRefused):
    """The body is not JSON."""


class Unfit(RequestRefused):
    """The request does not have the documented form."""


class BodyTooLarge(RequestRefused):
    """The body has more bytes than are read."""


class KeysUnknown(Exception):
    """The API key could not be checked, because the database does not answer."""
