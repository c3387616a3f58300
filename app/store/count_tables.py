"""
The tables of counts: what sources said lies on shelves, and what became of it.

A difference is written here before the allocator is asked to book it, under the op that its line names: whoever finds
it unfinished asks again with that op.
"""

from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Text
from sqlmodel import Field, SQLModel

from . import tables  # noqa: F401 - it says how constraints are named, before there are any


class CountRow(SQLModel, table=True):
    """
    A count: whose, what its numbers mean, and how far it is.

    kind: "lines" or "snapshot". state: open, deciding, parked, applying, applied, discarded. digest: of what was asked.
    uncertainty_ms: how far the source's clock may be off. judged: lines of a snapshot that were held against the
    brakes, figures: what came of it. tally: lines by state, of a count that has ended. settled_by: who released or
    discarded it.
    """

    __tablename__ = "stock_count"
    __table_args__ = (
        Index("ix_stock_count_made", "seller", "made_ms", "id"),
        Index("ix_stock_count_state", "seller", "state", "made_ms", "id"),
    )

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    id: str = Field(primary_key=True, max_length=128)
    kind: str = Field(max_length=10)
    source: str = Field(max_length=64)
    meaning: str = Field(max_length=20)
    uncertainty_ms: int = Field(sa_type=BigInteger)
    why: str = Field(sa_type=Text)
    actor: str = Field(max_length=128)
    digest: str = Field(max_length=32)
    state: str = Field(max_length=10)
    lines: int
    judged: int
    figures: dict[str, Any] = Field(sa_type=JSON)
    tally: dict[str, int] = Field(sa_type=JSON)
    made_ms: int = Field(sa_type=BigInteger)
    ended_ms: int | None = Field(default=None, sa_type=BigInteger)
    settled_by: str = Field(max_length=128)


class CountPartRow(SQLModel, table=True):
    """One part of a snapshot, as it was sent: how many lines, and which."""

    __tablename__ = "stock_count_part"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    count_id: str = Field(primary_key=True, max_length=128)
    part: int = Field(primary_key=True)
    digest: str = Field(max_length=32)
    lines: int


class CountLineRow(SQLModel, table=True):
    """
    What a count says of one place, and what became of it.

    state: waiting, applying, applied, unchanged, older, review, refused, discarded; why: it is in review or refused.
    measured: the number that counted was compared with. version: the sku's at the moment the count speaks of; entry:
    how far SQL was when it was decided. settled_by: who settled a line in review.
    """

    __tablename__ = "stock_count_line"
    __table_args__ = (Index("ix_stock_count_line_state", "seller", "count_id", "state", "number"),)

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    count_id: str = Field(primary_key=True, max_length=128)
    number: int = Field(primary_key=True)
    sku: str = Field(max_length=256)
    location: str = Field(max_length=64)
    counted: int = Field(sa_type=BigInteger)
    as_of_ms: int | None = Field(default=None, sa_type=BigInteger)
    seen_up_to: int | None = Field(default=None, sa_type=BigInteger)
    state: str = Field(max_length=10)
    why: str = Field(max_length=20)
    measured: int | None = Field(default=None, sa_type=BigInteger)
    difference: int | None = Field(default=None, sa_type=BigInteger)
    version: int | None = Field(default=None, sa_type=BigInteger)
    entry: int | None = Field(default=None, sa_type=BigInteger)
    op: str = Field(max_length=160)
    settled_by: str = Field(max_length=128)


class CountedPlaceRow(SQLModel, table=True):
    """
    The last count of a place that was applied: the sku's version and the time it speaks of, where it named them.

    op: of the difference that is being booked there, '' when none is. Until it is in SQL's ledger no other count of the
    place is decided.
    """

    __tablename__ = "counted_place"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    sku: str = Field(primary_key=True, max_length=256)
    location: str = Field(primary_key=True, max_length=64)
    version: int | None = Field(default=None, sa_type=BigInteger)
    as_of_ms: int | None = Field(default=None, sa_type=BigInteger)
    op: str = Field(max_length=160)


class CountShadowRow(SQLModel, table=True):
    """What a source last said of a place, in numbers of this meaning, and how far the ledger was then."""

    __tablename__ = "count_shadow"

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    source: str = Field(primary_key=True, max_length=64)
    meaning: str = Field(primary_key=True, max_length=20)
    sku: str = Field(primary_key=True, max_length=256)
    location: str = Field(primary_key=True, max_length=64)
    units: int = Field(sa_type=BigInteger)
    entry: int = Field(sa_type=BigInteger)
