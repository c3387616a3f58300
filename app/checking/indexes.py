"""Whether the indexes follow from the records; each part of an index is read with its records in one step."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from redis.asyncio import Redis

from allocator import SellerKeys
from allocator.judging import Violation
from allocator.model import Hold
from allocator.records import UNREADABLE, OrderRecord, decode_hold, decode_order, slot_members, waiting_members
from allocator.repairs import Index, RecordRepair, Repair, Stray

from .findings import Findings

SCAN: Final = 500
WORDS: Final = ("holds", "orders", "deadlines", "owners", "waiting", "slots")
SETS: Final = frozenset({"deadlines", "waiting", "slots"})


MEMBERS: Final[Mapping[Index, Callable[[OrderRecord], set[bytes]]]] = {
    "waiting": waiting_members,
    "slots": lambda record: slot_members(record.order),
}
"""What an order wants in each index of orders."""
NOUNS: Final = {"waiting": "waiting", "slots": "slot"}


class IndexCheck:
    """One seller's indexes."""

    def __init__(self, client: Redis, findings: Findings, progress: Callable[[int], None]) -> None:
        self.client = client
        self.findings = findings
        self.progress = progress
        keys = SellerKeys(findings.seller)
        self.names = {word: keys.named(word)[0] for word in WORDS}

    async def run(self) -> None:
        """Look at everything, from the records and from the indexes."""
        async for ids in self._scanned("holds"):
            await self._holds(ids)
        async for ids in self._scanned("orders"):
            await self._orders(ids)
        async for ids in self._scanned("deadlines"):
            await self._deadlines(ids)
        async for fields in self._scanned("owners"):
            await self._owners(fields)
        async for members in self._scanned("waiting"):
            await self._members("waiting", members)
        async for members in self._scanned("slots"):
            await self._members("slots", members)

    async def _scanned(self, word: str) -> AsyncIterator[list[bytes]]:
        scan = self.client.zscan_iter if word in SETS else self.client.hscan_iter
        part: list[bytes] = []
        async for name, _ in scan(self.names[word], count=SCAN):
            part.append(name)
            if len(part) == SCAN:
                yield part
                part = []
        if part:
            yield part

    async def _together(self, *reads: tuple[str, str, list[Any]]) -> list[list[Any]]:
        """Answers of HMGET and ZMSCORE that are all of one moment; of nothing, nothing."""
        asked = [read for read in reads if read[2]]
        async with self.client.pipeline(transaction=True) as pipe:
            for command, word, names in asked:
                getattr(pipe, command)(self.names[word], names)
            found = iter(await pipe.execute()) if asked else iter(())
        return [next(found) if read[2] else [] for read in reads]

    # --- from the records to their places ----------------------------------------------------------------------

    async def _holds(self, ids: list[bytes]) -> None:
        [packed] = await self._together(("hmget", "holds", ids))
        owned = {id: hold for id, hold in _open(ids, packed).items() if hold.owner}
        fields = [_owner(hold) for hold in owned.values()]
        packed, scores, owners = await self._together(
            ("hmget", "holds", ids), ("zmscore", "deadlines", ids), ("hmget", "owners", fields)
        )
        leads_to = dict(zip(fields, owners, strict=True))
        now = _open(ids, packed)
        records = dict(zip(ids, packed, strict=True))
        for id, score in zip(ids, scores, strict=True):
            expected = now[id].deadline_ms if id in now else 0
            if (score or 0) != expected:
                violation = Violation("deadline_differs", of=_text(id), found=int(score or 0), expected=expected)
                self._add(violation, "hold", id, records[id])
        for id in owned.keys() & now.keys():
            if leads_to[_owner(now[id])] != id:
                violation = Violation("owner_differs", of=f"{_owner(now[id])} {_text(id)}", found=0, expected=1)
                self._add(violation, "hold", id, records[id])
        self.progress(len(ids))

    async def _orders(self, ids: list[bytes]) -> None:
        [packed] = await self._together(("hmget", "orders", ids))
        found = _orders(ids, packed)
        for word in MEMBERS:
            await self._missing(word, {id: members for id, one in found.items() if (members := MEMBERS[word](one))})
        self.progress(len(ids))

    async def _missing(self, word: Index, wanted: dict[bytes, set[bytes]]) -> None:
        """What these orders wanted in an index a moment ago, want still, and have not there."""
        members = sorted(member for found in wanted.values() for member in found)
        packed, scores = await self._together(("hmget", "orders", list(wanted)), ("zmscore", word, members))
        # One with another score has another place in the queue.
        there = {member for member, score in zip(members, scores, strict=True) if score == 0}
        records = dict(zip(wanted, packed, strict=True))
        for id, record in _orders(list(wanted), packed).items():
            for member in sorted((MEMBERS[word](record) & wanted[id]) - there):
                violation = Violation(f"{NOUNS[word]}_missing", of=_text(member), found=0, expected=1)
                self._add(violation, "order", id, records[id])

    def _add(self, violation: Violation, kind: Any, id: bytes, packed: bytes | None) -> None:
        fix = None if packed is None else Repair(records=[RecordRepair(kind, _text(id), packed, packed)])
        self.findings.add_violation(violation, fix)

    # --- from the places to their records ----------------------------------------------------------------------

    async def _deadlines(self, ids: list[bytes]) -> None:
        packed, scores = await self._together(("hmget", "holds", ids), ("zmscore", "deadlines", ids))
        missing = {id for id, record in zip(ids, packed, strict=True) if record is None}
        for id, score in zip(ids, scores, strict=True):
            # One whose hold is there was judged with it.
            if score is not None and id in missing:
                self._stray(Violation("deadline_differs", of=_text(id), found=int(score)), "deadlines", id)

    async def _owners(self, fields: list[bytes]) -> None:
        [led] = await self._together(("hmget", "owners", fields))
        ids = [id or b"" for id in led]
        led, packed = await self._together(("hmget", "owners", fields), ("hmget", "holds", ids))
        for field, before, id, record in zip(fields, ids, led, packed, strict=True):
            hold = _open([before], [record]).get(before)
            if id is not None and id == before and (hold is None or _owner(hold) != field.decode(errors="replace")):
                violation = Violation("owner_differs", of=f"{_text(field)} {_text(id)}", found=1)
                self._stray(violation, "owners", field)

    async def _members(self, word: Index, members: list[bytes]) -> None:
        """Members of an index of orders that no order wants there."""
        ids = [_order_of(word, member) for member in members]
        packed, scores = await self._together(("hmget", "orders", ids), ("zmscore", word, members))
        for member, id, record, score in zip(members, ids, packed, scores, strict=True):
            order = _orders([id], [record]).get(id)
            if score is not None and (order is None or member not in MEMBERS[word](order)):
                self._stray(Violation(f"{NOUNS[word]}_extra", of=_text(member), found=1), word, member)

    def _stray(self, violation: Violation, index: Index, member: bytes) -> None:
        self.findings.add_violation(violation, Repair(strays=[Stray(index, member)]))


def _open(ids: list[bytes], packed: list[bytes | None]) -> dict[bytes, Hold]:
    """The open ones of these holds; one that cannot be read is told of elsewhere."""
    found = {}
    for id, record in zip(ids, packed, strict=True):
        try:
            hold = decode_hold(_text(id), record) if record is not None else None
        except UNREADABLE:
            continue
        if hold is not None and hold.state == "open":
            found[id] = hold
    return found


def _orders(ids: list[bytes], packed: list[bytes | None]) -> dict[bytes, OrderRecord]:
    found = {}
    for id, record in zip(ids, packed, strict=True):
        try:
            if record is not None:
                found[id] = decode_order(record)
        except UNREADABLE:
            continue
    return found


def _owner(hold: Hold) -> str:
    return f"{hold.channel}:{hold.owner}"


def _order_of(word: Index, member: bytes) -> bytes:
    """Which order a member belongs to, by its shape in lua/shared/orders.lua."""
    parts = member.split(b"\0")
    return parts[2] if len(parts) == (4 if word == "waiting" else 3) else b""


def _text(name: bytes) -> str:
    return name.decode(errors="replace").replace("\0", " ")
