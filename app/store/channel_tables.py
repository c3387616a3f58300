"""Tables of the channels' side: connections, what each channel was told and shows, its orders, and what was said."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Index, LargeBinary, Text
from sqlmodel import Field, SQLModel

from .ledger_tables import only

DUE = "changes > settled"
ACCEPTED = "outcome = 'accepted'"
DEAD = "outcome = 'dead'"
TICKET = "ticket <> ''"
DRIFT = "shown <> told AND shown_ms >= told_ms"
"""States of a listing, each with an index of its own; who asks for one says it in these very words."""


class ConnectionRow(SQLModel, table=True):
    """
    An account on a channel. `secrets` and `token` are sealed; nothing else of them is anywhere.

    `channel` is our channel, whose numbers are shown there and whose orders come from there. `locations` are the
    channel's own ids of places, each with our location. `position` is the ledger entry up to which
    changes are noted in `shown`, '' before the first look. `watermark_ms`: its orders are known up to here.
    `subscribed_url` is where its webhooks were last seen to go. `failing` says what keeps it from going on, '' for
    nothing.
    """

    __tablename__ = "connection"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    code: str = Field(primary_key=True, max_length=64)
    connector: str = Field(max_length=40)
    channel: str = Field(max_length=64)
    settings: dict[str, Any] = Field(sa_type=JSON)
    secrets: bytes = Field(sa_type=LargeBinary)
    token: bytes | None = Field(default=None, sa_type=LargeBinary)
    counts: str = Field(max_length=8)
    locations: dict[str, str] = Field(sa_type=JSON)
    paused: bool
    version: int
    created_ms: int = Field(sa_type=BigInteger)
    position: str = Field(max_length=40)
    watermark_ms: int = Field(sa_type=BigInteger)
    pulled_ms: int = Field(sa_type=BigInteger)
    reconciled_ms: int = Field(sa_type=BigInteger)
    subscribed_ms: int = Field(sa_type=BigInteger)
    subscribed_url: str = Field(max_length=500)
    failing: str = Field(max_length=500)
    failing_since_ms: int = Field(sa_type=BigInteger)


class ShownRow(SQLModel, table=True):
    """
    One listing of a connection: what it was told, and what it shows. `sku` is '' for one that is no listing of ours;
    `named` is what the channel calls what it sells.

    `changes` rises when its number may be another one, `settled` is the `changes` that the last accepted push had seen:
    while they differ it is to be pushed, from `due_ms` on. `refs` are ids of the channel's own. `told` is None while
    nobody knows: before the first push, and while one is on its way. `version` is the sku's when `told` was read.
    `outcome`: '' before the first push, accepted, applied, failed or dead (then it is looked at from `due_ms` on, 0 for
    not before something changes); `code` and `says` are the channel's, or
    ours. `ticket`: the bulk push that carries it. `shown` is newer than `told` when `shown_ms` is. `revisions` were
    made on `revisions_day`, a day since 1970 of the channel's. `falling` is how many units an hour it loses, worked out
    at `falling_ms`.
    """

    __tablename__ = "shown"
    __table_args__ = (
        Index("ix_shown_sku", "seller", "connection", "sku"),
        Index("ix_shown_due", "seller", "connection", "due_ms", **only(DUE)),
        Index("ix_shown_accepted", "seller", "connection", "told_ms", **only(ACCEPTED)),
        Index("ix_shown_dead", "seller", "connection", "listing", **only(DEAD)),
        Index("ix_shown_ticket", "seller", "connection", "ticket", **only(TICKET)),
        Index("ix_shown_drift", "seller", "connection", "listing", **only(DRIFT)),
    )

    seller: str = Field(primary_key=True, max_length=64)
    connection: str = Field(primary_key=True, max_length=64)
    listing: str = Field(primary_key=True, max_length=128)
    sku: str = Field(max_length=100)
    named: str = Field(max_length=128)
    refs: dict[str, str] = Field(sa_type=JSON)
    changes: int = Field(sa_type=BigInteger)
    settled: int = Field(sa_type=BigInteger)
    changed_ms: int = Field(sa_type=BigInteger)
    due_ms: int = Field(sa_type=BigInteger)
    attempts: int
    told: int | None
    told_places: dict[str, int] = Field(sa_type=JSON)
    told_ms: int = Field(sa_type=BigInteger)
    version: int = Field(sa_type=BigInteger)
    outcome: str = Field(max_length=10)
    code: str = Field(max_length=100)
    says: str = Field(max_length=500)
    ticket: str = Field(max_length=200)
    shown: int | None
    shown_places: dict[str, int] = Field(sa_type=JSON)
    shown_ms: int = Field(sa_type=BigInteger)
    revisions: int
    revisions_day: int
    falling: float
    falling_ms: int = Field(sa_type=BigInteger)


class HeardOrderRow(SQLModel, table=True):
    """
    An order as a channel told it last; `picture` is that, as JSON, with nothing of its buyer but where the goods go.

    `revision` is the newest heard, `taken` the newest that our order follows, each -1 for none. state: waiting (for us,
    from `due_ms` on), taken, or parked (somebody must look: `code`, `says`). `ask`: the channel must be asked for it.
    """

    __tablename__ = "heard_order"
    __table_args__ = (Index("ix_heard_order_due", "seller", "connection", "state", "due_ms"),)

    seller: str = Field(primary_key=True, max_length=64)
    connection: str = Field(primary_key=True, max_length=64)
    external_id: str = Field(primary_key=True, max_length=128)
    revision: int = Field(sa_type=BigInteger)
    taken: int = Field(sa_type=BigInteger)
    picture: str = Field(sa_type=Text)
    followed: str = Field(sa_type=Text)
    ask: bool
    state: str = Field(max_length=10)
    code: str = Field(max_length=100)
    says: str = Field(max_length=500)
    attempts: int
    due_ms: int = Field(sa_type=BigInteger)
    via: str = Field(max_length=10)
    placed_ms: int = Field(sa_type=BigInteger)
    heard_ms: int = Field(sa_type=BigInteger)
    taken_ms: int = Field(sa_type=BigInteger)


class HeardNewsRow(SQLModel, table=True):
    """A webhook that has been heard: the same id is not heard twice."""

    __tablename__ = "heard_news"
    __table_args__ = (Index("ix_heard_news_at", "at_ms"),)

    seller: str = Field(primary_key=True, max_length=64)
    connection: str = Field(primary_key=True, max_length=64)
    id: str = Field(primary_key=True, max_length=200)
    topic: str = Field(max_length=100)
    at_ms: int = Field(sa_type=BigInteger)


class ErrandRow(SQLModel, table=True):
    """
    Something to tell a channel about one of its orders: goods left (`kind` ship) or it is off (cancel).

    `key` is ours and the same however often it is told; `body` is JSON. state: waiting (from `due_ms` on), done, dead.
    """

    __tablename__ = "errand"
    __table_args__ = (Index("ix_errand_due", "seller", "connection", "state", "due_ms"),)

    seller: str = Field(primary_key=True, max_length=64)
    connection: str = Field(primary_key=True, max_length=64)
    key: str = Field(primary_key=True, max_length=200)
    kind: str = Field(max_length=10)
    external_id: str = Field(max_length=128)
    body: str = Field(sa_type=Text)
    state: str = Field(max_length=10)
    attempts: int
    due_ms: int = Field(sa_type=BigInteger)
    code: str = Field(max_length=100)
    says: str = Field(max_length=500)
    made_ms: int = Field(sa_type=BigInteger)
    done_ms: int = Field(sa_type=BigInteger)


class ExchangeRow(SQLModel, table=True):
    """One request to a channel and its answer; secrets and buyers are masked before they come here."""

    __tablename__ = "exchange"
    __table_args__ = (
        Index("ix_exchange_connection", "seller", "connection", "id"),
        Index("ix_exchange_at", "at_ms"),
    )

    id: int | None = Field(default=None, primary_key=True)
    seller: str = Field(max_length=64)
    connection: str = Field(max_length=64)
    at_ms: int = Field(sa_type=BigInteger)
    operation: str = Field(max_length=100)
    attempt: int
    request: str = Field(sa_type=Text)
    sent: str = Field(sa_type=Text)
    status: int
    answered: str = Field(sa_type=Text)
    took_ms: int
    error: str = Field(max_length=500)


class ToldBackRow(SQLModel, table=True):
    """How far the ledger was looked through for what a connection's channel must be told: entries up to `number`."""

    __tablename__ = "told_back"

    seller: str = Field(primary_key=True, max_length=64)
    connection: str = Field(primary_key=True, max_length=64)
    number: int = Field(sa_type=BigInteger)


class ParcelWayRow(SQLModel, table=True):
    """By whom and under which number a shipment goes; `op` is the ledger's name of what shipped it."""

    __tablename__ = "parcel_way"
    __table_args__ = (Index("ix_parcel_way_at", "at_ms"),)

    seller: str = Field(primary_key=True, max_length=64)
    op: str = Field(primary_key=True, max_length=800)
    carrier: str = Field(max_length=128)
    tracking: str = Field(max_length=128)
    at_ms: int = Field(sa_type=BigInteger)
