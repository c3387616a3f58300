"""
Fills a new data set from a seed: its config, the units on its shelves, its quotas.

Done once: the config is marked active in SQL after everything else, and a seller who has an active config is never
seeded. Whatever a crash left half done is repeated with the same ops, which have one effect.
"""

from hashlib import blake2b
from itertools import count

import msgspec
import structlog

from allocator import MOVES_MAX, Allocator, StockLine

from .seed import Seed
from .store.configs import activate_config, active_config, stage_config
from .store.database import Database

ACTOR = "seed"

log = structlog.get_logger(__name__)


async def apply_seed(database: Database, allocator: Allocator, seed: Seed, *, now_ms: int) -> bool:
    """Load the seed; False when the seller has a config already. Raises what configure, receive and set_quota raise."""
    async with database.reading() as session:
        active = await active_config(session, seller=allocator.seller)
    document = msgspec.json.encode(seed.config(), order="deterministic").decode()
    if active is not None:
        log.info("seed_not_needed", seller=allocator.seller, same=active.document == document)
        return False
    async with database.writing() as session:
        staged = await stage_config(session, seller=allocator.seller, document=document, now_ms=now_ms)
    await allocator.configure(seed.config(), ACTOR)
    await _fill(allocator, seed)
    async with database.writing() as session:
        await activate_config(session, seller=allocator.seller, version=staged.version)
    log.info("seeded", seller=allocator.seller, skus=len(seed.skus), stock=len(seed.stock), quotas=len(seed.quotas))
    return True


async def _fill(allocator: Allocator, seed: Seed) -> None:
    numbers = count(1)
    op = f"seed:{blake2b(msgspec.json.encode(seed, order='deterministic'), digest_size=8).hexdigest()}"
    lines = [StockLine(row.sku, row.location, row.units) for row in seed.stock]
    for start in range(0, len(lines), MOVES_MAX):
        chunk = lines[start : start + MOVES_MAX]
        await allocator.receive(chunk, op=f"{op}:{next(numbers)}", why="opening stock", actor=ACTOR)
    for row in seed.quotas:
        await allocator.set_quota(
            row.sku,
            row.location,
            row.channel,
            row.units,
            op=f"{op}:{next(numbers)}",
            floor=row.floor,
            why="opening quota",
            actor=ACTOR,
        )
