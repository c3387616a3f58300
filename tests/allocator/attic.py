"""What a seller's records are remembered in when they have left the store: SQL for tests of the allocator alone."""

from collections.abc import Callable
from typing import Any

from allocator import Allocator, SellerKeys
from allocator.leaving import Leaving
from allocator.records import Kept

KEYS = {"answer": "ops", "hold": "holds", "order": "orders"}
CALL = 100


async def forget(allocator: Allocator, records: list[Kept]) -> int:
    """Let records leave the store of this allocator."""
    return await Leaving(allocator._runner._pipe, allocator.seller, allocator.epoch).forget(records)


class Attic:
    """A history in memory; `asked` has every question."""

    def __init__(self, client: Any, seller: str = "main") -> None:
        self.client, self.seller = client, seller
        self.kept: dict[tuple[str, str], bytes] = {}
        self.asked: list[tuple[str, str]] = []

    async def answer(self, op: str) -> bytes | None:
        self.asked.append(("answer", op))
        return self.kept.get(("answer", op))

    async def record(self, kind: str, id: str) -> bytes | None:
        self.asked.append((kind, id))
        return self.kept.get((kind, id))

    async def fill(self) -> list[Kept]:
        """Remember all there is now, as the drain and the walk do together; what there was."""
        found = []
        for kind, key in KEYS.items():
            [name] = SellerKeys(self.seller).named(key)
            stored = await self.client.hgetall(name)
            found += [Kept(kind, id.decode(), packed) for id, packed in stored.items()]
        self.kept |= {(row.kind, row.id): row.packed for row in found}
        return found

    async def clear_out(self, allocator: Allocator, wanted: Callable[[Kept], bool] = lambda row: True) -> int:
        """Let what is wanted leave the store; how much did."""
        rows = [row for row in await self.fill() if wanted(row)]
        calls = [rows[start : start + CALL] for start in range(0, len(rows), CALL)]
        return sum([await forget(allocator, call) for call in calls])
