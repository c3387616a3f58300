"""Reads what the scripts answer: packed arrays, in the shapes their headers state, into the types of `model`."""

from typing import Any

import msgspec
from msgspec import UNSET

from .announced import Announced, AnnouncedLine, AnnouncedReturn
from .explanation import Explained, Quota, RuleChoice, RuleSaid, Shelf
from .model import (
    Changed,
    Exchanged,
    Extended,
    Held,
    HeldLine,
    Hold,
    Level,
    Moved,
    Order,
    OrderLine,
    Part,
    Placed,
    Released,
    Take,
    Traced,
    Version,
)
from .pending import HeldFor, PendingLine, asked_terms
from .promised import Promised, PromisedAt
from .repairs import Repaired
from .runs import Expired, Rescued, RescuedLine, Served, ServedLine

unpack = msgspec.msgpack.Decoder().decode


def _parts(row: list[Any]) -> list[Part]:
    return [Part(row[i], row[i + 1], row[i + 2]) for i in range(3, len(row), 3)]


def takes(sku: str, rows: list[Any]) -> list[Take]:
    """Takes as shared/takes.lua packs them."""
    return [Take(sku, row[0], row[1], bool(row[2]), _parts(row)) for row in rows]


def versions(rows: list[Any]) -> list[Version]:
    """[sku, version, sku, version, ...]."""
    return [Version(*pair) for pair in zip(rows[::2], rows[1::2], strict=True)]


def traced(rows: list[Any]) -> list[Traced]:
    """[location, verdict, units, location, verdict, units, ...]."""
    return [Traced(*three) for three in zip(rows[::3], rows[1::3], rows[2::3], strict=True)]


def order_lines(rows: list[Any]) -> list[OrderLine]:
    """Lines as shared/orders.lua packs them."""
    return [OrderLine(*[*row[:9], takes(row[1], row[9])]) for row in rows]


def held(hold_id: str, packed: bytes, *, replayed: bool) -> Held:
    """The answer of hold."""
    deadline_ms, lines, skus, plan, trace, replaced, changed = unpack(packed)
    taken = [take for sku, rows in skus for take in takes(sku, rows)]
    held_lines = [HeldLine(*line) for line in lines]
    return Held(
        hold_id, deadline_ms, held_lines, taken, plan, traced(trace), replaced, versions(changed), replayed=replayed
    )


def placed(channel: str, external_id: str, packed: bytes, *, replayed: bool) -> Placed:
    """The answer of order."""
    kind, state, placed_ms, lines, hold, plan, trace, changed, *more = unpack(packed)
    return Placed(
        channel,
        external_id,
        kind,
        state,
        placed_ms,
        order_lines(lines),
        hold,
        plan,
        traced(trace),
        versions(changed),
        replayed=replayed,
        promised=promised(more[0]) if more else None,
    )


def promised(row: list[Any]) -> Promised:
    """What an order was promised, as shared/orders.lua packs it."""
    ship_by_ms, deliver_by_ms, complete, country, region, pickup, *places = row
    at = [PromisedAt(code, day, ship_ms, there_ms or None, bool(left)) for code, day, ship_ms, there_ms, left in places]
    return Promised(ship_by_ms or None, deliver_by_ms or None, bool(complete), country, region, pickup, at)


def announced_return(row: list[Any]) -> AnnouncedReturn:
    """A return as shared/orders.lua packs it."""
    id, revision, due_ms, location, why, rows = row
    lines = [AnnouncedLine(line, sku, units, came, max(0, units - came)) for line, sku, units, came in rows]
    return AnnouncedReturn(id, revision, due_ms or None, location, why, lines)


def announced(channel: str, external_id: str, packed: bytes, *, replayed: bool) -> Announced:
    """The answer of announce_return."""
    return Announced(channel, external_id, announced_return(unpack(packed)), replayed=replayed)


def changed(channel: str, external_id: str, packed: bytes, *, replayed: bool) -> Changed:
    """The answer of every later change of an order; only a named return has one more value."""
    state, lines, raised, *more = unpack(packed)
    named = announced_return(more[0]) if more else UNSET
    facts = channel, external_id, state, order_lines(lines), versions(raised)
    return Changed(*facts, replayed=replayed, announced=named)


def exchanged(old: tuple[str, str], new: tuple[str, str], packed: bytes, *, replayed: bool) -> Exchanged:
    """The answer of exchange: for the order (channel, external id) that goods came back for, and the new one."""
    old_state, old_lines, kind, state, placed_ms, lines, plan, trace, raised = unpack(packed)
    changed = versions(raised)
    return Exchanged(
        Changed(*old, old_state, order_lines(old_lines), changed, replayed=replayed),
        Placed(*new, kind, state, placed_ms, order_lines(lines), "", plan, traced(trace), changed, replayed=replayed),
        replayed=replayed,
    )


