"""What is changed of listings because their channel has said something about them."""

from typing import Any

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from .channel_tables import ShownRow
from .comparing import words
from .statements import execute


async def change_shown(
    session: AsyncSession, seller: str, connection: str, *, listing: str = "", ticket: str = "", **changes: Any
) -> None:
    """Change these fields of a listing, or of those that a bulk push carries."""
    mine = [col(ShownRow.seller) == seller, col(ShownRow.connection) == connection]
    which = col(ShownRow.listing) == words(listing) if listing else col(ShownRow.ticket) == words(ticket)
    await execute(session, update(ShownRow).where(*mine, which).values(**changes))
