"""The tables of what rejects add up to. The drain writes them, and a count that found what was booked closes a task."""

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field, SQLModel

from . import tables  # noqa: F401 - it says how constraints are named, before there are any
from .ledger_tables import only


class RecountRow(SQLModel, table=True):
    """
    A sku that is to be counted at a location, because the entry `number`, a reject, took units off its books there.

    version: the sku's after it. rejects and units: how many took how much until it was counted; reason, actor and order
    are the first one's. closed_number: the entry that a count made, or, `confirmed`, the last one when a count found
    what was booked; difference: what it found more or fewer. A place has one that is open.
    """

    __tablename__ = "recount"
    __table_args__ = (
        Index("uq_recount_open", "seller", "sku", "location", unique=True, **only("closed_number IS NULL")),
        Index("ix_recount_open", "seller", "number", "sku", **only("closed_number IS NULL")),
        Index("ix_recount_location", "seller", "location", "number", "sku"),
        Index("ix_recount_sku", "seller", "sku", "number"),
    )

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    sku: str = Field(primary_key=True, max_length=256)
    location: str = Field(max_length=64)
    version: int = Field(sa_type=BigInteger)
    at_ms: int = Field(sa_type=BigInteger)
    channel: str = Field(max_length=64)
    external_id: str = Field(max_length=512)
    reason: str = Field(max_length=64)
    actor: str = Field(max_length=128)
    rejects: int
    units: int = Field(sa_type=BigInteger)
    closed_number: int | None = Field(default=None, sa_type=BigInteger)
    closed_ms: int | None = Field(default=None, sa_type=BigInteger)
    closed_op: str = Field(sa_type=Text)
    closed_by: str = Field(max_length=128)
    confirmed: bool
    difference: int = Field(sa_type=BigInteger)


class LocationDayRow(SQLModel, table=True):
    """Units that orders got from a location on one day (UTC, in days since 1970), and units it rejected."""

    __tablename__ = "location_day"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    day: int = Field(primary_key=True)
    location: str = Field(primary_key=True, max_length=64)
    taken: int = Field(sa_type=BigInteger)
    rejected: int = Field(sa_type=BigInteger)
