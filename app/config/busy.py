"""
What in the store still depends on a thing of the config: units, quotas, holds, orders.

Looked at before the change's transaction, in small reads beside the running service. A movement between this look and
the change is possible; its units then lie where nobody sells from, and every check sees them.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from redis.asyncio import Redis

from allocator import Allocator, SkuConfig
from allocator.reading import find_dependents, is_used
from allocator.records import SkuState
from app.store import config as store
from app.store.database import Database

from .judging import Thing, Wish

CHUNK: Final = 100
"""Skus of one question."""


async def find_busy(
    database: Database, allocator: Allocator, client: Redis | None, wishes: Sequence[Wish]
) -> dict[Thing, str]:
    """Of what shall go, or shall be counted in another unit: what still depends on it, in words."""
    gone = [wish.thing for wish in wishes if wish.item is None]
    skus = {key for kind, key in gone if kind == "skus"} | await _counted_anew(database, allocator.seller, wishes)
    busy = await _busy_skus(allocator, sorted(skus))
    locations = [key for kind, key in gone if kind == "locations"]
    channels = [key for kind, key in gone if kind == "channels"]
    if locations or channels:
        assert client is not None, "deleting places needs a client"
        found = await find_dependents(client, allocator.seller, locations=locations, channels=channels)
        busy |= {(f"{noun}s", code): why for (noun, code), why in found.items()}
    return busy


async def _counted_anew(database: Database, seller: str, wishes: Iterable[Wish]) -> set[str]:
    """Skus whose base unit would change: units already counted would silently mean something else."""
    wished = {wish.key: wish.item for wish in wishes if isinstance(wish.item, SkuConfig)}
    async with database.reading() as session:
        found = await store.find_records(session, seller, "skus", wished)
    return {
        key
        for key, stored in found.items()
        if (stored.record["unit"], stored.record["scale"]) != (wished[key].unit, wished[key].scale)
    }


async def _busy_skus(allocator: Allocator, skus: Sequence[str]) -> dict[Thing, str]:
    busy: dict[Thing, str] = {}
    for start in range(0, len(skus), CHUNK):
        chunk = skus[start : start + CHUNK]
        for sku, state in zip(chunk, await allocator.stock(chunk), strict=True):
            where = _where_used(state)
            if where:
                busy["skus", sku] = where
    return busy


def _where_used(state: SkuState | None) -> str:
    if state is None:
        return ""
    if state.backordered or state.conflict:
        return "is owed to orders"
    places = sorted(location for location, place in state.places.items() if is_used(place))
    return f"has units or quotas at {', '.join(places[:10])}" if places else ""
