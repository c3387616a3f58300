"""
The tables of what happened: the ledger, and what it adds up to. Only the drain writes them.

`number` counts a seller's entries from 1, without gaps, over all epochs: it is the position that lists state.
"""

from typing import Any

from sqlalchemy import BigInteger, Index, LargeBinary, Text, text
from sqlmodel import Field, SQLModel

from . import tables  # noqa: F401 - it says how constraints are named, before there are any


def only(condition: str) -> dict[str, Any]:
    """An index of few rows among many: of those of which this is true."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class LedgerEntryRow(SQLModel, table=True):
    """
    One effect, as the stream of its epoch had it under `id`; `body` is all of it, `hash` tells it from any other.

    at_ms: when it happened; recorded_ms: when it came here. Never changed.
    """

    __tablename__ = "ledger_entry"
    __table_args__ = (
        Index("uq_ledger_entry_number", "seller", "number", unique=True),
        Index("ix_ledger_entry_op", "seller", "op"),
        Index("ix_ledger_entry_at", "seller", "at_ms", "number"),
        Index("ix_ledger_entry_verb", "seller", "verb", "number"),
    )

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    epoch: str = Field(primary_key=True, max_length=64)
    id: str = Field(primary_key=True, max_length=41)
    number: int = Field(sa_type=BigInteger)
    hash: str = Field(max_length=32)
    verb: str = Field(max_length=20)
    op: str = Field(sa_type=Text)
    actor: str = Field(max_length=128)
    why: str = Field(sa_type=Text)
    config: str = Field(max_length=16)
    at_ms: int = Field(sa_type=BigInteger)
    recorded_ms: int = Field(sa_type=BigInteger)
    body: bytes = Field(sa_type=LargeBinary)


class LedgerMoveRow(SQLModel, table=True):
    """
    One bucket of one sku that an entry moved, by `units`; `version` is the sku's after it.

    location is '' for what the sku as a whole owes; `of` is the reason, the transfer or the quota's channel.
    """

    __tablename__ = "ledger_move"
    __table_args__ = (
        Index("ix_ledger_move_sku", "seller", "sku", "number", "place"),
        Index("ix_ledger_move_location", "seller", "location", "number", "place"),
    )

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    place: int = Field(primary_key=True)
    sku: str = Field(max_length=256)
    version: int = Field(sa_type=BigInteger)
    location: str = Field(max_length=64)
    bucket: str = Field(max_length=12)
    of: str = Field(max_length=64)
    units: int = Field(sa_type=BigInteger)


class LedgerSubjectRow(SQLModel, table=True):
    """Which order or hold an entry is about: its whole story, in order."""

    __tablename__ = "ledger_subject"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    kind: str = Field(primary_key=True, max_length=5)
    id: str = Field(primary_key=True, max_length=577)
    number: int = Field(primary_key=True, sa_type=BigInteger)


class OrderRow(SQLModel, table=True):
    """
    An order as the newest entry left it; `record` is what Valkey keeps of it.

    ship_by_ms and deliver_by_ms are what was promised, None: nothing; country and region are the ship-to's.
    """

    __tablename__ = "order_record"
    __table_args__ = (
        Index("ix_order_record_placed", "seller", "placed_ms", "channel", "external_id"),
        Index("ix_order_record_channel", "seller", "channel", "placed_ms", "external_id"),
        Index("ix_order_record_state", "seller", "state", "placed_ms", "channel", "external_id"),
    )

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    channel: str = Field(primary_key=True, max_length=64)
    external_id: str = Field(primary_key=True, max_length=512)
    kind: str = Field(max_length=10)
    state: str = Field(max_length=16)
    placed_ms: int = Field(sa_type=BigInteger)
    ship_by_ms: int | None = Field(default=None, sa_type=BigInteger)
    deliver_by_ms: int | None = Field(default=None, sa_type=BigInteger)
    country: str = Field(default="", max_length=64, sa_column_kwargs={"server_default": ""})
    region: str = Field(default="", max_length=64, sa_column_kwargs={"server_default": ""})
    number: int = Field(sa_type=BigInteger)
    record: bytes = Field(sa_type=LargeBinary)


class OrderLineRow(SQLModel, table=True):
    """A line of an order, in units by bucket; placed_ms is the order's, so that those of a sku lie in its order."""

    __tablename__ = "order_line"
    __table_args__ = (
        Index("ix_order_line_sku", "seller", "sku", "placed_ms", "channel", "external_id"),
        Index(
            "ix_order_line_conflict", "seller", "placed_ms", "channel", "external_id", "line", **only("conflict > 0")
        ),
    )

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    channel: str = Field(primary_key=True, max_length=64)
    external_id: str = Field(primary_key=True, max_length=512)
    line: str = Field(primary_key=True, max_length=512)
    placed_ms: int = Field(sa_type=BigInteger)
    sku: str = Field(max_length=256)
    ordered: int = Field(sa_type=BigInteger)
    committed: int = Field(sa_type=BigInteger)
    shipped: int = Field(sa_type=BigInteger)
    backordered: int = Field(sa_type=BigInteger)
    conflict: int = Field(sa_type=BigInteger)
    cancelled: int = Field(sa_type=BigInteger)
    returned: int = Field(sa_type=BigInteger)


