"""Returns that are announced before the goods are there: what is asked, what an order keeps, what is answered."""

from collections.abc import Iterable
from typing import Annotated, Final

import msgspec

REVISION_MAX: Final = 9_999_999_999_999
"""The highest revision of an announced return; a time in milliseconds fits."""


class AnnounceLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many units of an order's line are announced with a return as a whole, those that have arrived included."""

    line: Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+\Z")]
    units: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]


class AnnounceRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    A return as its sender now knows it; lines that are not named, and 0 units, are announced no more.

    revision: from 1; of two announcements of a return the higher one counts. due_ms: when it is expected, in ms, None:
    nobody knows. location: where it is expected, or ''.
    """

    revision: int
    lines: list[AnnounceLine] = []
    location: str = ""
    due_ms: int | None = None
    why: str = ""


class AnnouncedLine(msgspec.Struct, frozen=True):
    """
    Units of one line of an order in a return.

    units: announced with it as a whole. arrived: have come in with it, or can come no more since others have. expected:
    announced, and not arrived.
    """

    line: str
    sku: str
    units: int
    arrived: int
    expected: int


class AnnouncedReturn(msgspec.Struct, frozen=True):
    """
    A return of an order; due_ms is when it is expected, None: not known; location is where, or ''.

    revision: the last announcement's; 0 when goods came under this id before it was announced.
    """

    return_id: str
    revision: int
    due_ms: int | None
    location: str
    why: str
    lines: list[AnnouncedLine]


class Announced(msgspec.Struct, frozen=True):
    """A return was announced: how it stands."""

    channel: str
    external_id: str
    announced: AnnouncedReturn
    replayed: bool


def expected_units(returns: Iterable[AnnouncedReturn]) -> int:
    """Units that have yet to come back with these returns."""
    return sum(line.expected for announced in returns for line in announced.lines)
