"""
Whether a committed transaction survives a power cut.

Our own SQLite does (`database` sees to it). A PostgreSQL is somebody else's, so it is asked when the service starts.
"""

from collections.abc import Collection
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from allocator import Unsafe, UnsafeServer

UNSAFE_NAMES: Final = frozenset({"fsync-off", "synchronous-commit-off"})
"""Every name `unsafe_reasons` can give. Stable: operators write them into `ALLOT_ALLOW_UNSAFE`."""

RISKS: Final = {
    "fsync": "a power cut would destroy the database",
    "synchronous_commit": "a power cut would lose what was committed last",
}
"""PostgreSQL's settings that must not be off, and what follows when one is."""


class UnsafeDatabase(UnsafeServer):
    """This PostgreSQL may lose what was committed."""


async def refuse_unsafe(session: AsyncSession, allowed: Collection[str] = ()) -> list[Unsafe]:
    """Return the reasons an operator has allowed by name; raise UnsafeDatabase if there are others."""
    reasons = await unsafe_reasons(session)
    refused = [reason for reason in reasons if reason.name not in allowed]
    if refused:
        raise UnsafeDatabase(refused)
    return reasons


async def unsafe_reasons(session: AsyncSession) -> list[Unsafe]:
    """
    Why this database could lose what was committed; empty when nothing was found.

    Settings of a role or a database count, as they hold for our connections.
    """
    if session.get_bind().dialect.name != "postgresql":
        return []
    connection = await session.connection()
    values = {name: (await connection.exec_driver_sql(f"SHOW {name}")).scalar_one() for name in RISKS}
    return [Unsafe(_name(name), f"{name} is off: {RISKS[name]}") for name, value in values.items() if value == "off"]


def _name(setting: str) -> str:
    return f"{setting.replace('_', '-')}-off"
