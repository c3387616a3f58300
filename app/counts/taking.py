"""Counts as they come in and are settled: each function is one transaction. What they come to is the desk's."""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from allocator import errors
from app.audit import By
from app.errors import CountStands, CountUnknown, SecondPerson
from app.store.counts import (
    OPEN,
    CountFacts,
    add_count,
    add_lines,
    add_part,
    change_count,
    find_count,
    find_part,
    parts_of,
    settle_lines,
    tally,
)
from app.store.database import Session
from app.store.sellers import require_seller
from app.times import now_ms

from .forms import LINES_MAX, CountAsked, CountHead, PlaceCounted, lines_of

PARKED, DISCARDED = "parked", "discarded"
BEFORE_ITS_EFFECT = (OPEN, "deciding", PARKED)


async def take(session: Session, by: By, id: str, asked: CountAsked) -> bool:
    """A count of some places; whether it was there already. Raises OpConflict."""
    count = _made(by, id, asked, kind="lines", state="applying", lines=len(asked.lines))
    if await _is_there(session, count):
        return True
    await add_lines(session, by.seller, id, lines_of(asked.lines))
    return False


async def begin(session: Session, by: By, id: str, asked: CountHead) -> bool:
    """A snapshot that waits for its parts; whether it was there already. Raises OpConflict."""
    return await _is_there(session, _made(by, id, asked, kind="snapshot", state=OPEN, lines=0))


async def add(session: Session, by: By, id: str, part: int, lines: list[PlaceCounted]) -> bool:
    """A part of a snapshot; whether it was there already. Raises CountUnknown, CountStands, OpConflict."""
    count, digest = await _mine(session, by, id), _digest(lines)
    before = await find_part(session, by.seller, id, part)
    if before is not None:
        if before != digest:
            raise errors.OpConflict(facts={"op": f"{id} part {part}"})
        return True
    if count.state != OPEN:
        raise CountStands(f"the count is {count.state}: nothing is added any more")
    await add_part(session, by.seller, id, part, digest=digest, lines=len(lines))
    await add_lines(session, by.seller, id, lines_of(lines, (part - 1) * LINES_MAX + 1))
    return False


async def close(session: Session, by: By, id: str, parts: int) -> bool:
    """All parts of a snapshot are there; whether that was known. Raises CountUnknown, CountStands."""
    count = await _mine(session, by, id)
    there, lines = await parts_of(session, by.seller, id)
    if there != parts:
        raise CountStands(f"{there} parts are there, {parts} were announced")
    if count.state != OPEN:
        return True
    await change_count(session, by.seller, id, state="deciding", lines=lines)
    return False


async def release(session: Session, by: By, id: str) -> None:
    """Let a parked snapshot have its effect. Raises CountUnknown, CountStands, SecondPerson."""
    count = await _find(session, by.seller, id)
    if count.actor == by.actor:
        raise SecondPerson("this key sent the count; another one has to release it")
    if count.state != PARKED:
        raise CountStands(f"the count is {count.state}, not parked")
    await change_count(session, by.seller, id, state="applying", settled_by=by.actor)


async def discard(session: Session, by: By, id: str) -> None:
    """End a snapshot that has had no effect yet. Raises CountUnknown, CountStands."""
    count = await _find(session, by.seller, id)
    if count.state not in BEFORE_ITS_EFFECT:
        raise CountStands(f"the count is {count.state}: what it did cannot be taken back")
    ended = {"ended_ms": now_ms(), "tally": await tally(session, by.seller, id)}
    await change_count(session, by.seller, id, state=DISCARDED, settled_by=by.actor, **ended)


async def settle(session: Session, by: By, id: str, numbers: Sequence[int], action: str) -> int:
    """Apply or discard lines in review; how many were. Raises CountUnknown."""
    await _find(session, by.seller, id)
    state = "waiting" if action == "apply" else DISCARDED
    settled = await settle_lines(session, by.seller, id, numbers, state=state, by=by.actor)
    if settled and action == "apply":
        await change_count(session, by.seller, id, state="applying", ended_ms=None)
    elif settled:
        await change_count(session, by.seller, id, tally=await tally(session, by.seller, id))
    return settled


async def _is_there(session: Session, count: CountFacts) -> bool:
    """Whether it is there already; added where it is not. One at a time: the same id sent twice is one count."""
    await require_seller(session, count.seller, lock=True)
    before = await find_count(session, count.seller, count.id)
    if before is None:
        await add_count(session, count)
        return False
    if (before.digest, before.kind) != (count.digest, count.kind):
        raise errors.OpConflict(facts={"op": count.id})
    return True


def _made(by: By, id: str, asked: CountHead, *, kind: str, state: str, lines: int) -> CountFacts:
    return CountFacts(
        seller=by.seller,
        id=id,
        kind=kind,
        source=asked.source,
        meaning=asked.meaning,
        uncertainty_ms=asked.uncertainty_seconds * 1_000,
        why=asked.why,
        actor=by.actor,
        digest=_digest(asked),
        state=state,
        lines=lines,
        made_ms=now_ms(),
    )


async def _find(session: Session, seller: str, id: str) -> CountFacts:
    count = await find_count(session, seller, id, lock=True)
    if count is None:
        raise CountUnknown(f"there is no count {id}")
    return count


async def _mine(session: Session, by: By, id: str) -> CountFacts:
    """A snapshot goes on with the key that began it."""
    count = await _find(session, by.seller, id)
    if count.actor != by.actor or count.kind != "snapshot":
        raise CountUnknown(f"this key has begun no snapshot {id}")
    return count


def _digest(asked: object) -> str:
    return blake2b(msgspec.json.encode(asked), digest_size=16).hexdigest()
