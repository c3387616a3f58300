"""
The tables. Nothing outside `app.store` sees these classes.

Times are integer milliseconds since 1970 in UTC. After a change here: `python -m app.store.migrations "what changed"`.
"""

from typing import Final

from sqlalchemy import BigInteger, Index, Text, text
from sqlmodel import Field, SQLModel

# Every constraint has a name, so that a later migration can drop it on any database.
NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
SQLModel.metadata.naming_convention = NAMES
metadata = SQLModel.metadata


class Dataset(SQLModel, table=True):
    """The one data set this database remembers. `generation` rises when Valkey is rebuilt from SQL."""

    __tablename__ = "dataset"

    id: str = Field(primary_key=True, max_length=32)
    generation: int
    created_ms: int = Field(sa_type=BigInteger)


class Seller(SQLModel, table=True):
    """Who owns stock, channels and orders."""

    __tablename__ = "seller"

    code: str = Field(primary_key=True, max_length=64)
    name: str = Field(max_length=200)


class ApiKey(SQLModel, table=True):
    """A key of one seller; of its secret only the HMAC is kept."""

    __tablename__ = "api_key"

    id: str = Field(primary_key=True, max_length=12)
    seller: str = Field(foreign_key="seller.code", index=True, max_length=64)
    name: str = Field(max_length=200)
    secret_hmac: str = Field(max_length=64)
    created_ms: int = Field(sa_type=BigInteger)
    revoked_ms: int | None = Field(default=None, sa_type=BigInteger)


class ConfigDocument(SQLModel, table=True):
    """One version of what a seller's operators decided; at most one version of a seller is active."""

    __tablename__ = "config_document"
    __table_args__ = (
        Index(
            "uq_config_document_active",
            "seller",
            unique=True,
            sqlite_where=text("active"),
            postgresql_where=text("active"),
        ),
    )

    seller: str = Field(primary_key=True, foreign_key="seller.code", max_length=64)
    version: int = Field(primary_key=True)
    document: str = Field(sa_type=Text)
    active: bool
    created_ms: int = Field(sa_type=BigInteger)
