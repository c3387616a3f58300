"""The table of what is announced to come back. Only the drain writes it."""

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field, SQLModel

from .ledger_tables import only


class AnnouncedReturnRow(SQLModel, table=True):
    """
    One line of a return of an order, in units: announced as a whole, arrived, and still expected.

    due_ms: when it is expected, 0: nobody knows; location: where, or ''. revision: the last announcement's, 0: none.
    """

    __tablename__ = "announced_return"
    __table_args__ = tuple(
        Index(
            f"ix_announced_return_{name}",
            *("seller", *by, "due_ms", "channel", "external_id", "return_id", "line"),
            **only("expected > 0"),
        )
        for name, by in (("due", ()), ("location", ("location",)), ("sku", ("sku",)))
    )

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    channel: str = Field(primary_key=True, max_length=64)
    external_id: str = Field(primary_key=True, max_length=512)
    return_id: str = Field(primary_key=True, max_length=512)
    line: str = Field(primary_key=True, max_length=512)
    revision: int = Field(sa_type=BigInteger)
    due_ms: int = Field(sa_type=BigInteger)
    location: str = Field(max_length=64)
    why: str = Field(sa_type=Text)
    sku: str = Field(max_length=256)
    units: int = Field(sa_type=BigInteger)
    arrived: int = Field(sa_type=BigInteger)
    expected: int = Field(sa_type=BigInteger)
