"""What the running check found, for processes that show it."""

from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from .tables import CheckRound


@dataclass(frozen=True)
class RoundFacts:
    """A round over all of a seller: when, over how many records, violations found and skus frozen by it."""

    started_ms: int
    ended_ms: int
    records: int
    violations: int
    frozen: int


async def put_round(session: AsyncSession, seller: str, facts: RoundFacts) -> None:
    """This was the last round."""
    await session.merge(CheckRound(seller=seller, **vars(facts)))
    await session.flush()


async def last_round(session: AsyncSession, seller: str) -> RoundFacts | None:
    """The last round, or None before the first."""
    row = await session.get(CheckRound, seller)
    return None if row is None else RoundFacts(row.started_ms, row.ended_ms, row.records, row.violations, row.frozen)
