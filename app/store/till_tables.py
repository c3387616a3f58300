"""
The tables of tills: what they said has happened, and when it did.

The ledger has what was booked, in the order in which it was heard. A till may say it hours later; what a count of the
time between must know is here.
"""

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field, SQLModel

from . import tables  # noqa: F401 - it says how constraints are named, before there are any


class TillEventRow(SQLModel, table=True):
    """
    An event of a till, by the till's own id. `plan` is what is booked for it, as JSON: decided once, and repeated.

    state: planned (it may or may not be booked yet), applied or rejected (for good, `code` says why). `occurred_ms` is
    never behind `heard_ms`, the moment at which it came first.
    """

    __tablename__ = "till_event"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    connection: str = Field(primary_key=True, max_length=64)
    event_id: str = Field(primary_key=True, max_length=64)
    digest: str = Field(max_length=32)
    type: str = Field(max_length=12)
    occurred_ms: int = Field(sa_type=BigInteger)
    heard_ms: int = Field(sa_type=BigInteger)
    plan: str = Field(sa_type=Text)
    state: str = Field(max_length=10)
    code: str = Field(max_length=40)


class TillMoveRow(SQLModel, table=True):
    """
    What an event did to a place: `units` that came (or left, below 0), or that it was counted (`is_count`).

    booked_ms: its time in the ledger, None before that. What a count had in it already when it came is not here: it
    was booked and taken back, so it moved nothing. Of what was refused only what a count had reckoned with is.
    """

    __tablename__ = "till_move"
    __table_args__ = (Index("ix_till_move_event", "seller", "connection", "event_id"),)

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    location: str = Field(primary_key=True, max_length=64)
    sku: str = Field(primary_key=True, max_length=64)
    occurred_ms: int = Field(primary_key=True, sa_type=BigInteger)
    connection: str = Field(primary_key=True, max_length=64)
    event_id: str = Field(primary_key=True, max_length=64)
    is_count: bool
    units: int = Field(sa_type=BigInteger)
    booked_ms: int | None = Field(default=None, sa_type=BigInteger)
