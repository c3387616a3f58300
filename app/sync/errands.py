"""
Tells channels what became of their orders here: goods that left, and orders that are off.

The ledger in SQL is followed, so nothing that happened is missed, however long nobody looked. What is to be told is an
errand, under a key that comes from the ledger entry: it is made once, and told until the channel has taken or refused
it. What the channel has told us itself it is never told.
"""

from dataclasses import replace
from typing import Final

import msgspec
import structlog

from allocator import Order, ledger
from allocator.records import Entry
from app.store.database import Session
from app.store.errands import (
    DEAD,
    DONE,
    IN_PART,
    WAITING,
    ErrandFacts,
    Happened,
    Shipped,
    add_errands,
    change_errand,
    due_errands,
    followed_orders,
    happened_after,
    move_told_back,
    number_before,
    order_before,
    shipped_of,
    told_back,
    way_of,
)
from app.times import now_ms
from channels.base import Parcel
from channels.errors import Busy, ChannelError, Refused

from .mirroring import actor_of
from .pictures import Followed
from .steps import Work

ENTRIES: Final = 100
"""Entries of one look."""

AT_ONCE: Final = 10
"""Errands of one run."""

ATTEMPTS_MAX: Final = 40
"""Tries before one is given up: with the pauses between them, a day and a half."""

PAUSE_MS_MAX: Final = 3_600_000
SAYS_MAX: Final = 500

log = structlog.get_logger(__name__)

_encode = msgspec.json.encode
_decode_parcel = msgspec.json.Decoder(Parcel).decode
_decode_entry = msgspec.msgpack.Decoder(Entry).decode
_decode_followed = msgspec.json.Decoder(Followed).decode


class Off(msgspec.Struct, frozen=True):
    """An order is to be cancelled at its channel."""

    reason: str


_decode_off = msgspec.json.Decoder(Off).decode

PART: Final = "cancelled in part"
"""The reason of one that no channel may be told as it is: it would cancel the whole order."""


# --- what is to be told ---------------------------------------------------------------------------------------------


async def make_errands(work: Work) -> bool:
    """Look at what happened since the last look; whether there is more."""
    facts = work.facts
    mine = facts.seller, facts.code
    async with work.state.database.reading() as session:
        number = await told_back(session, *mine)
        begun = number if number is not None else await number_before(session, facts.seller, facts.created_ms)
        found, until = await happened_after(session, facts.seller, begun, besides=actor_of(facts), limit=ENTRIES)
        made = [errand for one in found for errand in await _errands_of(session, work, one)]
    if until == number or not work.still_ours():
        return False
    async with work.state.database.writing() as session:
        await add_errands(session, *mine, made)
        await move_told_back(session, *mine, until)
    return len(found) == ENTRIES


async def _errands_of(session: Session, work: Work, happened: Happened) -> list[ErrandFacts]:
    """What an entry means for the orders that were heard from this connection."""
    orders = ledger.orders_of(_decode_entry(happened.body))
    known = await followed_orders(session, work.facts.seller, work.facts.code, {one.external_id for one in orders})
    made: list[ErrandFacts] = []
    for order in orders:
        followed = _decode_followed(known.get(order.external_id) or b"{}")
        if followed.channel != order.channel:
            continue
        made += (
            await _parcels(session, work, happened, order, followed)
            if happened.verb == "ship"
            else await _off(session, work, happened, order)
        )
    return made


async def _off(session: Session, work: Work, happened: Happened, order: Order) -> list[ErrandFacts]:
    """An order that is off as a whole; of one that is off in part people must tell the channel."""
    if order.state == "cancelled":
        return [_errand(happened, "cancel", order, _encode(Off("cancelled by the seller")).decode())]
    if happened.verb == "cancel" or await _took_off(session, work, happened, order):
        in_part = _errand(happened, "cancel", order, _encode(Off(PART)).decode())
        return [replace(in_part, state=DEAD, code=IN_PART, says=_in_part(order))]
    return []


async def _took_off(session: Session, work: Work, happened: Happened, order: Order) -> bool:
    """Whether an edit took units off: more are off now than when the order was heard of before."""
    body = await order_before(session, work.facts.seller, order.channel, order.external_id, happened.number)
    before = ledger.orders_of(_decode_entry(body)) if body else []
    # One entry may be about two orders.
    same = [one for one in before if (one.channel, one.external_id) == (order.channel, order.external_id)]
    return _units_off(order) > sum(map(_units_off, same))


def _units_off(order: Order) -> int:
    return sum(line.cancelled for line in order.lines)


def _in_part(order: Order) -> str:
    """What people have to do there."""
    off = [f"line {line.line}: {line.cancelled} of {line.ordered}" for line in order.lines if line.cancelled]
    says = (
        "only a part of it was cancelled, and what the buyer gets back for that people must say: refund or take it off "
        "there, then replay this errand by its key, which only notes that. Units that are off by now: "
    )
    return (says + ", ".join(off))[:SAYS_MAX]


