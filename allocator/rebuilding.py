"""
Fills an empty store with a seller's records, as SQL remembers them.

Nothing is decided here: packed records go where the scripts look for them, and the indexes that follow from them beside
them. The epoch comes last: until then every script answers not_ready, so half a seller is never sold from.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from redis.asyncio import Redis

from .forgotten import Forgotten
from .gate import SHUT
from .keys import KEYS, SellerKeys
from .pipe import run_of
from .records import decode_hold, decode_order, decode_state, slot_members, waiting_members

CHUNK: Final = 2_000
"""Most records of one round trip."""

FILTER_CHUNK: Final = 1_048_576
"""Bytes of the filter that travel together."""


class NotEmpty(Exception):
    """The store has data of this seller, which a rebuild would overwrite."""


class Rebuilding:
    """Writes one seller's records; `open` ends it. Each call's rows are written when it returns."""

    def __init__(self, client: Redis, seller: str) -> None:
        self._client = client
        names = SellerKeys(seller)
        self._name = {word: names.named(word)[0] for word in KEYS}
        self._all = names.all()

    async def begin(self, *, discard: bool = False) -> None:
        """Start from nothing. Raises NotEmpty when there is something, unless it is to be discarded."""
        if await self._client.exists(*self._all) and not discard:
            raise NotEmpty("the store has data of this seller; they would be overwritten")
        await self._client.unlink(*self._all)

    async def stock(self, states: Mapping[str, bytes]) -> None:
        """Skus with their packed states."""
        owing = [sku for sku, packed in states.items() if decode_state(packed).waits]
        await self._put("stock", states)
        if owing:
            await self._client.sadd(self._name["servable"], *owing)

    async def orders(self, records: Mapping[str, bytes]) -> None:
        """Orders by id (channel:external id), packed; what waited waits again, and has its places of days."""
        decoded = [decode_order(packed) for packed in records.values()]
        waiting = [member for record in decoded for member in waiting_members(record)]
        slots = [member for record in decoded for member in slot_members(record.order)]
        await self._put("orders", records)
        if waiting:
            await self._client.zadd(self._name["waiting"], dict.fromkeys(waiting, 0))
        if slots:
            await self._client.zadd(self._name["slots"], dict.fromkeys(slots, 0))

    async def holds(self, records: Mapping[str, bytes]) -> None:
        """Holds by id, packed; open ones have their deadline and their owner again."""
        deadlines: dict[str, float] = {}
        owners: dict[str, bytes] = {}
        for id, packed in records.items():
            hold = decode_hold(id, packed)
            if hold.state == "open":
                deadlines[id] = hold.deadline_ms
                if hold.owner:
                    owners[f"{hold.channel}:{hold.owner}"] = id.encode()
        await self._put("holds", records)
        await self._put("owners", owners)
        if deadlines:
            await self._client.zadd(self._name["deadlines"], deadlines)

    async def ops(self, answers: Mapping[str, bytes]) -> None:
        """Remembered answers by op, packed."""
        await self._put("ops", answers)

    async def forgotten(self, filter: Forgotten) -> None:
        """The filter of all that is left to SQL."""
        for start in range(0, len(filter.bits), FILTER_CHUNK):
            part = bytes(filter.bits[start : start + FILTER_CHUNK])
            await self._client.setrange(self._name["forgotten"], start, part)
        if filter.names:
            await self._client.hset(self._name["seller"], "forgotten", str(filter.names))

    async def config(self, fields: Mapping[str, bytes]) -> None:
        """Fields of the compiled config."""
        await self._put("config", fields)

    async def open(self, epoch: str, *, config_version: int, clock_ms: int, shut: str = "") -> None:
        """
        Everything is there: from here on scripts of this epoch may run.

        With a reason to keep it `shut` they only may when somebody has opened the gate.
        """
        facts: dict[Any, Any] = {"config": str(config_version), "clock": str(clock_ms)}
        facts |= {"run": await run_of(self._client)}
        if shut:
            facts |= {"gate": SHUT, "why": shut}
        await self._client.hset(self._name["seller"], mapping=facts)
        await self._client.hset(self._name["seller"], "epoch", epoch)

    async def _put(self, word: str, values: Mapping[str, bytes]) -> None:
        items = list(values.items())
        for start in range(0, len(items), CHUNK):
            part: Sequence[tuple[str, bytes]] = items[start : start + CHUNK]
            await self._client.hset(self._name[word], mapping=dict(part))
