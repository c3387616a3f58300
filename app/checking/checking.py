"""One check of one seller, from SQL to Valkey."""

from typing import NamedTuple

from redis.asyncio import Redis

from app.store.database import Database

from .entries import EntryCheck, Progress, Sound
from .findings import Findings
from .store import StoreCheck


class Checked(NamedTuple):
    """What was looked at and found. `whole`: no entry is missing or damaged. `compared`: Valkey could be compared."""

    seller: str
    entries: int
    skus: int
    whole: bool
    compared: bool
    findings: Findings


async def check_seller(
    database: Database, client: Redis, seller: str, epoch: str, progress: Progress = lambda _: None
) -> Checked:
    """Look at all of a seller, beside whatever runs. Raises what SQL and redis-py raise."""
    findings = Findings(seller)
    sound = await _check_sql(database, findings, epoch, progress)
    compared = await StoreCheck(database, client, findings, progress, whole=sound.whole).run(epoch)
    return Checked(seller, sound.entries, sound.balances, sound.whole, compared, findings)


async def _check_sql(database: Database, findings: Findings, epoch: str, progress: Progress) -> Sound:
    async with database.reading(seconds_max=None) as session:
        return await EntryCheck(session, findings, progress).run(epoch)