def _errand(happened: Happened, kind: str, order: Order, body: str, place: str = "") -> ErrandFacts:
    key = f"{kind}:{happened.number}:{place}" if place else f"{kind}:{happened.number}"
    at_ms = now_ms()
    return ErrandFacts(key, kind, order.external_id, body, WAITING, 0, at_ms, "", "", at_ms, 0)


async def _parcels(
    session: Session, work: Work, happened: Happened, order: Order, followed: Followed
) -> list[ErrandFacts]:
    """One for each location that goods left with this entry, in units of the channel's listings."""
    left = await shipped_of(session, work.facts.seller, order.channel, order.external_id)
    way = await way_of(session, work.facts.seller, happened.op)
    places = sorted({row.location for row in left if row.number == happened.number})
    is_over = not any(line.committed + line.backordered + line.conflict for line in order.lines)
    made = []
    for place in places:
        units = _units(left, (happened.number, place), followed)
        if not units:
            continue
        key = f"{work.facts.code}-{happened.number}-{place}"
        parcel = Parcel(
            key,
            order.external_id,
            units,
            is_last=is_over and place == places[-1],
            carrier=way.carrier,
            tracking=way.tracking,
            shipped_ms=happened.at_ms,
        )
        made.append(_errand(happened, "ship", order, _encode(parcel).decode(), place))
    return made


def _units(left: list[Shipped], this: tuple[int, str], followed: Followed) -> dict[str, int]:
    """By line, the listing's units that are whole with this shipment and were not before it."""
    before: dict[str, int] = {}
    here: dict[str, int] = {}
    for row in left:
        if (row.number, row.location) < this:
            before[row.line] = before.get(row.line, 0) + row.units
        elif (row.number, row.location) == this:
            here[row.line] = here.get(row.line, 0) + row.units
    told = {}
    for line, units in here.items():
        known = followed.lines.get(line)
        if known is not None:
            earlier = before.get(line, 0)
            told[line] = (earlier + units) // known.pack - earlier // known.pack
    return {line: units for line, units in told.items() if units > 0}


# --- telling it -----------------------------------------------------------------------------------------------------


async def run_errands(work: Work) -> bool:
    """Tell the channel what it has not been told; whether there is more to tell."""
    async with work.state.database.reading() as session:
        due = await due_errands(session, work.facts.seller, work.facts.code, now_ms=now_ms(), limit=AT_ONCE)
    for errand in due:
        if not work.still_ours():
            return False
        changes = await _tell(work, errand)
        async with work.state.database.writing() as session:
            await change_errand(session, work.facts.seller, work.facts.code, errand.key, **changes)
        told = {"order": errand.external_id, "kind": errand.kind, "outcome": changes["state"]}
        log.info("channel_told", connection=work.facts.code, errand=errand.key, code=changes.get("code", ""), **told)
    return len(due) == AT_ONCE


async def _tell(work: Work, errand: ErrandFacts) -> dict[str, object]:
    """What is to be written down of an errand once it was tried."""
    connector, run = work.line.connector, work.line.engine.run
    try:
        if errand.kind == "ship":
            await run(connector.ship(_decode_parcel(errand.body)))
        elif (reason := _decode_off(errand.body).reason) == PART:
            return {"state": DONE, "done_ms": now_ms(), "code": IN_PART, "says": "people have told the channel"}
        elif not await run(connector.cancel(errand.external_id, reason)):
            says = "only people can cancel there: cancel it at the channel"
            return {"state": DEAD, "code": "by_hand", "says": says}
    except Refused as error:
        return {"state": DEAD, "code": (error.code or "refused")[:100], "says": str(error)[:SAYS_MAX]}
    except ChannelError as error:
        return _later(errand, error)
    return {"state": DONE, "done_ms": now_ms(), "code": "", "says": ""}


def _later(errand: ErrandFacts, error: ChannelError) -> dict[str, object]:
    """The channel has not answered, or nobody knows what it has done: telling it again under the same key is one."""
    attempts, says = errand.attempts + 1, f"{type(error).__name__}: {error}"[:SAYS_MAX]
    if attempts >= ATTEMPTS_MAX:
        return {"state": DEAD, "attempts": attempts, "code": "given_up", "says": says}
    wait_ms = round(error.wait_s * 1_000) if isinstance(error, Busy) else 0
    pause_ms = max(wait_ms, min(PAUSE_MS_MAX, 1_000 * 2 ** min(attempts, 20)))
    return {"attempts": attempts, "due_ms": now_ms() + pause_ms, "says": says, "state": WAITING, "code": "later"}
