"""What a sku costs in the store, all in: its state, its rules, its quota, and the server's own share."""

from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis

from allocator import KEYS, SellerKeys

PASSING: Final = ("ledger", "ops")
"""What the filling itself leaves: its ledger entries go when SQL has them, its remembered answers after 7 days."""


@dataclass
class Reading:
    """Bytes the server uses, and of them each key."""

    used: int
    keys: dict[str, int]


@dataclass
class Memory:
    """
    Bytes a sku, of the server's memory and of each key.

    all_in: what the server grew by, without what passes (ledger and remembered answers of the filling). with_passing:
    the same, with it.
    """

    skus: int
    all_in: float
    with_passing: float
    keys: dict[str, float]


async def read_memory(client: Redis, seller: str) -> Reading:
    """Ask the server; it counts every field, which takes a second per million."""
    info: dict[str, Any] = await client.info("memory")
    names = dict(zip(KEYS, SellerKeys(seller).all(), strict=True))
    sizes = {word: int(await client.memory_usage(name, samples=0) or 0) for word, name in names.items()}
    return Reading(int(info["used_memory"]), sizes)


def memory_of(before: Reading, after: Reading, skus: int) -> Memory:
    """What lies between two readings, for each of the skus made meanwhile."""
    grown = {word: after.keys[word] - before.keys[word] for word in after.keys}
    used = after.used - before.used
    return Memory(
        skus=skus,
        all_in=round((used - sum(grown[word] for word in PASSING)) / skus, 1),
        with_passing=round(used / skus, 1),
        keys={word: round(size / skus, 1) for word, size in grown.items() if size},
    )
