"""What callers say and are told about connections to channels, as types."""

from typing import Annotated, Any, Literal

import msgspec

from allocator import Code
from app.requests import Asked, Text
from app.store.connections import ConnectionFacts

Counts = Literal["net", "gross"]
SECRETS_MAX = 20

Secret = Annotated[str, msgspec.Meta(max_length=10_000)]
Locations = Annotated[
    dict[Text, Code], msgspec.Meta(max_length=500, description="The channel's ids of places, each with our location.")
]


class ConnectionPath(Asked, frozen=True, kw_only=True):
    """One connection."""

    connection: Code


class HookPath(Asked, frozen=True, kw_only=True):
    """A connection of a seller, for whoever has no key."""

    seller: Code
    connection: Code


class Heard(msgspec.Struct, frozen=True):
    """A webhook is written down."""

    heard: bool = True


class ConnectionPut(Asked, frozen=True, kw_only=True):
    """
    An account on a channel.

    connector: which of the channels Allot knows. channel: ours, whose numbers are shown there and whose orders come
    from there. settings and secrets: the connector's own; secrets can be written and never read, and stay as they are
    when they are left out. counts: what the channel takes our number for, when that is not what is usual there (net:
    without its open orders, gross: with them).
    """

    connector: Code
    channel: Code
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    secrets: Annotated[dict[str, Secret], msgspec.Meta(max_length=SECRETS_MAX)] | None = None
    counts: Counts | None = None
    locations: Locations = msgspec.field(default_factory=dict)


class ConnectionShown(msgspec.Struct, frozen=True):
    """
    A connection. secrets: the names of those that are set. version: rises with every change.

    webhook_path: where its channel posts to, below this service's public address. watermark_ms: the channel's orders
    are known up to here. pulled_ms, reconciled_ms, subscribed_ms: when orders were last asked for, all numbers last
    compared, its webhooks last looked after; 0 for never. failing: what keeps it from going on, '' for nothing.
    """

    code: str
    connector: str
    channel: str
    settings: dict[str, Any]
    secrets: list[str]
    counts: str
    locations: dict[str, str]
    paused: bool
    version: int
    created_ms: int
    webhook_path: str
    watermark_ms: int
    pulled_ms: int
    reconciled_ms: int
    subscribed_ms: int
    failing: str
    failing_since_ms: int


class ConnectionList(msgspec.Struct, frozen=True):
    """Connections by code."""

    data: list[ConnectionShown]


class TestStep(msgspec.Struct, frozen=True):
    """One thing that was tried. says: what came of it, or what was wrong."""

    __test__ = False

    name: str
    ok: bool
    says: str
    took_ms: int


class ConnectionTested(msgspec.Struct, frozen=True):
    """What a connection could do just now; nothing was changed on the channel."""

    ok: bool
    steps: list[TestStep]


def show_connection(facts: ConnectionFacts, secrets: list[str]) -> ConnectionShown:
    """A connection with the names of its secrets."""
    names = [name for name in ConnectionShown.__struct_fields__ if name not in ("secrets", "webhook_path")]
    own = {name: getattr(facts, name) for name in names}
    return ConnectionShown(**own, secrets=secrets, webhook_path=webhook_path(facts.seller, facts.code))


def webhook_path(seller: str, code: str) -> str:
    """Where a channel posts to."""
    return f"/v1/hooks/{seller}/{code}"
