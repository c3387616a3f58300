"""Reads the numbers of many skus, in questions small enough not to keep orders waiting."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final

from allocator import Allocator, Level, errors

SKUS_MAX: Final = 100
CHANNELS_MAX: Final = 100
LEVELS_MAX: Final = 1_000
"""Most numbers of one question."""


async def ask(
    allocator: Allocator, skus: Collection[str], channels: Sequence[str]
) -> AsyncIterator[tuple[list[str], list[Level]]]:
    """
    The numbers of all these skus, some skus at a time; an unknown sku has version -1.

    Raises UnknownChannel, NotReady, Unanswered.
    """
    ordered = sorted(skus)
    count = max(1, min(SKUS_MAX, LEVELS_MAX // max(1, len(channels))))
    for start in range(0, len(ordered), count):
        part = ordered[start : start + count]
        yield part, await _levels(allocator, part, channels)


async def _levels(allocator: Allocator, skus: list[str], channels: Sequence[str]) -> list[Level]:
    found: list[Level] = []
    for start in range(0, len(channels), CHANNELS_MAX):
        try:
            found += await allocator.availability(skus, channels[start : start + CHANNELS_MAX])
        except errors.UnknownChannel:
            # It was removed since; who asks again knows the channels that are left.
            await allocator.reload()
            raise
    return found