def moved(packed: bytes, *, replayed: bool) -> Moved:
    """The answer of a stock movement."""
    return Moved(versions(unpack(packed)[0]), replayed=replayed)


def repaired(packed: bytes, *, replayed: bool) -> Repaired:
    """The answer of repair."""
    changed, strays = unpack(packed)
    return Repaired(versions(changed), strays, replayed=replayed)


def extended(hold_id: str, packed: bytes, *, replayed: bool) -> Extended:
    """The answer of extend."""
    return Extended(hold_id, unpack(packed)[0], replayed=replayed)


def released(hold_id: str, packed: bytes, *, replayed: bool) -> Released:
    """The answer of release."""
    return Released(hold_id, versions(unpack(packed)[0]), replayed=replayed)


def levels(channels: list[str], packed: bytes) -> list[Level]:
    """The answer of availability, sku by sku, channel by channel."""
    row = unpack(packed)
    places = [(2 + 2 * i, channel) for i, channel in enumerate(channels)]
    return [
        Level(row[at], channel, row[at + i], row[at + i + 1], row[at + 1])
        for at in range(0, len(row), 2 + 2 * len(channels))
        for i, channel in places
    ]


def expired(word: str, packed: bytes) -> Expired:
    """The answer of expire."""
    row = unpack(packed)
    if word == "paused":
        return Expired([], paused=True, jump_ms=row[0], more=False)
    return Expired(row[0], paused=False, jump_ms=0, more=bool(row[1]))


def rescued(packed: bytes) -> Rescued:
    """The answer of rescue."""
    lines, deficit = unpack(packed)
    return Rescued([RescuedLine(*line) for line in lines], deficit)


def served(packed: bytes) -> Served:
    """The answer of serve."""
    lines, more = unpack(packed)
    return Served([ServedLine(*line) for line in lines], more=bool(more))


def hold_record(hold_id: str, packed: bytes) -> Hold:
    """A hold as shared/holds.lua packs it."""
    channel, owner, state, deadline_ms, skus, *more = unpack(packed)
    held_takes = [take for sku, rows in skus for take in takes(sku, rows)]
    return Hold(hold_id, channel, owner, state, deadline_ms, held_takes, _held_for(more[0]) if more else None)


def _held_for(row: list[Any]) -> HeldFor:
    external_id, reason, kind, _partial, _fingerprint, _candidates, lines, *terms = row
    return HeldFor(external_id, reason, kind, [PendingLine(*line) for line in lines], *map(asked_terms, terms))


_NOT_SAID: list[Any] = [[0], None, []]
"""The last elements of an order's record that were left out."""


def order_record(packed: bytes) -> Order:
    """An order as shared/orders.lua packs it."""
    channel, external_id, kind, _op, _fingerprint, placed_ms, _rank, _candidates, lines, state, *more = unpack(packed)
    rejects, terms, returns = more + _NOT_SAID[len(more) :]
    said = promised(terms) if terms else None
    back = [announced_return(row) for row in returns]
    at, desk, rows = rejects[1:], bool(rejects[0]), order_lines(lines)
    return Order(channel, external_id, kind, state, placed_ms, rows, at, desk=desk, promised=said, announced=back)


_SCOPES = {
    "sku+": "sku and {}",
    "category+": "category and {}",
    "sku": "sku",
    "category": "category",
    "": "{}",
    "global": "global",
}


def _rule_choice(kind: str, place: str, said: list[Any]) -> RuleChoice:
    word = "location" if kind == "safety_stock" else "channel"
    rules = [
        RuleSaid(_SCOPES[scope].format(word), *(value if isinstance(value, list) else (value, 0)))
        for scope, value in said
    ]
    return RuleChoice(kind, place, rules)


def explained(sku: str, channel: str, packed: bytes) -> Explained:
    """The answer of explain."""
    version, overflow, shelves, debts, steps, rules, spread = unpack(packed)
    open_units, owed, pool, buffer, atp_now, cutoff, max_published, published = steps
    return Explained(
        sku=sku,
        channel=channel,
        version=version,
        overflow=overflow,
        shelves=[Shelf(*[*row[:13], [Quota(*quota) for quota in row[14]], row[13]]) for row in shelves],
        open=open_units,
        backordered=debts[0],
        conflict=debts[1],
        deficits=debts[2],
        owed=owed,
        pool=pool,
        buffer=buffer,
        atp_now=atp_now,
        cutoff=cutoff,
        max_published=max_published,
        published=published,
        spread=dict(zip(spread[::2], spread[1::2], strict=True)),
        rules=[_rule_choice(*choice) for choice in rules],
    )