class OrderTakeRow(SQLModel, table=True):
    """Units of a line that wait at a location; `picking` when the pick has started."""

    __tablename__ = "order_take"
    __table_args__ = (
        Index("ix_order_take_location", "seller", "location", "placed_ms", "channel", "external_id"),
        Index("ix_order_take_sku", "seller", "sku", "location", "channel", "placed_ms"),
    )

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    channel: str = Field(primary_key=True, max_length=64)
    external_id: str = Field(primary_key=True, max_length=512)
    line: str = Field(primary_key=True, max_length=512)
    place: int = Field(primary_key=True)
    placed_ms: int = Field(sa_type=BigInteger)
    sku: str = Field(max_length=256)
    location: str = Field(max_length=64)
    units: int = Field(sa_type=BigInteger)
    picking: bool


class ShipmentRow(SQLModel, table=True):
    """
    What of an order left one location in one step, the entry `number`; placed_ms is the order's.

    `gone`: the goods had left before anybody asked, over a counter. Never changed.
    """

    __tablename__ = "shipment"
    __table_args__ = (
        Index("ix_shipment_at", "seller", "at_ms", "number", "location"),
        Index("ix_shipment_location", "seller", "location", "at_ms", "number"),
        Index("ix_shipment_channel", "seller", "channel", "at_ms", "number", "location"),
        Index("ix_shipment_order", "seller", "channel", "external_id", "location"),
        Index("ix_shipment_placed", "seller", "location", "placed_ms", "channel", "external_id"),
    )

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    location: str = Field(primary_key=True, max_length=64)
    channel: str = Field(max_length=64)
    external_id: str = Field(max_length=512)
    placed_ms: int = Field(sa_type=BigInteger)
    at_ms: int = Field(sa_type=BigInteger)
    gone: bool
    units: int = Field(sa_type=BigInteger)


class ShipmentLineRow(SQLModel, table=True):
    """Units of a line of an order in a shipment; at_ms is the shipment's."""

    __tablename__ = "shipment_line"
    __table_args__ = (Index("ix_shipment_line_sku", "seller", "sku", "at_ms", "number", "location"),)

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    location: str = Field(primary_key=True, max_length=64)
    line: str = Field(primary_key=True, max_length=512)
    at_ms: int = Field(sa_type=BigInteger)
    sku: str = Field(max_length=256)
    units: int = Field(sa_type=BigInteger)


class TransferRow(SQLModel, table=True):
    """
    A transfer as its steps add up to it, in units; `number` is the entry that sent it.

    state: open, partly (some arrived or were lost), closed (nothing is on its way any more).
    """

    __tablename__ = "transfer"
    __table_args__ = (
        Index("ix_transfer_sent", "seller", "sent_ms", "transfer_id"),
        Index("ix_transfer_state", "seller", "state", "sent_ms", "transfer_id"),
        Index("ix_transfer_from", "seller", "from_location", "sent_ms", "transfer_id"),
        Index("ix_transfer_to", "seller", "to_location", "sent_ms", "transfer_id"),
    )

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    transfer_id: str = Field(primary_key=True, max_length=64)
    from_location: str = Field(max_length=64)
    to_location: str = Field(max_length=64)
    state: str = Field(max_length=6)
    sent_ms: int = Field(sa_type=BigInteger)
    changed_ms: int = Field(sa_type=BigInteger)
    number: int = Field(sa_type=BigInteger)
    sent: int = Field(sa_type=BigInteger)
    arrived: int = Field(sa_type=BigInteger)
    lost: int = Field(sa_type=BigInteger)
    in_transit: int = Field(sa_type=BigInteger)


class TransferLineRow(SQLModel, table=True):
    """One sku of a transfer, in units; sent_ms is the transfer's."""

    __tablename__ = "transfer_line"
    __table_args__ = (Index("ix_transfer_line_sku", "seller", "sku", "sent_ms", "transfer_id"),)

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    transfer_id: str = Field(primary_key=True, max_length=64)
    sku: str = Field(primary_key=True, max_length=256)
    sent_ms: int = Field(sa_type=BigInteger)
    sent: int = Field(sa_type=BigInteger)
    arrived: int = Field(sa_type=BigInteger)
    lost: int = Field(sa_type=BigInteger)
    in_transit: int = Field(sa_type=BigInteger)


