"""The one data set a database remembers, and the epoch that every script must name."""

import secrets
from dataclasses import asdict, dataclass, replace
from typing import Final

from sqlalchemy import bindparam, insert, select, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from .statements import execute
from .tables import Dataset

_DATASET: Final = select(col(Dataset.id), col(Dataset.generation), col(Dataset.created_ms))
_LOCKED: Final = _DATASET.with_for_update()
_NEXT: Final = update(Dataset).values(generation=bindparam("to"))


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
    found = (await execute(session, _DATASET)).one_or_none()
    if found is None:
        facts = DatasetFacts(id or secrets.token_hex(8), generation=1, created_ms=now_ms)
        await execute(session, insert(Dataset), asdict(facts))
        return facts
    facts = DatasetFacts(*found)
    if id not in {None, facts.id}:
        message = f"the database holds data set {facts.id}, the data folder {id}: one of them is from somewhere else"
        raise OtherDataset(message)
    return facts


async def read_dataset(session: AsyncSession) -> DatasetFacts:
    """The data set of a database that a service has used."""
    return DatasetFacts(*(await execute(session, _DATASET)).one())


async def next_generation(session: AsyncSession, at_least: int = 0) -> DatasetFacts:
    """Begin a new epoch of the same data set: whoever still speaks for the old one is refused by the scripts."""
    before = DatasetFacts(*(await execute(session, _LOCKED)).one())
    facts = replace(before, generation=max(before.generation + 1, at_least))
    await execute(session, _NEXT, {"to": facts.generation})
    return facts
