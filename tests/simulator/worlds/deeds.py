"""What callers of a world want: all verbs, at random, on so few things that they get into each other's way."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from allocator import Allocator, Config, errors
from allocator.announced import AnnounceLine, AnnounceRequest
from allocator.model import (
    AdjustLine,
    ArrivedLine,
    CancelLine,
    Changed,
    EditLine,
    EditRequest,
    Exchanged,
    Held,
    HoldRequest,
    Line,
    OrderLine,
    OrderRequest,
    Placed,
    ReturnLine,
    SentLine,
    ShipLine,
    ShipTo,
    StockLine,
    UnitsLine,
)
from allocator.pending import hold_id_of
from tests.allocator.town import CHANNELS, CUP, LOCATIONS, PEN, SKUS, TEE

from .chronicle import Asking
from .town import CONFIGS

VERBS = {
    "receive": 7,
    "adjust": 2,
    "miss": 3,
    "count": 2,
    "unavailable": 2,
    "set_quota": 3,
    "move_quota": 2,
    "transfer_out": 2,
    "transfer_in": 2,
    "hold": 9,
    "extend": 1,
    "release": 2,
    "order": 8,
    "order_with_hold": 5,
    "pend": 5,
    "pay": 4,
    "cancel_pending": 2,
    "pick": 4,
    "ship": 4,
    "cancel": 4,
    "edit": 5,
    "give_back": 3,
    "announce": 4,
    "reject": 3,
    "move": 3,
    "exchange": 4,
    "availability": 2,
    "explain": 1,
    "configure": 1,
    "again": 4,
}
"""How often each is wanted, in proportion."""

RETURNS = ("R1", "R2")

Ask = Callable[[Allocator], Awaitable[Any]]


@dataclass
class Deed:
    """
    One thing that is wanted once, however often it is asked for.

    op: the op that its effect must carry, '' where it has none of its own.
    """

    verb: str
    op: str
    ask: Ask
    askings: list[Asking] = field(default_factory=list)

    @property
    def answered(self) -> bool:
        return any(asking.heard_s is not None for asking in self.askings)


class Deeds:
    """Draws deeds; what was answered tells what can be wanted next."""

    def __init__(self, chance: Random, configured: Callable[[Config], None]) -> None:
        self.chance = chance
        self.configured = configured
        self.all: list[Deed] = []
        self.orders: dict[tuple[str, str], list[OrderLine]] = {}
        self.holds: dict[str, tuple[str, list[Line]]] = {}
        self.pending: dict[str, OrderRequest] = {}
        self.transfers: dict[str, tuple[str, list[SentLine]]] = {}
        self.names, self.weights = list(VERBS), list(VERBS.values())

    def next(self) -> Deed:
        """Something new, or something that was wanted before."""
        [verb] = self.chance.choices(self.names, self.weights)
        if verb == "again" and self.all:
            return self.chance.choice(self.all[-30:])
        self.name = f"{len(self.all) + 1}"
        op, ask = getattr(self, verb)() if verb != "again" else self.receive()
        deed = Deed(op.split(":", 1)[0] or verb, op, ask)
        self.all.append(deed)
        return deed

    def learn(self, answer: Any) -> None:
        """Remember what can be shipped, cancelled, returned and taken over."""
        if isinstance(answer, Exchanged):
            self.learn(answer.returned)
            self.learn(answer.placed)
        elif isinstance(answer, Placed | Changed):
            self.orders[answer.channel, answer.external_id] = answer.lines
        elif isinstance(answer, Held) and answer.hold_id in self.holds:
            channel, _ = self.holds[answer.hold_id]
            self.holds[answer.hold_id] = channel, [Line(row.line, row.sku, row.units) for row in answer.lines]

    # --- picking -----------------------------------------------------------------------------------------------

    def pick_one(self, *values: Any) -> Any:
        return self.chance.choice(values)

    def sku(self) -> str:
        return self.pick_one(CUP, CUP, CUP, TEE, TEE, PEN)

    def place(self) -> tuple[str, str]:
        return self.sku(), self.pick_one(*LOCATIONS)

    def units(self, most: int = 6) -> int:
        return self.chance.randint(1, most)

    def wish(self) -> list[Line]:
        return [Line(str(n), self.sku(), self.units()) for n in range(1, self.pick_one(1, 1, 2, 3) + 1)]

    def ship_to(self) -> ShipTo:
        return self.pick_one(ShipTo(), ShipTo(), ShipTo(country="NO", region="east"))

    def an_order(self) -> tuple[tuple[str, str], list[OrderLine]]:
        """One that was answered, or, when there is none, one that nobody placed."""
        known = list(self.orders.items())[-12:]
        return self.chance.choice(known) if known else (("web", "none"), [])

    def a_hold(self) -> str:
        return self.chance.choice([*self.holds][-5:]) if self.holds else "nobody's"

    # --- stock -------------------------------------------------------------------------------------------------

    def receive(self) -> tuple[str, Ask]:
        lines, op = [StockLine(*self.place(), self.units(9)) for _ in range(self.pick_one(1, 2, 3))], self.name
        return f"receive:{op}", lambda allocator: allocator.receive(lines, op=op)

    def adjust(self) -> tuple[str, Ask]:
        lines, op = [AdjustLine(*self.place(), self.pick_one(-4, -2, -1, -1, 1))], self.name
        return f"adjust:{op}", lambda allocator: allocator.adjust(lines, op=op, why="count")

    def miss(self) -> tuple[str, Ask]:
        """Less is there than was promised."""
        takes = [take for lines in self.orders.values() for line in lines for take in line.takes]
        if not takes:
            return self.adjust()
        take, op = self.chance.choice(takes), self.name
        lines = [AdjustLine(take.sku, take.location, -self.units(take.units + 1))]
        return f"adjust:{op}", lambda allocator: allocator.adjust(lines, op=op, why="miss")

    def count(self) -> tuple[str, Ask]:
        lines, op = [AdjustLine(*self.place(), self.pick_one(-6, -2, -1, 1, 2))], self.name
        return f"count:{op}", lambda allocator: allocator.count(lines, op=op, source="erp")

    def unavailable(self) -> tuple[str, Ask]:
        lines, op = [StockLine(*self.place(), self.units(2))], self.name
        reason, direction = self.pick_one("lost", "dirty", "put_away"), self.pick_one("in", "in", "out")
        return f"unavailable:{op}", lambda allocator: allocator.unavailable(
            lines, op=op, reason=reason, direction=direction
        )

    def set_quota(self) -> tuple[str, Ask]:
        place, channel, op = self.place(), self.pick_one(*CHANNELS), self.name
        quota, floor = self.chance.randint(0, 7), self.pick_one(0, 0, 1, 3)
        return f"set_quota:{op}", lambda allocator: allocator.set_quota(*place, channel, quota, op=op, floor=floor)

    def move_quota(self) -> tuple[str, Ask]:
        place, op, units = self.place(), self.name, self.units(3)
        giver, taker = self.chance.sample(CHANNELS, 2)
        return f"move_quota:{op}", lambda allocator: allocator.move_quota(*place, giver, taker, units, op=op)

    def transfer_out(self) -> tuple[str, Ask]:
        id, (giver, taker) = self.name, self.chance.sample(LOCATIONS, 2)
        lines = [SentLine(self.sku(), self.units(3)) for _ in range(self.pick_one(1, 1, 2))]
        self.transfers[id] = taker, lines
        return f"transfer_out:{id}", lambda allocator: allocator.transfer_out(id, giver, taker, lines)

    def transfer_in(self) -> tuple[str, Ask]:
        """Of one that may have been sent: all of it, some of it or too much, there or elsewhere."""
        id, op = self.chance.choice([*self.transfers][-4:] or ["none"]), self.name
        to, sent = self.transfers.get(id, (self.pick_one(*LOCATIONS), [SentLine(CUP, 1)]))
        lost, at = self.pick_one(0, 0, 1), self.pick_one("", "", *LOCATIONS)
        lines = [ArrivedLine(line.sku, self.chance.randint(1, line.units), lost) for line in sent]
        return f"transfer_in:{op}", lambda allocator: allocator.transfer_in(id, to, lines, op=op, at=at)

    # --- holds and orders --------------------------------------------------------------------------------------

    def hold(self) -> tuple[str, Ask]:
        request = HoldRequest(
            hold_id=self.name,
            channel=self.pick_one(*CHANNELS),
            lines=self.wish(),
            ttl_ms=self.pick_one(500, 3_000, 20_000, 200_000),
            owner=self.pick_one("", "ann", "ann", "bob"),
            partial=self.pick_one(True, False, False),
            ship_to=self.ship_to(),
        )
        self.holds[request.hold_id] = request.channel, request.lines
        return f"hold:{self.name}", lambda allocator: allocator.hold(request)

    def extend(self) -> tuple[str, Ask]:
        id, ttl_ms, op = self.a_hold(), self.pick_one(1_000, 30_000), self.name
        return f"extend:{op}", lambda allocator: allocator.extend(id, ttl_ms, op=op)

    def release(self) -> tuple[str, Ask]:
        id = self.a_hold()
        return f"release:{id}", lambda allocator: allocator.release(id)

    def order(self, **known: Any) -> tuple[str, Ask]:
        request = self.order_request(**known)
        op = f"order:{request.channel}:{request.external_id}:{request.attempt}"
        return op, lambda allocator: allocator.order(request)

    def order_request(self, **known: Any) -> OrderRequest:
        asked = {
            "channel": self.pick_one("web", "web", *CHANNELS),
            "external_id": self.pick_one(self.name, self.name, self.name, str(self.units(9))),
            "lines": self.wish(),
            "kind": self.pick_one(None, None, "promise", "promise", "firm", "firm", "gone"),
            "at": self.pick_one(*LOCATIONS),
            "partial": self.pick_one(True, False, False),
            "attempt": self.pick_one(1, 1, 1, 2),
            "ship_to": self.ship_to(),
        }
        return OrderRequest(**{**asked, **({} if known else self.more_than_units()), **known})

    def more_than_units(self) -> dict[str, Any]:
        """Now and then all of it at once, or to be fetched."""
        at_once = {"kind": "firm", "partial": False, "ship_complete": True}
        return self.pick_one({}, {}, {}, {}, at_once, {"channel": "web", "kind": "promise", "pickup": "oslo"})

    def order_with_hold(self) -> tuple[str, Ask]:
        id = self.a_hold()
        channel, lines = self.holds.get(id, ("web", self.wish()))
        more = self.pick_one(-1, 0, 0, 0, 2)
        wanted = [Line(line.line, line.sku, max(1, line.units + more)) for line in lines]
        return self.order(hold=id, lines=wanted, channel=self.pick_one(channel, channel, channel, "web"))

    def pend(self) -> tuple[str, Ask]:
        """A few ids, so that attempts replace each other and payments come before what they pay for."""
        request = self.order_request(
            channel=self.pick_one("web", "web", "amazon"),
            external_id=self.pick_one(self.name, "p1", "p2"),
            kind=self.pick_one(None, "promise", "firm"),
            attempt=self.pick_one(1, 1, 2, 3),
            hold=self.pick_one("", "", self.a_hold()),
        )
        id = hold_id_of(request.channel, request.external_id, request.attempt)
        self.pending[id] = request
        return f"hold:{id}", lambda allocator: allocator.keep_pending(request, "payment")

    def a_pending_order(self) -> OrderRequest:
        """One that was to be kept, or, when there is none, any."""
        return self.chance.choice([*self.pending.values()][-5:] or [self.order_request(kind="firm")])

    def pay(self) -> tuple[str, Ask]:
        """As it was asked, or by another of its attempts."""
        request = msgspec.structs.replace(self.a_pending_order(), attempt=self.pick_one(1, 2))
        op = f"order:{request.channel}:{request.external_id}:{request.attempt}"
        return op, lambda allocator: allocator.order(request)

    def cancel_pending(self) -> tuple[str, Ask]:
        request, op = self.a_pending_order(), self.name
        id = request.channel, request.external_id
        return f"cancel:{':'.join(id)}:{op}", lambda allocator: allocator.cancel(*id, op=op)

    def pick(self) -> tuple[str, Ask]:
        (id, _), op, location = self.an_order(), self.name, self.pick_one("", *LOCATIONS)
        return f"pick:{':'.join(id)}:{op}", lambda allocator: allocator.pick(*id, op=op, location=location)

    def ship(self) -> tuple[str, Ask]:
        (id, lines), op = self.an_order(), self.name
        takes = [(line.line, take) for line in lines for take in line.takes]
        rows = self.chance.sample(takes, min(len(takes), self.pick_one(0, 0, 1, 2)))
        some = [ShipLine(name, take.location, self.units(take.units)) for name, take in rows]
        return f"ship:{':'.join(id)}:{op}", lambda allocator: allocator.ship(*id, some, op=op)

    def one_in_a_tote(self) -> tuple[str, str]:
        """Often one that is being picked, or, when there is none, any."""
        totes = [id for id, lines in self.orders.items() if any(take.picking for line in lines for take in line.takes)]
        return self.chance.choice(totes) if totes and self.chance.random() < 0.6 else self.an_order()[0]

    def cancel(self) -> tuple[str, Ask]:
        id, op = self.one_in_a_tote(), self.name
        rows = [CancelLine("1", self.pick_one(None, 1, 2)) for _ in range(self.pick_one(0, 0, 1))]
        picked = self.pick_one(True, False)
        return f"cancel:{':'.join(id)}:{op}", lambda allocator: allocator.cancel(*id, rows, op=op, picked=picked)

    def edit(self) -> tuple[str, Ask]:
        (id, lines), op = self.an_order(), self.name
        known = {line.line: line.sku for line in lines}
        names = self.chance.sample([*known, "new"], min(1 + len(known), self.pick_one(0, 1, 1, 2)))
        request = EditRequest(
            lines=[EditLine(name, known.get(name) or self.sku(), self.units(9) - 1) for name in names],
            ship_to=self.pick_one(None, self.ship_to()),
            replan=self.pick_one(True, False),
            partial=self.pick_one(True, False, False),
        )
        return f"edit:{':'.join(id)}:{op}", lambda allocator: allocator.edit(*id, request, op=op)

    def reject(self) -> tuple[str, Ask]:
        (id, lines), op = self.an_order(), self.name
        takes = [(line.line, take) for line in lines for take in line.takes]
        name, location = self.chance.choice([(name, take.location) for name, take in takes] or [("1", "rome")])
        rows = self.pick_one([], [UnitsLine(name, self.units(2))])
        reason, most = self.pick_one("too_busy", "mismatch", "not_found", "damaged"), self.pick_one(1, 2, 3)
        return f"reject:{':'.join(id)}:{op}", lambda allocator: allocator.reject(
            *id, location, rows, op=op, reason=reason, rejects_max=most
        )

    def move(self) -> tuple[str, Ask]:
        if not self.orders:
            return self.order()
        id, op, to = self.one_in_a_tote(), self.name, self.pick_one(*LOCATIONS)
        takes = [take for line in self.orders.get(id, []) for take in line.takes]
        origin = self.pick_one("", *(take.location for take in takes))
        rows = self.pick_one([], [UnitsLine("1", self.units(2))])
        return f"move:{':'.join(id)}:{op}", lambda allocator: allocator.move(*id, to, rows, op=op, origin=origin)

    def a_shipped_order(self) -> tuple[str, str] | None:
        gone = [id for id, lines in self.orders.items() if any(line.shipped for line in lines)]
        return self.chance.choice(gone) if gone else None

    def returned(self) -> ReturnLine:
        disposition = self.pick_one("restock", "quarantine", "scrap")
        sku, location, units = *self.place(), self.units(2)
        return ReturnLine(line="1", sku=sku, location=location, units=units, disposition=disposition)

    def give_back(self) -> tuple[str, Ask]:
        id, row, op = self.a_shipped_order(), self.returned(), self.name
        named = {"order": id, "return_id": self.pick_one("", *RETURNS) if id else ""}
        return f"return:{op}", lambda allocator: allocator.return_units([row], op=op, **named)

    def announce(self) -> tuple[str, Ask]:
        id, name, revision = self.a_shipped_order() or ("web", "none"), self.pick_one(*RETURNS), self.units(20)
        lines = [AnnounceLine("1", self.chance.randint(0, 2))] if self.pick_one(True, True, False) else []
        request = AnnounceRequest(revision=revision, lines=lines, location=self.pick_one("", *LOCATIONS))
        op = f"announce_return:{':'.join(id)}:{name}:{revision}"
        return op, lambda allocator: allocator.announce_return(*id, name, request)

    def exchange(self) -> tuple[str, Ask]:
        id, row, op = self.a_shipped_order() or ("web", "none"), self.returned(), self.name
        new = self.order_request(partial=False, kind=self.pick_one("firm", "gone", None))
        return f"exchange:{':'.join(id)}:{op}", lambda allocator: allocator.exchange(*id, [row], new, op=op)

    # --- asking and configuring --------------------------------------------------------------------------------

    def availability(self) -> tuple[str, Ask]:
        owner = self.pick_one("", "ann")
        return "", lambda allocator: allocator.availability(SKUS, ["web", "amazon", "till"], owner=owner)

    def explain(self) -> tuple[str, Ask]:
        sku, channel = self.sku(), self.pick_one(*CHANNELS)
        return "", lambda allocator: allocator.explain(sku, channel)

    def configure(self) -> tuple[str, Ask]:
        config = self.pick_one(*CONFIGS)

        async def ask(allocator: Allocator) -> Any:
            self.configured(config)
            # Somebody else was quicker: whoever decides about config looks again, and that is another deed.
            with suppress(errors.StaleConfig):
                return await allocator.configure_all(config)

        return "", ask
