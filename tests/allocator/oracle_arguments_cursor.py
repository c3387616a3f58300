"""Arguments of a script, one by one, each within its limits."""

import re
from collections.abc import Callable, Sequence
from typing import Any

CODE, SKU, ID, UNITS = 64, 256, 512, 1_000_000_000
WHOLE = re.compile(r"-?[0-9]+\Z")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Nonsense(Exception):
    """An argument that no sane caller sends."""


class Cursor:
    """The arguments, one by one."""

    def __init__(self, arguments: Sequence[Any]) -> None:
        self.rest = list(arguments)

    def raw(self) -> Any:
        if not self.rest:
            raise Nonsense("too few arguments")
        return self.rest.pop(0)

    def next(self) -> str:
        value = self.raw()
        return value.decode() if isinstance(value, bytes) else str(value)

    def optional(self, most: int) -> str:
        value = self.next()
        if len(value.encode()) > most or CONTROL.search(value):
            raise Nonsense(f"not a text: {value!r}")
        return value

    def text(self, most: int) -> str:
        value = self.optional(most)
        if not value:
            raise Nonsense("a text is missing")
        return value

    def whole(self, least: int, most: int) -> int:
        value = self.next()
        if len(value) > 16 or not WHOLE.match(value) or not least <= int(value) <= most:
            raise Nonsense(f"not a whole number from {least} to {most}: {value!r}")
        return int(value)

    def whole_or_none(self, least: int, most: int) -> int | None:
        if self.rest and self.rest[0] in {"", b""}:
            self.next()
            return None
        return self.whole(least, most)

    def choice(self, *words: str) -> str:
        value = self.next()
        if value not in words:
            raise Nonsense(f"{value!r} is none of {words}")
        return value

    def many(self, least: int, most: int, one: Callable[["Cursor"], Any]) -> list:
        return [one(self) for _ in range(self.whole(least, most))]
