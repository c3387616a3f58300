"""A long random walk through all verbs, dense with holds, orders and shortages; the seed says which."""

import json
from random import Random
from typing import Any

from allocator.announced import AnnounceLine, AnnounceRequest
from allocator.arguments import fingerprint
from allocator.arguments import ranking as ranking_of
from allocator.model import (
    AdjustLine,
    ArrivedLine,
    CancelLine,
    EditLine,
    EditRequest,
    HoldRequest,
    Line,
    OrderRequest,
    ReturnLine,
    SentLine,
    ShipLine,
    ShipTo,
    StockLine,
    UnitsLine,
)
from tests.allocator.oracle_state import Order, Take
from tests.allocator.town import CHANNELS, CUP, LOCATIONS, PEN, TEE
from tests.allocator.twins import Twins
from tests.allocator.wishes import CONFIGS, flat

VERBS = {
    "receive": 9,
    "adjust": 2,
    "count": 2,
    "unavailable": 2,
    "set_quota": 3,
    "move_quota": 1,
    "transfer_out": 3,
    "transfer_in": 3,
    "hold": 8,
    "extend": 1,
    "release": 1,
    "expire": 2,
    "order": 6,
    "order_with_hold": 4,
    "pend": 6,
    "pay": 4,
    "cancel_pending": 2,
    "ranked_order": 4,
    "dated_order": 6,
    "dated_pending": 2,
    "pick": 2,
    "ship": 3,
    "cancel": 4,
    "edit": 5,
    "give_back": 2,
    "announce": 4,
    "reject": 4,
    "move": 3,
    "rescue": 4,
    "exchange": 3,
    "serve": 3,
    "explain": 2,
    "configure": 1,
    "repeat": 2,
    "crowd": 3,
}
"""How often each step is taken, in proportion."""

DATED = {verb: VERBS.get(verb, 0) for verb in ("receive", "reject", "serve", "cancel", "edit", "ship", "pick", "move")}
DATED |= {"dated_order": 14, "dated_pending": 4, "pay": 3, "order_with_hold": 1, "hold": 1, "give_back": 1, "repeat": 1}
"""Steps of a walk in which days are soon full, and units seldom short."""

REASONS = ("lost", "dirty", "put_away")


