"""The one data set a database remembers, and the epoch that every script must name."""

import secrets
from dataclasses import dataclass

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from .tables import Dataset


class OtherDataset(Exception):
    """The database remembers another data set than the one in the data folder."""


@dataclass(frozen=True)
class DatasetFacts:
    """`generation` counts from 1 and rises whenever Valkey is rebuilt from SQL."""

    id: str
    generation: int
    created_ms: int

    @property
    def epoch(self) -> str:
        """What Valkey must carry to be the right one, and not an older copy of it."""
        return f"{self.id}-{self.generation}"


async def ensure_dataset(session: AsyncSession, *, now_ms: int, id: str | None = None) -> DatasetFacts:
    """
    The data set, made now if the database is new.

    `id` is the data folder's; None, without a folder, accepts what is there. Raises OtherDataset if they differ.
    """
    if session.get_bind().dialect.name == "postgresql":
        # Processes that start together on an empty database would each make one.
        await (await session.connection()).exec_driver_sql("LOCK TABLE dataset IN EXCLUSIVE MODE")
    found = (await session.exec(select(Dataset))).one_or_none()
    if found is None:
        found = Dataset(id=id or secrets.token_hex(8), generation=1, created_ms=now_ms)
        session.add(found)
        await session.flush()
    elif id not in {None, found.id}:
        message = f"the database holds data set {found.id}, the data folder {id}: one of them is from somewhere else"
        raise OtherDataset(message)
    return _facts(found)


async def read_dataset(session: AsyncSession) -> DatasetFacts:
    """The data set of a database that a service has used."""
    return _facts((await session.exec(select(Dataset))).one())


async def next_generation(session: AsyncSession, at_least: int = 0) -> DatasetFacts:
    """Begin a new epoch of the same data set: whoever still speaks for the old one is refused by the scripts."""
    found = (await session.exec(select(Dataset).with_for_update())).one()
    found.generation = max(found.generation + 1, at_least)
    session.add(found)
    await session.flush()
    return _facts(found)


def _facts(row: Dataset) -> DatasetFacts:
    return DatasetFacts(row.id, row.generation, row.created_ms)