class TransferStepRow(SQLModel, table=True):
    """
    What the entry `number` did with one sku of a transfer: units sent from `location`, or arrived there, or lost.

    to_location is the transfer's destination. Never changed.
    """

    __tablename__ = "transfer_step"
    __table_args__ = (Index("ix_transfer_step_transfer", "seller", "transfer_id", "number", "sku"),)

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    sku: str = Field(primary_key=True, max_length=256)
    transfer_id: str = Field(max_length=64)
    location: str = Field(max_length=64)
    to_location: str = Field(max_length=64)
    at_ms: int = Field(sa_type=BigInteger)
    sent: int = Field(sa_type=BigInteger)
    arrived: int = Field(sa_type=BigInteger)
    lost: int = Field(sa_type=BigInteger)


class HoldRow(SQLModel, table=True):
    """A hold as the newest entry left it; made_ms is when the first one made it."""

    __tablename__ = "hold_record"
    __table_args__ = (
        Index("ix_hold_record_made", "seller", "made_ms", "hold_id"),
        Index("ix_hold_record_channel", "seller", "channel", "made_ms", "hold_id"),
        Index("ix_hold_record_state", "seller", "state", "made_ms", "hold_id"),
        Index("ix_hold_record_owner", "seller", "owner", "made_ms", "hold_id"),
    )

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    hold_id: str = Field(primary_key=True, max_length=512)
    channel: str = Field(max_length=64)
    owner: str = Field(max_length=512)
    state: str = Field(max_length=10)
    made_ms: int = Field(sa_type=BigInteger)
    deadline_ms: int = Field(sa_type=BigInteger)
    number: int = Field(sa_type=BigInteger)
    record: bytes = Field(sa_type=LargeBinary)


class HoldLineRow(SQLModel, table=True):
    """Units that a hold was made of. Kept when it ends: the record has none then. made_ms is the hold's."""

    __tablename__ = "hold_line"
    __table_args__ = (
        Index("ix_hold_line_sku", "seller", "sku", "made_ms", "hold_id"),
        Index("ix_hold_line_location", "seller", "location", "made_ms", "hold_id"),
    )

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    hold_id: str = Field(primary_key=True, max_length=512)
    place: int = Field(primary_key=True)
    made_ms: int = Field(sa_type=BigInteger)
    sku: str = Field(max_length=256)
    location: str = Field(max_length=64)
    units: int = Field(sa_type=BigInteger)


class BalanceRow(SQLModel, table=True):
    """A sku's state as its entries add up to it; `state` is what Valkey keeps of it."""

    __tablename__ = "balance"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    sku: str = Field(primary_key=True, max_length=256)
    version: int = Field(sa_type=BigInteger)
    number: int = Field(sa_type=BigInteger)
    state: bytes = Field(sa_type=LargeBinary)


class BalancePlaceRow(SQLModel, table=True):
    """
    The part of a sku's state at one location, in units; the row stays when nothing lies there any more.

    in_transit is on its way there.
    """

    __tablename__ = "balance_place"
    __table_args__ = (
        Index("ix_balance_place_location", "seller", "location", "sku"),
        Index("ix_balance_place_missing", "seller", "sku", "location", **only("deficit > 0")),
    )

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    sku: str = Field(primary_key=True, max_length=256)
    location: str = Field(primary_key=True, max_length=64)
    on_hand: int = Field(sa_type=BigInteger)
    unavailable: int = Field(sa_type=BigInteger)
    held: int = Field(sa_type=BigInteger)
    committed: int = Field(sa_type=BigInteger)
    deficit: int = Field(sa_type=BigInteger)
    in_transit: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})


class ConfigFieldRow(SQLModel, table=True):
    """
    A field of the compiled config in force, as Valkey keeps it; the field "version" has its version.

    What operators decided is in tables of its own. This is what came of it, so that a lost store can be filled without
    compiling a million skus anew.
    """

    __tablename__ = "config_field"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    field: str = Field(primary_key=True, max_length=272)
    value: bytes = Field(sa_type=LargeBinary)


class OpAnswerRow(SQLModel, table=True):
    """What an op was answered, as Valkey remembers it for some days."""

    __tablename__ = "op_answer"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    op: str = Field(primary_key=True, max_length=640)
    at_ms: int = Field(sa_type=BigInteger)
    answer: bytes = Field(sa_type=LargeBinary)