class Walk:
    verbs = VERBS

    def __init__(self, twins: Twins, seed: int) -> None:
        self.twins, self.allocator = twins, twins.allocator
        self.random = Random(seed)
        self.made = 0
        self.past: list[tuple[str, list[Any]]] = []

    def step(self) -> None:
        """One verb, on both sides."""
        self.made += 1
        self.op = f"op-{self.made}"
        [verb] = self.random.choices(list(self.verbs), list(self.verbs.values()))
        work = getattr(self, verb)()
        if work is None:
            return
        self.twins.ask(work)
        self.past += [(call.verb, call.arguments) for call in self.twins.ear.heard if call.verb != "find"]

    def finish(self, steps: int) -> None:
        for _ in range(steps):
            self.step()
            self.twins.compare_books()
            self.twins.compare_atp()

    # --- picking -----------------------------------------------------------------------------------------------

    def pick_one(self, *values: Any) -> Any:
        return self.random.choice(values)

    def sku(self) -> str:
        return self.pick_one(CUP, CUP, CUP, TEE, TEE, PEN)

    def place(self) -> tuple[str, str]:
        return self.sku(), self.pick_one(*LOCATIONS)

    def units(self, most: int = 6) -> int:
        return self.random.randint(1, most)

    def wish(self) -> list[Line]:
        return [Line(str(n), self.sku(), self.units()) for n in range(1, self.pick_one(1, 1, 2, 3) + 1)]

    def ship_to(self) -> ShipTo:
        return self.pick_one(ShipTo(), ShipTo(country="NO", region="east"), ShipTo(country="PE", region="lima"))

    def prefer(self) -> list[str]:
        return self.pick_one([], [self.pick_one(*LOCATIONS, "atlantis"), self.pick_one(*LOCATIONS)])

    def ranking(self) -> list[tuple[str, int]]:
        count = self.pick_one(0, 1, 2, 4, 4, 6)
        return [(self.pick_one(*LOCATIONS, *LOCATIONS, "atlantis"), self.pick_one(0, 0, 1)) for _ in range(count)]

    def an_order(self) -> Order | None:
        orders = list(self.twins.oracle.books.orders.values())
        return self.random.choice(orders) if orders else None

    def a_hold(self) -> str | None:
        holds = self.twins.oracle.books.holds
        lively = [id for id, hold in holds.items() if hold.state == "open"] or list(holds)
        return self.random.choice(lively[-4:]) if lively else None

    def head(self, op: str) -> list[Any]:
        return [self.allocator.epoch, "", self.allocator.now_ms, op, fingerprint(op), ""]

    # --- steps -------------------------------------------------------------------------------------------------

    def receive(self) -> Any:
        lines = [StockLine(*self.place(), self.units(9)) for _ in range(self.pick_one(1, 2, 3))]
        return self.allocator.receive(lines, op=self.op)

    def adjust(self) -> Any:
        lines = [AdjustLine(*self.place(), self.pick_one(-4, -2, -1, -1, 1)) for _ in range(self.pick_one(1, 1, 2))]
        return self.allocator.adjust(lines, op=self.op, why="count")

    def count(self) -> Any:
        lines = [AdjustLine(*self.place(), self.pick_one(-9, -3, -1, 1, 2)) for _ in range(self.pick_one(1, 1, 3))]
        return self.allocator.count(lines, op=self.op, source=self.pick_one("erp", "wms"))

    def unavailable(self) -> Any:
        lines, direction = [StockLine(*self.place(), self.units(2))], self.pick_one("in", "in", "out")
        return self.allocator.unavailable(lines, op=self.op, reason=self.pick_one(*REASONS), direction=direction)

    def set_quota(self) -> Any:
        quota, floor = self.random.randint(0, 7), self.pick_one(0, 0, 1, 3)
        return self.allocator.set_quota(*self.place(), self.pick_one(*CHANNELS), quota, op=self.op, floor=floor)

    def move_quota(self) -> Any:
        channels = self.pick_one(*CHANNELS), self.pick_one(*CHANNELS)
        return self.allocator.move_quota(*self.place(), *channels, self.units(3), op=self.op)

    def transfer_out(self) -> Any:
        way = self.pick_one(*LOCATIONS), self.pick_one(*LOCATIONS)
        lines = [SentLine(self.sku(), self.units(3)) for _ in range(self.pick_one(1, 1, 2))]
        return self.allocator.transfer_out(self.pick_one(self.op, self.op, "T"), *way, lines)

    def transfer_in(self) -> Any:
        """Mostly something that is on its way; more of it, or elsewhere, now and then."""
        shelves = self.twins.oracle.books.shelves
        coming = [(place, *row) for place, shelf in shelves.items() for row in (+shelf.transit).items()]
        (sku, to), transfer, units = self.random.choice(coming) if coming else (self.place(), "T", 1)
        arrived, lost = self.random.randint(0, units), self.pick_one(0, 0, 1)
        lines = [ArrivedLine(sku, arrived, lost or 0**arrived)]
        return self.allocator.transfer_in(transfer, to, lines, op=self.op, at=self.pick_one("", "", *LOCATIONS))

    def hold(self) -> Any:
        return self.allocator.hold(self.hold_request())

    def hold_request(self) -> HoldRequest:
        return HoldRequest(
            hold_id=self.op,
            channel=self.pick_one(*CHANNELS),
            lines=self.wish(),
            ttl_ms=self.random.randint(1, 200_000),
            owner=self.pick_one("", "ann", "ann", "bob"),
            partial=self.pick_one(True, False, False),
            ship_to=self.ship_to(),
            prefer=self.prefer(),
        )

    def extend(self) -> Any:
        return self.allocator.extend(self.a_hold() or "nobody's", self.random.randint(1, 200_000), op=self.op)

    def release(self) -> Any:
        return self.allocator.release(self.a_hold() or "nobody's")

    def expire(self) -> Any:
        later = self.random.randint(-2_000, 70_000)
        elapsed = self.pick_one(max(0, later), max(0, later), max(0, later), 5, None)
        self.allocator.now_ms += later
        return self.allocator.expire(
            elapsed_ms=elapsed, accept_clock=self.pick_one(True, False, False), limit=self.units(3)
        )

    def order(self, **known: Any) -> Any:
        return self.allocator.order(self.order_request(**known), preview=self.random.random() < 0.1)

    def order_request(self, **known: Any) -> OrderRequest:
        asked = {
            "channel": self.pick_one("web", "web", *CHANNELS),
            "external_id": self.pick_one(self.op, self.op, str(self.units(9))),
            "lines": self.wish(),
            "kind": self.pick_one(None, None, "promise", "promise", "promise", "firm", "gone"),
            "at": self.pick_one(*LOCATIONS),
            "partial": self.pick_one(True, False, False),
            "attempt": self.units(2),
            "ship_to": self.ship_to(),
            "prefer": self.prefer(),
        }
        return OrderRequest(**{**asked, **known})

    def order_with_hold(self) -> Any:
        id = self.a_hold()
        if id is None:
            return self.order(hold="nobody's")
        hold = self.twins.oracle.books.holds[id]
        more = self.pick_one(-1, 0, 0, 2)
        rows = [(sku, sum(take.units for take in takes) + more) for sku, takes in hold.takes.items()]
        lines = [Line(str(n), *row) for n, row in enumerate(rows) if row[1] > 0] or self.wish()
        return self.order(hold=id, lines=lines, channel=self.pick_one(hold.channel, hold.channel, hold.channel, "web"))

    def pend(self) -> Any:
        """Mostly a few orders, again and again; now and then one that was accepted, or out of a cart."""
        hold = self.a_hold() if self.random.random() < 0.3 else None
        known = {"kind": self.pick_one(None, "promise", "firm"), "hold": hold or "", "attempt": self.units(3)}
        request = self.order_request(external_id=self.pick_one(self.op, "p1", "p2", str(self.units(9))), **known)
        return self.allocator.keep_pending(request, self.pick_one("payment", "fraud_check"))

    def a_pending_hold(self) -> str | None:
        """Mostly one that is open."""
        holds = {id: hold for id, hold in self.twins.oracle.books.holds.items() if hold.order}
        lively = [id for id, hold in holds.items() if hold.state == "open"]
        chosen = lively if lively and self.random.random() < 0.8 else list(holds)
        return self.random.choice(chosen) if chosen else None

    def pay(self) -> Any:
        """By the lines that were kept, or with others."""
        id = self.a_pending_hold()
        if id is None:
            return None
        hold = self.twins.oracle.books.holds[id]
        if self.random.random() < 0.5:
            return self.allocator.pay(hold.channel, hold.order.external_id, hold_id=id)
        told = {"attempt": self.units(3), "hold": self.pick_one("", "", self.a_hold())}
        return self.order(channel=hold.channel, external_id=hold.order.external_id, kind=None, **told)

    def cancel_pending(self) -> Any:
        id = self.a_pending_hold()
        if id is None:
            return None
        hold = self.twins.oracle.books.holds[id]
        rows = self.pick_one([], [], [CancelLine("1", 1)])
        return self.allocator.cancel(hold.channel, hold.order.external_id, rows, op=self.op)

    def ranked_order(self) -> Any:
        """Straight to the script, with a ranking no channel has."""
        channel, kind = self.pick_one(*CHANNELS), self.pick_one("promise", "firm", "firm", "gone")
        told = ["take", channel, self.op, kind, "", "", self.pick_one(0, 0, 1)]
        lines = [(line.line, line.sku, line.units) for line in self.wish()]
        ranked = list(dict(self.ranking()).items())
        asked = [*self.head(f"order:{channel}:{self.op}:1"), *told, ranking_of(ranked), "", *flat(lines)]
        return self.twins.send("order", asked)

    def dated_order(self) -> Any:
        """Straight to the script, with places of so few days that they are soon full."""
        channel = self.pick_one("web", "web", "web", "amazon", "till")
        kind = self.pick_one("promise", "promise", "firm", "firm", "gone")
        mode, hold = self.pick_one("take", "take", "take", "preview"), self.pick_one("", "", self.a_hold() or "")
        told = [mode, *([0] if mode == "preview" else []), channel, self.op, kind, hold, ""]
        lines = [(str(n), self.sku(), self.pick_one(1, 1, 2)) for n in range(self.pick_one(1, 1, 2))]
        codes = self.random.sample(LOCATIONS, self.pick_one(1, 2, 4, 4))
        ranked = [(code, self.pick_one(0, 0, 1)) for code in codes]
        asked = [*told, self.pick_one(0, 0, 1), ranking_of(ranked), self.terms(codes)]
        return self.twins.send("order", [*self.head(f"order:{channel}:{self.op}:1"), *asked, *flat(lines)])

    def dated_pending(self) -> Any:
        """Straight to the script, a hold that is an order with terms; its days count only when it is paid."""
        channel, kind = self.pick_one("web", "web", "amazon"), self.pick_one("promise", "firm")
        id, print_ = f"pending:{channel}:{self.op}:1", fingerprint(self.op).decode()
        told = [id, channel, id[:-2], "", 9_000, self.pick_one(0, 0, 1), self.pick_one(kind, kind, "none"), self.op]
        codes = self.random.sample(LOCATIONS, self.pick_one(1, 2, 4, 4))
        ranked = [(code, self.pick_one(0, 0, 1)) for code in codes]
        asked = [*told, "payment", kind, print_, self.terms(codes), ranking_of(ranked)]
        lines = [(str(n), self.sku(), self.pick_one(1, 2, 4)) for n in range(self.pick_one(1, 1, 2))]
        return self.twins.send("hold", [*self.head(f"hold:{id}"), *asked, *flat(lines)])

    def terms(self, codes: list[str]) -> str:
        limits = self.pick_one([], [], [["kitchen", 1], ["", 3]], [["cotton", 2]])
        pickup = self.pick_one("", "", "", codes[0])
        days = {code: self.days() for code in codes[: self.pick_one(2, 4)]}
        return json.dumps([self.pick_one(0, 0, 1), "NO", "east", pickup, limits, days])

    def days(self) -> list[Any]:
        row: list[Any] = [self.pick_one(-1, 0, 1, 1, 2)]
        for day in range(self.pick_one(1, 2)):
            row += [f"2026-11-2{day}", 1_000 + day, self.pick_one(0, 2_000 + day)]
        return row

    def pick(self) -> Any:
        order = self.an_order()
        return order and self.allocator.pick(
            order.channel, order.external_id, op=self.op, location=self.pick_one("", *LOCATIONS)
        )

    def ship(self) -> Any:
        order = self.an_order()
        takes = [(line.line, take) for line in order.lines for take in line.takes] if order else []
        if order is None:
            return None
        rows = self.random.sample(takes, min(len(takes), self.pick_one(0, 1, 2)))
        lines = [ShipLine(name, take.location, self.units(take.units)) for name, take in rows]
        return self.allocator.ship(order.channel, order.external_id, lines, op=self.op)

    def cancel(self) -> Any:
        order = self.an_order()
        rows = [
            CancelLine(self.pick_one("1", "1", "2"), self.pick_one(None, 1, 2)) for _ in range(self.pick_one(0, 1, 2))
        ]
        picked = self.pick_one(True, False)
        return order and self.allocator.cancel(order.channel, order.external_id, rows, op=self.op, picked=picked)

    def edit(self) -> Any:
        order = self.an_order()
        return order and self.allocator.edit(order.channel, order.external_id, self.edit_request(order), op=self.op)

    def edit_request(self, order: Order) -> EditRequest:
        known = {line.line: line.sku for line in order.lines}
        names = self.random.sample(["1", "1", "2", "3", "new"], self.pick_one(0, 1, 1, 2))
        return EditRequest(
            lines=[EditLine(name, known.get(name, self.sku()), self.units(9) - 1) for name in dict.fromkeys(names)],
            ship_to=self.pick_one(None, self.ship_to()),
            prefer=self.pick_one([], [], self.prefer()),
            replan=self.pick_one(True, False),
            partial=self.pick_one(True, False, False),
        )

    def a_shipped_order(self) -> Order | None:
        gone = [order for order in self.twins.oracle.books.orders.values() if order.total("shipped")]
        return self.random.choice(gone) if gone else None

    def returned(self) -> ReturnLine:
        return ReturnLine(
            line="1",
            sku=self.sku(),
            location=self.pick_one(*LOCATIONS),
            units=self.units(2),
            disposition=self.pick_one("restock", "quarantine", "scrap"),
        )

    def give_back(self) -> Any:
        order = self.a_shipped_order()
        id = (order.channel, order.external_id) if order else None
        name = self.pick_one("", "R1", "R2") if order else ""
        return self.allocator.return_units([self.returned()], op=self.op, order=id, return_id=name)

    def announce(self) -> Any:
        order = self.a_shipped_order() or self.an_order()
        if order is None:
            return None
        name, revision = self.pick_one("R1", "R2", "R3"), self.random.randint(1, 9)
        wanted = [AnnounceLine(line.line, self.random.randint(0, 2)) for line in order.lines[: self.pick_one(0, 1, 2)]]
        place, due_ms = self.pick_one("", *LOCATIONS, "atlantis"), self.pick_one(None, self.allocator.now_ms)
        request = AnnounceRequest(revision=revision, lines=wanted, location=place, due_ms=due_ms)
        return self.allocator.announce_return(order.channel, order.external_id, name, request)

    def exchange(self) -> Any:
        order = self.a_shipped_order()
        new = self.order_request(partial=False)
        return order and self.allocator.exchange(order.channel, order.external_id, [self.returned()], new, op=self.op)

    def reject(self) -> Any:
        order = self.an_order()
        takes = [(line.line, take) for line in order.lines for take in line.takes] if order else []
        if order is None:
            return None
        name, take = self.random.choice(takes) if takes else ("1", Take("rome"))
        rows = self.pick_one([], [UnitsLine(name, self.units(max(1, take.units)))], [UnitsLine(name, self.units())])
        return self.allocator.reject(
            order.channel,
            order.external_id,
            self.pick_one(take.location, take.location, *LOCATIONS),
            rows,
            op=self.op,
            reason=self.pick_one("too_busy", "mismatch", "not_found", "damaged"),
            rejects_max=self.pick_one(1, 2, 3, 9),
            ship_to=self.pick_one(None, self.ship_to()),
        )

    def move(self) -> Any:
        order = self.an_order()
        if order is None:
            return None
        places = [take.location for line in order.lines for take in line.takes]
        origin, to = self.pick_one("", "", *places), self.pick_one(*LOCATIONS)
        rows = self.pick_one([], [UnitsLine("1", self.units(3))])
        return self.allocator.move(order.channel, order.external_id, to, rows, op=self.op, origin=origin)

    def rescue(self) -> Any:
        """Where something is missing, if that is anywhere; the newest orders lose."""
        books = self.twins.oracle.books
        short = [place for place in sorted(books.shelves) if books.deficit(*place)]
        place = self.random.choice(short) if short else self.place()
        ids = [(order.channel, order.external_id) for order in books.orders.values()]
        losing = ids[: -self.pick_one(2, 9, 101) : -1] or [("web", "none")]
        return self.allocator.rescue(*place, losing[:100])

    def serve(self) -> Any:
        return self.allocator.serve(sweep=self.pick_one(True, False), skus=50, lines=self.pick_one(1, 2, 50))

    def explain(self) -> Any:
        owner, ship_to = self.pick_one("", "ann", "bob"), self.pick_one(None, self.ship_to())
        return self.allocator.explain(self.sku(), self.pick_one(*CHANNELS), owner=owner, ship_to=ship_to)

    def configure(self) -> Any:
        self.twins.configure(self.pick_one(*CONFIGS))

    def repeat(self) -> Any:
        """An old op again, with its own request or with another."""
        if not self.past:
            return None
        verb, arguments = self.random.choice(self.past)
        again = [self.allocator.epoch, "", self.allocator.now_ms, *arguments[3:]]
        if self.random.random() < 0.2 and len(again) > 8:
            again[4] = fingerprint("another request")
        return self.twins.send(verb, again)

    def crowd(self) -> None:
        """Three callers at once, each on a connection of its own; two of them may mean the very same order."""
        first, hold = self.order_request(), self.hold_request()
        other = self.order_request(external_id=self.pick_one(first.external_id, f"{self.op}-b"))
        second = self.pick_one(first, other, other)
        self.twins.ask_together(
            [
                lambda allocator: allocator.order(first),
                lambda allocator: allocator.hold(hold),
                lambda allocator: allocator.order(second),
            ]
        )


class DatedWalk(Walk):
    """Orders for days with few places."""

    verbs = DATED
