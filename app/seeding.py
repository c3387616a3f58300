"""
Fills a new data set from a seed: its config, the units on its shelves, its quotas.

Done once. The changes of a seed carry a note that says so until stock and quotas are there too, and a seller who has
any other change is never seeded. Whatever a crash left half done is repeated: rows that are there already are no
change, and movements have the same ops, which have one effect.
"""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import count
from typing import Final

import msgspec
import structlog

from allocator import MOVES_MAX, Allocator, StockLine

from .config.engine import Engine, Plan
from .config.judging import ANY, Wish
from .config.kinds import KINDS, ORDER, Item, RuleConfig, Zone
from .seed import Seed
from .store.config_changes import is_touched, rename_changes
from .store.database import Database

ACTOR: Final = "seed"
UNDER_WAY: Final = "seed, stock follows"
DONE: Final = "seed"

ROWS: Final = 900
"""Rows of one change: each compiles to one field at most, and a few more belong to all."""

log = structlog.get_logger(__name__)


async def apply_seed(database: Database, allocator: Allocator, seed: Seed, *, now_ms: int) -> bool:
    """
    Load the seed; False when the seller has a config already.

    Raises Invalid (with the place in the seed), NotReady, Unanswered, and what receive and set_quota raise.
    """
    engine = Engine(database, allocator, now_ms=now_ms)
    await engine.finish()
    async with database.reading() as session:
        touched = await is_touched(session, allocator.seller, actor=ACTOR, note=UNDER_WAY)
    if touched:
        log.info("seed_not_needed", seller=allocator.seller)
        return False
    for wishes in _chunks(seed):
        await _change(engine, wishes)
    await _fill(allocator, seed)
    async with database.writing() as session:
        await rename_changes(session, allocator.seller, actor=ACTOR, note=UNDER_WAY, new_note=DONE)
    log.info("seeded", seller=allocator.seller, skus=len(seed.skus), stock=len(seed.stock), quotas=len(seed.quotas))
    return True


async def _change(engine: Engine, wishes: list[Wish]) -> None:
    verdict = await engine.change(Plan(wishes, ACTOR, UNDER_WAY, together=True))
    for outcome in verdict.outcomes:
        if outcome.why is not None:
            raise outcome.why


def _chunks(seed: Seed) -> Iterator[list[Wish]]:
    """What the seed wants of the config, so that what is referred to comes first."""
    items = _items(seed)
    wishes = [Wish(kind, KINDS[kind].key_of(item), item, ANY) for kind in ORDER for item in items[kind]]
    for start in range(0, len(wishes), ROWS):
        yield wishes[start : start + ROWS]


def _items(seed: Seed) -> dict[str, list[Item]]:
    return {
        "zones": [Zone(area=area, zone=zone) for area, zone in seed.zones.items()],
        "carriers": list(seed.carriers),
        "reasons": list(seed.reasons),
        "locations": list(seed.locations),
        "channels": list(seed.channels),
        "skus": list(seed.skus),
        # A seed's rules have no names; their order gives them one.
        "rules": [
            RuleConfig(id=f"seed-{number}", **msgspec.structs.asdict(rule)) for number, rule in enumerate(seed.rules, 1)
        ],
        "listings": list(seed.listings),
    }


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
