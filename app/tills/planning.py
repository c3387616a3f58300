"""
What is booked for an event of a till: decided once, from what is known of its places, and kept with the event.

The ledger has what was booked in the order in which it was heard, and a till may say it hours after it happened. A
count says what lay there at a moment of the till's. Three rules bring both together, whatever comes first:

- A count contains all that had happened by then, heard or not. What the ledger did not have by then, or has not yet,
  is added to what was counted, so that it may be booked on top (`_counted_then`).
- What comes after a count that contained it is booked, and taken back at once by a correction (`Plan.contained`): the
  sale is known, and the shelf is as it was counted.
- What is refused when a count has already been given what it was to move is moved all the same (`Booker.make_good`).

All of this is movements to counts, below nothing too, so it is one whether a count is decided before it or after it.
Events are planned one after the other, under a lock of the seller: of a sale and a count each knows the other, or one
of them does.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from allocator import Disposition
from app.store.tills import REJECTED, MoveFacts, Place, TillEventFacts
from app.times import DAY_MS, ms_of
from channels.pos import TillEvent

from .quantities import fits, units_of

FUTURE_MS: Final = 300_000
"""How far ahead of ours a till's clock may be."""

AGE_MAX_MS: Final = 7 * DAY_MS
"""How old an event may be that has never come before."""

TRANSFER_MAX: Final = 64
"""Characters of a transfer's id."""


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What is booked for an event. lines: (sku, units), each sku once; at_ms: when it happened.

    order: (channel, external id) of the sale itself, or of the one that a return is of. transfer: the id of one that
    leaves or arrives. contained: skus that a later count had in it already.
    """

    type: str
    location: str
    lines: list[tuple[str, int]]
    at_ms: int
    order: tuple[str, str] | None = None
    transfer: str = ""
    to_location: str = ""
    disposition: Disposition = "restock"
    reference: str = ""
    contained: list[str] = []

    @property
    def places(self) -> list[Place]:
        """The places it is about."""
        return [(sku, self.location) for sku, _ in self.lines]

    def moves(self) -> list[tuple[str, int]]:
        """(sku, units) that come to the location's shelf, or leave it, below 0."""
        if self.type == "count" or (self.type == "return" and self.disposition == "scrap"):
            return []
        leaves = self.type == "sale" or (self.type == "transfer" and bool(self.to_location))
        return [(sku, -units if leaves else units) for sku, units in self.lines]


class Unfitting(NamedTuple):
    """An event that cannot be booked as it is; nothing is remembered of it, so it may come again when that is right."""

    code: str
    says: str


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What events are judged by. scales: of the skus there are. locations: the tills' own names, each with ours."""

    connection: str
    channel: str
    scales: Mapping[str, int]
    known: Collection[str]
    locations: Mapping[str, str]
    now_ms: int

    def location(self, said: str) -> str:
        """Our location for what a till calls it."""
        return self.locations.get(said, said)


