"""What followers of events ask and are told, as types."""

from typing import Annotated, Final

import msgspec

from allocator import Code, Level, Sku
from app.requests import CHANNELS_MAX, Asked

SKUS_MAX: Final = 100
"""Most skus one stream may name; without any it follows all of them."""

Position = Annotated[
    str,
    msgspec.Meta(
        max_length=41,
        pattern=r"^([0-9]+-[0-9]+)?\Z",
        description="The id of the last event that was seen; the header Last-Event-ID says the same.",
    ),
]


class EventsQuery(Asked, frozen=True, kw_only=True):
    """
    What to follow; nothing named means all of it.

    With locations only changes that touch one of them, or what the sku as a whole owes, are told.
    """

    channel: Annotated[list[Code], msgspec.Meta(max_length=CHANNELS_MAX)] = msgspec.field(default_factory=list)
    location: Annotated[list[Code], msgspec.Meta(max_length=CHANNELS_MAX)] = msgspec.field(default_factory=list)
    sku: Annotated[list[Sku], msgspec.Meta(max_length=SKUS_MAX)] = msgspec.field(default_factory=list)
    after: Position = ""


class Reload(msgspec.Struct, frozen=True):
    """Too much changed to tell it sku by sku: ask again for all numbers of these channels (none named: of all)."""

    channels: list[str]
    why: str


class News(msgspec.Struct, frozen=True):
    """What changed up to `position`: the newest numbers, and what to read again as a whole."""

    position: str
    levels: list[Level]
    reload: Reload | None
