"""Connections: the accounts on channels that numbers go to and orders come from."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from .channel_tables import (
    ConnectionRow,
    ErrandRow,
    ExchangeRow,
    HeardNewsRow,
    HeardOrderRow,
    ShownRow,
    ToldBackRow,
)
from .comparing import words

OF_A_CONNECTION: Final = (ShownRow, HeardOrderRow, HeardNewsRow, ErrandRow, ExchangeRow, ToldBackRow)
"""What goes when a connection goes."""


@dataclass(frozen=True)
class ConnectionFacts:
    """
    A connection as it stands; `secrets` and `token` are sealed.

    counts: net or gross. locations: the channel's own ids of places, each with our location. version rises with every
    change of what somebody has set, and with nothing else. position: the ledger entry up to which changes are noted, ''
    for none. watermark_ms: the channel's orders are known up to here. pulled_ms, reconciled_ms, subscribed_ms: when
    that was last done, 0 for never. failing: what keeps it from going on.
    """

    seller: str
    code: str
    connector: str
    channel: str
    settings: dict[str, Any]
    secrets: bytes
    counts: str
    locations: dict[str, str]
    created_ms: int
    token: bytes | None = None
    paused: bool = False
    version: int = 1
    position: str = ""
    watermark_ms: int = 0
    pulled_ms: int = 0
    reconciled_ms: int = 0
    subscribed_ms: int = 0
    subscribed_url: str = ""
    failing: str = ""
    failing_since_ms: int = 0


async def find_connection(
    session: AsyncSession, seller: str, code: str, *, lock: bool = False
) -> ConnectionFacts | None:
    """A connection of this seller, or None; `lock` keeps other writers of it waiting."""
    row = await session.get(ConnectionRow, (seller, words(code)), populate_existing=True, with_for_update=lock or None)
    return None if row is None else _facts(row)


async def list_connections(session: AsyncSession, seller: str) -> list[ConnectionFacts]:
    """The seller's connections by code."""
    mine = select(ConnectionRow).where(ConnectionRow.seller == seller)
    return [_facts(row) for row in await session.exec(mine.order_by(col(ConnectionRow.code)))]


async def all_connections(session: AsyncSession) -> list[ConnectionFacts]:
    """Every seller's connections."""
    query = select(ConnectionRow)
    return [
        _facts(row) for row in await session.exec(query.order_by(col(ConnectionRow.seller), col(ConnectionRow.code)))
    ]


async def put_connection(session: AsyncSession, facts: ConnectionFacts) -> None:
    """Write a connection over what is there."""
    await session.merge(ConnectionRow(**vars(facts)))
    await session.flush()


async def change_connection(session: AsyncSession, seller: str, code: str, **changes: Any) -> None:
    """Change these fields, nothing when there is no such connection."""
    mine: list[Any] = [col(ConnectionRow.seller) == seller, col(ConnectionRow.code) == code]
    await session.exec(update(ConnectionRow).where(*mine).values(**changes))


async def move_watermark(session: AsyncSession, seller: str, code: str, *, before: int, after: int) -> bool:
    """Say that its orders are known up to there; False when somebody has set it to something else meanwhile."""
    mine: list[Any] = [col(ConnectionRow.seller) == seller, col(ConnectionRow.code) == code]
    moved = update(ConnectionRow).where(*mine, col(ConnectionRow.watermark_ms) == before).values(watermark_ms=after)
    return bool((await session.exec(moved)).rowcount)


async def drop_connection(session: AsyncSession, seller: str, code: str) -> None:
    """Forget a connection and all that is known of its channel; orders that were taken stay ours."""
    for table in OF_A_CONNECTION:
        await session.exec(delete(table).where(col(table.seller) == seller, col(table.connection) == code))
    await session.exec(
        delete(ConnectionRow).where(col(ConnectionRow.seller) == seller, col(ConnectionRow.code) == code)
    )


def _facts(row: ConnectionRow) -> ConnectionFacts:
    return ConnectionFacts(**{name: getattr(row, name) for name in ConnectionFacts.__dataclass_fields__})