@dataclass
class Heard:
    """What is known of events and places; `plan_events` adds to it. counted: when tills counted a place last."""

    events: dict[str, TillEventFacts] = field(default_factory=dict)
    counted: dict[Place, int] = field(default_factory=dict)
    moves: dict[Place, list[MoveFacts]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class Planned:
    """New events with what they will do, and those that are not taken."""

    events: list[TillEventFacts] = field(default_factory=list)
    moves: list[MoveFacts] = field(default_factory=list)
    unfitting: dict[int, Unfitting] = field(default_factory=dict)


OTHER_REQUEST: Final = Unfitting("other_request", "this event_id came before with another content: use a new one")


def digest_of(event: TillEvent) -> str:
    """What tells an event that comes again from another one under its id."""
    return blake2b(msgspec.json.encode(event), digest_size=16).hexdigest()


def in_time(events: Iterable[TillEvent], now_ms: int) -> Iterator[tuple[int, int, TillEvent]]:
    """
    Events with their numbers and moments, in the order in which they happened: a return comes after its sale.

    All of it has happened, so a till that says later has a clock that is ahead: then it happened just now, one after
    the other.
    """
    ordered = sorted(enumerate(events), key=lambda numbered: (ms_of(numbered[1].occurred_at), numbered[0]))
    for place, (number, event) in enumerate(ordered, 1):
        occurred_ms = ms_of(event.occurred_at)
        yield number, occurred_ms if occurred_ms <= now_ms else now_ms - len(ordered) + place, event


def plan_events(events: list[TillEvent], heard: Heard, setting: Setting) -> Planned:
    """What is to be booked for these events, of those that are new."""
    planned = Planned()
    for number, at_ms, event in in_time(events, setting.now_ms):
        digest, before = digest_of(event), heard.events.get(event.event_id)
        if before is not None:
            if before.digest != digest:
                planned.unfitting[number] = OTHER_REQUEST
            continue
        unfitting = unfitting_of(event, setting)
        if unfitting is not None:
            planned.unfitting[number] = unfitting
            continue
        plan = _plan(event, at_ms, heard, setting)
        facts = TillEventFacts(
            event_id=event.event_id,
            digest=digest,
            type=event.type,
            occurred_ms=plan.at_ms,
            heard_ms=setting.now_ms,
            plan=msgspec.json.encode(plan).decode(),
        )
        _add(planned, heard, facts, _moves_of(event.event_id, plan))
    return planned


def _add(planned: Planned, heard: Heard, facts: TillEventFacts, moves: list[MoveFacts]) -> None:
    heard.events[facts.event_id] = facts
    planned.events.append(facts)
    planned.moves += moves
    for move in moves:
        if move.is_count:
            heard.counted[move.place] = max(move.occurred_ms, heard.counted.get(move.place, 0))
        else:
            heard.moves[move.place].append(move)


def _moves_of(event_id: str, plan: Plan) -> list[MoveFacts]:
    if plan.type == "count":
        return [MoveFacts(sku, plan.location, plan.at_ms, event_id, True, units) for sku, units in plan.lines]
    free = [(sku, units) for sku, units in plan.moves() if sku not in plan.contained]
    return [MoveFacts(sku, plan.location, plan.at_ms, event_id, False, units) for sku, units in free]


# --- one event ----------------------------------------------------------------------------------------------------


def unfitting_of(event: TillEvent, setting: Setting) -> Unfitting | None:
    """Why an event is not taken, or None."""
    if why := _wrong_time(ms_of(event.occurred_at), setting.now_ms):
        return why
    ends = [event.location, *([event.to_location] if event.to_location else [])]
    if unknown := [said for said in ends if setting.location(said) not in setting.known]:
        return Unfitting("unknown_location", f"there is no location {unknown[0]}: add it, or map it in the connection")
    for line in event.lines:
        if line.sku not in setting.scales:
            return Unfitting("unknown_sku", f"there is no sku {line.sku}: add it, and send the event again")
    if event.type == "transfer":
        return _wrong_transfer(event, setting) or _wrong_quantity(event, setting)
    return _wrong_quantity(event, setting)


def _wrong_time(occurred_ms: int, now_ms: int) -> Unfitting | None:
    if occurred_ms > now_ms + FUTURE_MS:
        return Unfitting(
            "from_the_future", "it is to happen more than 300 s from now: set the till's clock, send it again"
        )
    if occurred_ms < now_ms - AGE_MAX_MS:
        return Unfitting("too_old", "it happened more than 7 days ago: count what lies there, and send that")
    return None


def _wrong_transfer(event: TillEvent, setting: Setting) -> Unfitting | None:
    if not event.to_location and not event.reference:
        return Unfitting("no_destination", "say where it goes (to_location), or which transfer arrives (reference)")
    if setting.location(event.to_location) == setting.location(event.location):
        return Unfitting("no_destination", "it goes to where it is")
    if len(event.reference) > TRANSFER_MAX or not (event.reference.isascii() and " " not in event.reference):
        return Unfitting("no_destination", "a transfer's id has at most 64 visible ASCII characters")
    return None


def _wrong_quantity(event: TillEvent, setting: Setting) -> Unfitting | None:
    for line in event.lines:
        units = units_of(line.quantity, setting.scales[line.sku])
        if units is None or not fits(event.type, units):
            says = f"{line.quantity} of {line.sku} is not a quantity that a {event.type} may have"
            return Unfitting("unfit_quantity", says)
    if any(units_of_sku == 0 for _, units_of_sku in _merged(event, setting)) and event.type == "adjustment":
        return Unfitting("unfit_quantity", "the lines of a sku come to nothing")
    return None


def _merged(event: TillEvent, setting: Setting) -> list[tuple[str, int]]:
    """Each sku once: of a count the same article on two shelves adds up as well."""
    units: dict[str, int] = {}
    for line in event.lines:
        units[line.sku] = units.get(line.sku, 0) + (units_of(line.quantity, setting.scales[line.sku]) or 0)
    return list(units.items())


def _plan(event: TillEvent, at_ms: int, heard: Heard, setting: Setting) -> Plan:
    plan = Plan(
        type=event.type,
        location=setting.location(event.location),
        lines=_merged(event, setting),
        at_ms=at_ms,
        order=_order_of(event, heard, setting),
        transfer=(event.reference or event.event_id) if event.type == "transfer" else "",
        to_location=setting.location(event.to_location) if event.to_location else "",
        disposition=event.disposition,
        reference=event.reference,
    )
    if event.type == "count":
        return msgspec.structs.replace(plan, lines=_counted_then(plan, heard))
    contained = [sku for sku, _ in plan.moves() if plan.at_ms <= heard.counted.get((sku, plan.location), -1)]
    return msgspec.structs.replace(plan, contained=contained)


def _order_of(event: TillEvent, heard: Heard, setting: Setting) -> tuple[str, str] | None:
    if event.type == "sale":
        return setting.channel, f"{setting.connection}:{event.event_id}"
    sale = heard.events.get(event.reference) if event.type == "return" else None
    if sale is None or sale.type != "sale" or sale.state == REJECTED:
        return None
    return msgspec.json.decode(sale.plan, type=Plan).order


def _counted_then(plan: Plan, heard: Heard) -> list[tuple[str, int]]:
    """What was counted, in the ledger's time: less what had happened by then and is booked later."""
    counted = []
    for sku, units in plan.lines:
        late = sum(
            move.units
            for move in heard.moves.get((sku, plan.location), ())
            if move.occurred_ms <= plan.at_ms and (move.booked_ms is None or move.booked_ms > plan.at_ms)
        )
        counted.append((sku, units - late))
    return counted
