"""
What has left the store for SQL: the filter that lua/shared/forgotten.lua keeps, as Python sees it.

Scripts ask it before they call an op new or a record unknown. Here it is made anew when a store is filled again, and
asked by the check. Both must find every name where the other put it: tests hold them together.
"""

import struct
from collections.abc import Iterable, Sequence
from hashlib import sha1
from typing import Any, Final

from redis.asyncio import Redis

from .keys import SellerKeys

FIRST: Final = 1_048_576
"""Names of the first level; each level has room for twice as many as the one before."""

BLOCK: Final = 128
BLOCK_BITS: Final = BLOCK * 8
BLOCKS: Final = 24_576
"""Bytes of a block, and blocks of the first level: 24 bits a name."""

LEVELS: Final = 7
"""More would not fit into a string of 512 MB: the last level takes all that comes."""

_parts = struct.Struct(">I8H").unpack


def name_of(op: str) -> str:
    """What an op is in the filter as: one name for all attempts of an order, and for the order itself."""
    name, _, attempt = op.rpartition(":")
    return name if op.startswith("order:") and attempt.isascii() and attempt.isdigit() else op


def levels_of(names: int) -> int:
    """How many levels have names in them."""
    return min(LEVELS, ((names + FIRST - 1) // FIRST).bit_length())


def block_of(number: int, level: int) -> int:
    """Where a block begins, in bytes."""
    return (BLOCKS * ((1 << level) - 1) + number % (BLOCKS << level)) * BLOCK


class Forgotten:
    """A filter in memory: `names` is how many are in it, `bits` what the key has."""

    def __init__(self) -> None:
        self.names = 0
        self.bits = bytearray()

    def add(self, name: str) -> None:
        """Add a name, unless the filter says yes of it already."""
        # Millions are added when a store is filled again, so bits are set one by one and nothing is made of them.
        number, *bits = _parts(sha1(name.encode(), usedforsecurity=False).digest())
        if any(_has_all(self.bits, block_of(number, level), bits) for level in range(levels_of(self.names))):
            return
        self.names += 1
        level = levels_of(self.names) - 1
        self._grow(level)
        at, filter = block_of(number, level), self.bits
        for bit in bits:
            filter[at + (bit % BLOCK_BITS >> 3)] |= 1 << (bit & 7)

    def _grow(self, level: int) -> None:
        missing = block_of(0, level + 1) - len(self.bits)
        if missing > 0:
            self.bits += bytes(missing)


def _has_all(filter: bytes | bytearray, at: int, bits: Sequence[int]) -> bool:
    """Whether the block at this place has all these bits."""
    for bit in bits:
        byte = at + (bit % BLOCK_BITS >> 3)
        if byte >= len(filter) or not filter[byte] >> (bit & 7) & 1:
            return False
    return True


async def left_of(client: Redis, seller: str, names: Iterable[str]) -> set[str]:
    """Those of these names that may have left the store."""
    owner, key = SellerKeys(seller).named("seller", "forgotten")
    levels = levels_of(int(await client.hget(owner, "forgotten") or 0))
    return {name for name in names if await _may_have_left(client, key, name, levels)}


async def _may_have_left(client: Redis, key: str, name: str, levels: int) -> bool:
    number, *bits = _parts(sha1(name.encode(), usedforsecurity=False).digest())
    for level in range(levels):
        at = block_of(number, level)
        block: Any = await client.getrange(key, at, at + BLOCK - 1)
        if _has_all(block, 0, bits):
            return True
    return False
