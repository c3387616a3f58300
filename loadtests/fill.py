"""
Fills a shop's store with skus, stock, rules and quotas, past the service but through the same verbs.

A seed of a million skus would be read, checked and written to SQL first, which is not what a benchmark measures.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis
from rich.console import Console

from allocator import MOVES_MAX, Allocator, Config, ConfigChange, Moved, Pipe, SellerKeys, make_client
from allocator.rules import compile_config
from app.replay.progress import Progress

from .shop import Batch, batches

SELLER: Final = "main"
TIMEOUT_S: Final = 60.0
"""Asking for the memory of a key with a million fields takes a second or two."""

BATCH_SKUS: Final = 1_000
"""What one change of config may make known."""

ACTOR: Final = "loadtests"


SETTLE_SECONDS_MAX: Final = 300.0
REWRITING: Final = ("aof_rewrite_in_progress", "aof_rewrite_scheduled", "rdb_bgsave_in_progress")


class NeverSettled(Exception):
    """The server has not come to rest, so what it does meanwhile would be measured."""


class Store(NamedTuple):
    """A way of our own to the store of a running service."""

    client: Redis
    allocator: Allocator


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[Store]:
    """Open the store of a running service, beside it."""
    client = make_client(url, timeout_s=TIMEOUT_S)
    pipe = Pipe(client)
    try:
        allocator = Allocator(pipe, SELLER, await _epoch(client))
        await allocator.reload()
        yield Store(client, allocator)
    finally:
        await pipe.close()


async def _epoch(client: Redis) -> str:
    [name] = SellerKeys(SELLER).named("seller")
    stored: Any = await client.hget(name, "epoch")
    return str(stored.decode())


async def fill(allocator: Allocator, skus: int, units: int, notes: Console) -> None:
    """Make the skus known and put `units` of each on every shelf. Raises what the allocator's verbs raise."""
    with Progress(f"filling {skus:,} skus:", skus, notes) as progress:
        for batch in batches(skus, units, BATCH_SKUS):
            await _configure(allocator, batch)
            await asyncio.gather(*_receipts(allocator, batch), *_quotas(allocator, batch))
            for _ in batch.skus:
                progress.step()


async def _configure(allocator: Allocator, batch: Batch) -> None:
    known, base = allocator.config, allocator.version
    part = Config(locations=known.locations, channels=known.channels, skus=batch.skus, rules=batch.rules)
    fields = {field: value for field, value in compile_config(part).items() if field.startswith("sku:")}
    skus = [sku.sku for sku in batch.skus]
    await allocator.configure(ConfigChange(base, base + 1, fields, [], skus), ACTOR)


def _receipts(allocator: Allocator, batch: Batch) -> Iterator[Awaitable[Moved]]:
    for start in range(0, len(batch.stock), MOVES_MAX):
        lines = batch.stock[start : start + MOVES_MAX]
        yield allocator.receive(lines, op=f"fill:{lines[0].sku}", why="opening stock", actor=ACTOR)


def _quotas(allocator: Allocator, batch: Batch) -> Iterator[Awaitable[Moved]]:
    for row in batch.quotas:
        op = f"fill:{row.sku}:{row.channel}"
        yield allocator.set_quota(row.sku, row.location, row.channel, row.units, op=op, actor=ACTOR)


async def settle(client: Redis) -> None:
    """
    Wait until the server rewrites no file any more.

    Filling makes its append-only file grow many times over, so a child that rewrites it shares the cores for a while.
    Raises NeverSettled.
    """
    until = time.monotonic() + SETTLE_SECONDS_MAX
    while time.monotonic() < until:
        info: dict[str, Any] = await client.info("persistence")
        if not any(info.get(word) for word in REWRITING):
            return
        await asyncio.sleep(0.2)
    raise NeverSettled(f"the server still rewrites its files after {SETTLE_SECONDS_MAX:g} s")
