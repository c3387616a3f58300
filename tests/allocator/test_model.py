"""Any sequence of verbs, sane or not, leaves what the oracle says: answers, books and ATP, after every step."""

from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from allocator.arguments import fingerprint
from allocator.arguments import ranking as ranking_of
from allocator.core import FOR_NO_ORDER
from allocator.model import CancelLine, EditLine, EditRequest, ShipLine, StockLine
from tests.allocator import wishes
from tests.allocator.town import CUP, EPOCH, LOCATIONS, TEE
from tests.allocator.twins import Twins
from tests.allocator.walk import DatedWalk, Walk
from tests.allocator.wishes import channels, flat, locations, rarely, skus, units

WALK_STEPS = 200
WITHOUT_OP = {"serve", "expire", "availability", "explain"}


def some_order(machine: "Shop") -> bool:
    return bool(machine.twins.oracle.books.orders)


def some_hold(machine: "Shop") -> bool:
    return bool(machine.twins.oracle.books.holds)


class Shop(RuleBasedStateMachine):
    """Every verb, over so few skus, places and ids that they collide."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.begin(Twins(url))
        self.ask(self.allocator.set_quota(CUP, "kyiv", "outlet", 3, op="fence 2"))

    def begin(self, twins: Twins) -> None:
        """A shop with some stock and a fence."""
        self.twins, self.allocator = twins, twins.allocator
        self.made = 0
        self.past: list[tuple[str, list[Any]]] = []
        start = [StockLine(sku, code, 5) for sku in (CUP, TEE) for code in LOCATIONS[:3]]
        self.ask(self.allocator.receive(start, op="opening"))
        self.ask(self.allocator.set_quota(CUP, "oslo", "web", 2, op="fence", floor=1))

    def teardown(self) -> None:
        self.twins.close()

    def ask(self, work: Any) -> Any:
        said = self.twins.ask(work)
        self.past += [(call.verb, call.arguments) for call in self.twins.ear.heard if call.verb != "find"]
        return said

    def op(self) -> str:
        self.made += 1
        return f"op-{self.made}"

    # --- stock -------------------------------------------------------------------------------------------------

    @rule(lines=wishes.deliveries)
    def receive(self, lines):
        self.ask(self.allocator.receive(lines, op=self.op()))

    @rule(lines=wishes.corrections)
    def adjust(self, lines):
        self.ask(self.allocator.adjust(lines, op=self.op(), why="count"))

    @rule(lines=wishes.corrections)
    def count(self, lines):
        self.ask(self.allocator.count(lines, op=self.op(), source="erp"))

    @rule(lines=wishes.drops, reason=st.sampled_from(["damaged", "lost", "put_away"]), direction=wishes.directions)
    def unavailable(self, lines, reason, direction):
        self.ask(self.allocator.unavailable(lines, op=self.op(), reason=reason, direction=direction))

    @rule(sku=skus, location=locations, channel=channels, quota=st.integers(0, 8), floor=st.integers(0, 3))
    def set_quota(self, sku, location, channel, quota, floor):
        self.ask(self.allocator.set_quota(sku, location, channel, quota, op=self.op(), floor=floor))

    @rule(place=st.tuples(skus, locations), giver=channels, taker=channels, count=units)
    def move_quota(self, place, giver, taker, count):
        self.ask(self.allocator.move_quota(*place, giver, taker, count, op=self.op()))

    @rule(id=st.sampled_from(["t1", "t2", "t3"]), way=st.tuples(locations, locations), lines=wishes.sent)
    def transfer_out(self, id, way, lines):
        self.ask(self.allocator.transfer_out(id, *way, lines))

    @rule(
        way=st.tuples(st.sampled_from(["t1", "t2", "t3"]), locations, st.sampled_from(["", "", *LOCATIONS])),
        lines=wishes.arrived,
        known=rarely.map(lambda no: not no),
        data=st.data(),
    )
    def transfer_in(self, way, lines, known, data):
        id, to, at = way
        shelves = self.twins.oracle.books.shelves.items()
        coming = sorted((id, code, sku) for (sku, code), shelf in shelves for id in +shelf.transit)
        if coming and known:
            id, to, sku = data.draw(st.sampled_from(coming))
            lines = [msgspec.structs.replace(line, sku=sku) for line in lines]
        self.ask(self.allocator.transfer_in(id, to, lines, op=self.op(), at=at))

    # --- holds -------------------------------------------------------------------------------------------------

    @rule(request=wishes.holds)
    def hold(self, request):
        self.ask(self.allocator.hold(request))

    @rule(request=wishes.holds, count=st.integers(1, 2))
    def hold_a_little(self, request, count):
        line = msgspec.structs.replace(request.lines[0], units=count)
        self.ask(self.allocator.hold(msgspec.structs.replace(request, lines=[line], hold_id=self.op())))

    def a_hold(self, data: Any) -> str:
        return data.draw(st.sampled_from(sorted(self.twins.oracle.books.holds)))

    @precondition(some_hold)
    @rule(data=st.data(), request=wishes.orders, like=st.booleans(), more=st.integers(0, 2))
    def order_with_a_hold(self, data, request, like, more):
        id = self.a_hold(data)
        hold = self.twins.oracle.books.holds[id]
        rows = [(sku, sum(take.units for take in takes) + more) for sku, takes in hold.takes.items()]
        if like and all(count for _, count in rows):
            request = msgspec.structs.replace(request, channel=hold.channel, lines=wishes.named(rows) or request.lines)
        self.ask(self.allocator.order(msgspec.structs.replace(request, external_id=self.op(), hold=id)))

    @rule(request=wishes.orders, id=st.sampled_from(["p1", "p2"]), data=st.data(), reason=wishes.reasons)
    def keep_pending(self, request, id, data, reason):
        carts = ["", *sorted(self.twins.oracle.books.holds)]
        wanted = msgspec.structs.replace(request, external_id=id, hold=data.draw(st.sampled_from(carts)))
        self.ask(self.allocator.keep_pending(wanted, reason))

    @rule(request=wishes.orders, id=st.sampled_from(["p1", "p2"]), how=st.sampled_from(["pay", "order", "cancel"]))
    def end_what_is_pending(self, request, id, how):
        if how == "pay":
            self.ask(self.allocator.pay(request.channel, id))
        elif how == "order":
            self.ask(self.allocator.order(msgspec.structs.replace(request, external_id=id)))
        else:
            self.ask(self.allocator.cancel(request.channel, id, op=self.op()))

    @precondition(some_hold)
    @rule(data=st.data(), ttl=st.integers(1, 90_000), last=st.booleans(), unknown=rarely)
    def extend_or_release(self, data, ttl, last, unknown):
        id = "nobody's" if unknown else self.a_hold(data)
        verb = self.allocator.release(id) if last else self.allocator.extend(id, ttl, op=self.op())
        self.ask(verb)

    @rule(later=st.integers(-5_000, 70_000), honest=st.integers(0, 6), accept=rarely, limit=st.integers(1, 4))
    def time_passes_and_holds_expire(self, later, honest, accept, limit):
        self.allocator.now_ms += later
        elapsed = None if honest == 0 else 5 if honest == 1 else max(0, later)
        self.ask(self.allocator.expire(elapsed_ms=elapsed, accept_clock=accept, limit=limit))

    # --- orders ------------------------------------------------------------------------------------------------

    @rule(request=wishes.orders, preview=rarely)
    def order(self, request, preview):
        self.ask(self.allocator.order(request, preview=preview))

    @rule(request=wishes.orders, kind=st.sampled_from(["firm", "gone", "firm"]), rows=wishes.wished)
    def sold_already(self, request, kind, rows):
        lines = wishes.named([(CUP, count) for _, count in rows])
        self.ask(self.allocator.order(msgspec.structs.replace(request, kind=kind, lines=lines, external_id=self.op())))

    def an_order(self, data: Any) -> Any:
        return self.twins.oracle.books.orders[data.draw(st.sampled_from(sorted(self.twins.oracle.books.orders)))]

    @precondition(some_order)
    @rule(data=st.data(), location=st.sampled_from(["", "", *LOCATIONS]))
    def pick(self, data, location):
        order = self.an_order(data)
        self.ask(self.allocator.pick(order.channel, order.external_id, op=self.op(), location=location))

    @precondition(some_order)
    @rule(data=st.data(), whole=st.booleans())
    def ship(self, data, whole):
        order = self.an_order(data)
        takes = [(line.line, take) for line in order.lines for take in line.takes]
        rows = data.draw(st.lists(st.sampled_from(takes), max_size=3)) if takes and not whole else []
        lines = [ShipLine(name, take.location, data.draw(st.integers(1, take.units))) for name, take in rows]
        self.ask(self.allocator.ship(order.channel, order.external_id, lines, op=self.op()))

    @precondition(some_order)
    @rule(
        data=st.data(),
        rows=st.lists(st.tuples(st.sampled_from("112"), st.none() | st.integers(1, 4)), max_size=3),
        picked=st.booleans(),
    )
    def cancel(self, data, rows, picked):
        order = self.an_order(data)
        lines = [CancelLine(*row) for row in rows]
        self.ask(self.allocator.cancel(order.channel, order.external_id, lines, op=self.op(), picked=picked))

    @precondition(some_order)
    @rule(data=st.data(), rows=wishes.edited, ship_to=st.none() | wishes.places, replan=st.booleans(), partial=rarely)
    def edit(self, data, rows, ship_to, replan, partial):
        order = self.an_order(data)
        known = {line.line: line.sku for line in order.lines}
        lines = [EditLine(name, known.get(name, sku), count) for name, sku, count in rows]
        wanted = EditRequest(lines=lines, ship_to=ship_to, replan=replan, partial=partial)
        self.ask(self.allocator.edit(order.channel, order.external_id, wanted, op=self.op()))

    @precondition(some_order)
    @rule(
        data=st.data(),
        row=wishes.returned,
        known=rarely.map(lambda no: not no),
        twice=rarely,
        name=st.sampled_from(["", "R1", "R2"]),
    )
    def give_back(self, data, row, known, twice, name):
        order = self.an_order(data)
        id = (order.channel, order.external_id) if known else None
        self.ask(self.allocator.return_units([row] * (1 + twice), op=self.op(), order=id, return_id=name))

    @precondition(some_order)
    @rule(data=st.data(), name=st.sampled_from(["R1", "R2", "R3"]), request=wishes.announcements)
    def announce(self, data, name, request):
        order = self.an_order(data)
        self.ask(self.allocator.announce_return(order.channel, order.external_id, name, request))

    @precondition(some_order)
    @rule(data=st.data(), row=wishes.returned, request=wishes.orders, partial=rarely)
    def exchange(self, data, row, request, partial):
        order = self.an_order(data)
        new = msgspec.structs.replace(request, partial=partial)
        self.ask(self.allocator.exchange(order.channel, order.external_id, [row], new, op=self.op()))

    @rule(sweep=st.booleans(), most=st.integers(3, 5), lines=st.sampled_from([1, 2, 50]))
    def serve(self, sweep, most, lines):
        self.ask(self.allocator.serve(sweep=sweep, skus=most, lines=lines))

    # --- asking and configuring --------------------------------------------------------------------------------

    @rule(channel=channels, sku=skus, owner=wishes.owners, ship_to=st.none() | wishes.places)
    def explain(self, channel, sku, owner, ship_to):
        self.ask(self.allocator.explain(sku, channel, owner=owner, ship_to=ship_to))
        self.ask(self.allocator.availability([sku], [channel], owner=owner, ship_to=ship_to))

    @rule(config=wishes.configs, now=rarely)
    def configure(self, config, now):
        if now:
            self.twins.configure(config)

    # --- what must not happen ----------------------------------------------------------------------------------

    @rule(data=st.data(), other=rarely)
    def an_old_op_comes_again(self, data, other):
        verb, arguments = data.draw(st.sampled_from(self.past))
        again = [EPOCH, "", self.allocator.now_ms, *arguments[3:]]
        if other and verb not in WITHOUT_OP:
            again[4] = fingerprint("another request")
        self.twins.ask_raw(verb, again)

    @rule(data=st.data(), value=wishes.nonsense)
    def nonsense_reaches_the_script(self, data, value):
        verb, arguments = data.draw(st.sampled_from(self.past))
        spoiled = [EPOCH, "", self.allocator.now_ms, *arguments[3:]]
        if verb not in WITHOUT_OP:
            spoiled[3] = self.op()
        spoiled[data.draw(st.integers(3, len(spoiled) - 1))] = value
        self.twins.ask_raw(verb, spoiled)

    @rule(
        request=wishes.orders, ranking=wishes.rankings, kind=st.sampled_from(["promise", "firm", "gone"]), many=rarely
    )
    def an_order_with_a_ranking_of_its_own(self, request, ranking, kind, many):
        op, scale = self.op(), 100_000_000 if many else 1
        head = [EPOCH, "", self.allocator.now_ms, f"order:{request.channel}:{op}:1", fingerprint(op), ""]
        told = ["take", request.channel, op, kind, "", "", int(request.partial)]
        lines = [(line.line, line.sku, line.units * scale) for line in request.lines]
        self.twins.ask_raw("order", [*head, *told, ranking_of(ranking), "", *flat(lines)])

    @rule(request=wishes.holds, ranking=wishes.rankings)
    def a_hold_with_a_ranking_of_its_own(self, request, ranking):
        id = self.op()
        head = [EPOCH, "", self.allocator.now_ms, f"hold:{id}", fingerprint(id), ""]
        told = [id, request.channel, request.owner, "", request.ttl_ms, int(request.partial), *FOR_NO_ORDER]
        lines = [(line.line, line.sku, line.units) for line in request.lines]
        self.twins.ask_raw("hold", [*head, *told, ranking_of(ranking), *flat(lines)])

    # --- always ------------------------------------------------------------------------------------------------

    @invariant()
    def both_have_the_same_books(self):
        self.twins.compare_books()
        self.twins.compare_atp()


@pytest.mark.parametrize("seed", range(4))
def test_a_long_walk_through_all_verbs_leaves_what_the_model_says(server_url, seed):
    twins = Twins(server_url)
    try:
        Walk(twins, seed).finish(WALK_STEPS)
    finally:
        twins.close()


def test_a_walk_on_which_days_are_soon_full_leaves_what_the_model_says(server_url):
    twins = Twins(server_url)
    try:
        DatedWalk(twins, 1).finish(WALK_STEPS)
    finally:
        twins.close()


def test_two_sellers_on_one_server_do_not_touch_each_other(server_url):
    sellers = [Twins(server_url, seller=seller) for seller in ("north", "south")]
    walks = [Walk(twins, seed) for seed, twins in enumerate(sellers, 10)]
    try:
        for _ in range(WALK_STEPS // 2):
            for walk in walks:
                walk.step()
        for twins in sellers:
            twins.compare_books()
            twins.compare_atp()
    finally:
        for twins in sellers:
            twins.close()


def test_any_sequence_of_verbs_leaves_what_the_model_says(server_url):
    # Explaining a failure traces every line of every run on older Pythons.
    phases = set(Phase) - {Phase.explain}

    run_state_machine_as_test(partial(Shop, server_url), settings=settings(phases=phases))
