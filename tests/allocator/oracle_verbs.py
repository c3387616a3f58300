"""The oracle's verbs of stock and holds: each changes the books, or raises Refused with a word and its facts."""

from typing import Any

from allocator import Channel, Config
from tests.allocator.oracle_state import Books, HeldFor, Hold, Line, Order, Take, rows, take_at
from tests.allocator.oracle_take import Demand, limit_of
from tests.allocator.oracle_terms import Asked
from tests.allocator.oracle_view import available, explained

PLACE_MAX = 10_000_000_000
UNITS_MAX = 1_000_000_000
SKUS_OF_A_RUN = 1_500

Answer = tuple[str, list[Any]]


class Refused(Exception):
    """A decided no."""

    def __init__(self, word: str, *facts: Any) -> None:
        super().__init__(word)
        self.word, self.facts = word, list(facts)


class Verbs:
    def __init__(self, books: Books, now: int) -> None:
        self.books = books
        self.now = now

    # --- who is known ------------------------------------------------------------------------------------------

    def _channel(self, code: str) -> Channel:
        channel = self.books.channel(code)
        if channel is None:
            raise Refused("unknown_channel", code)
        return channel

    def _know_skus(self, skus: list[str]) -> None:
        unknown = [sku for sku in dict.fromkeys(skus) if sku not in self.books.versions]
        if unknown:
            raise Refused("unknown_sku", *unknown)

    def _know_locations(self, codes: list[str]) -> None:
        unknown = [code for code in dict.fromkeys(codes) if not self.books.has_location(code)]
        if unknown:
            raise Refused("unknown_location", *unknown)

    def _order(self, order_id: str) -> Order:
        if order_id not in self.books.orders:
            raise Refused("unknown_order", order_id)
        return self.books.orders[order_id]

    def _lines(self, order: Order, wanted: list[Any]) -> dict[str, Line]:
        lines = {line.line: line for line in order.lines}
        for name, *_ in wanted:
            if name not in lines:
                raise Refused("unknown_line", name)
        return lines

    def _open_hold(self, hold_id: str) -> Hold:
        hold = self.books.holds.get(hold_id)
        if hold is None:
            raise Refused("unknown_hold", hold_id)
        if hold.state != "open":
            raise Refused("hold_ended", hold_id, hold.state)
        return hold

    # --- stock -------------------------------------------------------------------------------------------------

    def _move_stock(self, lines: list[Any], *, keeps_above_zero: bool = False) -> Answer:
        self._know_skus([sku for sku, _, _ in lines])
        self._know_locations([code for _, code, _ in lines])
        for sku, code, units in lines:
            self._put(sku, code, units, keeps_above_zero=keeps_above_zero)
        return "moved", []

    def _put(self, sku: str, code: str, units: int, *, keeps_above_zero: bool = False) -> None:
        shelf = self.books.shelf(sku, code)
        if keeps_above_zero and units < 0 and shelf.on_hand + units < 0:
            raise Refused("not_enough", sku, code, shelf.on_hand)
        if not -PLACE_MAX <= shelf.on_hand + units <= PLACE_MAX:
            raise Refused("over_limit", sku, code, shelf.on_hand)
        shelf.on_hand += units
        self.books.touched.add(sku)

    def receive(self, why: str, lines: list[Any]) -> Answer:
        return self._move_stock(lines)

    def adjust(self, why: str, lines: list[Any]) -> Answer:
        return self._move_stock(lines, keeps_above_zero=True)

    def count(self, why: str, lines: list[Any]) -> Answer:
        return self._move_stock(lines)

    def unavailable(self, reason: str, direction: str, lines: list[Any]) -> Answer:
        self._know_skus([sku for sku, _, _ in lines])
        self._know_locations([code for _, code, _ in lines])
        for sku, code, units in lines:
            shelf = self.books.shelf(sku, code)
            sound = max(0, shelf.on_hand - shelf.reasons.total())
            there = sound if direction == "in" else shelf.reasons[reason]
            if units > there:
                raise Refused("not_enough", sku, code, there)
            shelf.reasons[reason] += units if direction == "in" else -units
            self.books.touched.add(sku)
        return "moved", []

    def set_quota(self, *, why: str, sku: str, location: str, channel: str, quota: int, floor: int) -> Answer:
        self._channel(channel)
        self._know_skus([sku])
        self._know_locations([location])
        quotas = self.books.shelf(sku, location).quotas
        if quotas.get(channel, [0, 0]) != [quota, floor]:
            quotas[channel] = [quota, floor]
            self.books.touched.add(sku)
        return "moved", []

    def move_quota(self, *, why: str, sku: str, location: str, giver: str, taker: str, units: int) -> Answer:
        self._channel(giver)
        self._channel(taker)
        self._know_skus([sku])
        self._know_locations([location])
        quotas = self.books.shelf(sku, location).quotas
        mine, others = quotas.get(giver, [0, 0]), quotas.setdefault(taker, [0, 0])
        spare = max(0, mine[0] - self.books.consumed(sku, location, giver))
        if units > spare:
            raise Refused("not_enough", sku, location, spare)
        if others[0] + units > UNITS_MAX:
            raise Refused("over_limit", sku, location, others[0])
        mine[0], others[0] = mine[0] - units, others[0] + units
        self.books.touched.add(sku)
        return "moved", []

    def transfer_out(self, *, why: str, transfer: str, giver: str, taker: str, lines: list[Any]) -> Answer:
        self._know_skus([sku for sku, _ in lines])
        self._know_locations([giver, taker])
        for sku, units in lines:
            there, coming = max(0, self.books.available(sku, giver)), self.books.shelf(sku, taker).transit
            if units > there:
                raise Refused("not_enough", sku, giver, there)
            if coming[transfer] + units > PLACE_MAX:
                raise Refused("over_limit", sku, taker, coming[transfer])
            self.books.shelf(sku, giver).on_hand -= units
            coming[transfer] += units
            self.books.touched.add(sku)
        return "moved", []

    def transfer_in(self, *, why: str, transfer: str, location: str, at: str, lines: list[Any]) -> Answer:
        self._know_skus([sku for sku, _, _ in lines])
        self._know_locations([location, at])
        for sku, arrived, lost in lines:
            coming, shelf = self.books.shelf(sku, location).transit, self.books.shelf(sku, at)
            if arrived + lost > coming[transfer]:
                raise Refused("not_enough", sku, location, coming[transfer])
            if shelf.on_hand + arrived > PLACE_MAX:
                raise Refused("over_limit", sku, at, shelf.on_hand)
            coming[transfer] -= arrived + lost
            shelf.on_hand += arrived
            self.books.touched.add(sku)
        return "moved", []

    # --- asking ------------------------------------------------------------------------------------------------

    def availability(
        self, owner: str, locations: set[str] | None, channels: list[str], skus: list[str], overlay: int
    ) -> Answer:
        assert not overlay, "what would be is compared with what then is, by the tests of availability"
        for code in channels:
            self._channel(code)
        return "available", available(self.books, owner, locations, channels, skus)

    def explain(self, owner: str, locations: set[str] | None, channel: str, sku: str) -> Answer:
        known = self._channel(channel)
        self._know_skus([sku])
        return "explained", explained(self.books, owner, locations, known, sku)

    # --- holds -------------------------------------------------------------------------------------------------

    def hold(
        self,
        *,
        hold_id: str,
        channel: str,
        owner: str,
        replaces: str,
        ttl_ms: int,
        partial: bool,
        claims: str,
        order: list[Any] | None,
        said: tuple[str, Asked | None],
        candidates: list[Any],
        lines: list[Any],
    ) -> Answer:
        if order and f"{channel}:{order[0]}" in self.books.orders:
            raise Refused("accepted", f"{channel}:{order[0]}")
        known = self._channel(channel)
        self._know_skus([sku for _, sku, _ in lines])
        replaced = self._replace(channel, owner, replaces)
        wanted = [Line(*line, left=line[2]) for line in lines]
        terms, asked = said
        demand = Demand(self.books, known, wanted, candidates, limit_of(asked, self.books, wanted))
        plan = self._claim(demand, claims, partial=partial)
        takes: dict[str, list[Take]] = {line.sku: [] for line in wanted}
        for line in wanted:
            for take in line.takes:
                for part in take.parts:
                    take_at(takes[line.sku], take.location).add(part.source, part.units, part.quota)
        held = [[line.line, line.sku, line.ordered, line.ordered - line.left] for line in wanted]
        waiting = self._held_for(order, held, candidates, terms, partial=partial)
        self.books.holds[hold_id] = Hold(channel, owner, "open", self.now + ttl_ms, takes, waiting)
        taken = [[sku, rows(some)] for sku, some in takes.items()]
        trace = demand.trace("any" if claims == "firm" else "openly")
        return "held", [self.now + ttl_ms, held, taken, plan, trace, replaced]

    def _claim(self, demand: Demand, claims: str, *, partial: bool) -> str:
        """Take what is to be held; an order that claims nothing yet has no plan."""
        if claims != "promise":
            return demand.firm() if claims == "firm" else "none"
        word, facts, plan = demand.promise(partial=partial)
        if word:
            raise Refused(word, *facts)
        return plan

    def _held_for(
        self, order: list[Any] | None, held: list[Any], candidates: list[Any], terms: str, *, partial: bool
    ) -> HeldFor | None:
        if order is None:
            return None
        external_id, reason, kind, print_ = order
        return HeldFor(external_id, reason, kind, partial, print_, candidates, [tuple(row) for row in held], terms)

    def _replace(self, channel: str, owner: str, named: str) -> str:
        """An owner's open hold on a channel makes room for the new one; if he has none, the one that is named."""
        mine = self._open_of(channel, owner)
        for id in (mine,) if mine else (named,):
            hold = self.books.holds.get(id)
            if hold and (hold.channel, hold.state) == (channel, "open"):
                self._end(hold, "replaced")
                return id
        return ""

    def _open_of(self, channel: str, owner: str) -> str:
        """The owner's open hold on a channel, or ''."""
        for id, hold in self.books.holds.items():
            if owner and (hold.channel, hold.owner, hold.state) == (channel, owner, "open"):
                return id
        return ""

    def _end(self, hold: Hold, state: str) -> None:
        for sku, takes in hold.takes.items():
            if any(take.units for take in takes):
                self.books.touched.add(sku)
        hold.takes, hold.state = {}, state

    def extend(self, hold_id: str, ttl_ms: int) -> Answer:
        hold = self._open_hold(hold_id)
        hold.deadline_ms = max(hold.deadline_ms, self.now + ttl_ms)
        return "extended", [hold.deadline_ms]

    def release(self, hold_id: str) -> Answer:
        self._end(self._open_hold(hold_id), "released")
        return "released", []

    def expire(self, limit: int) -> Answer:
        due = [
            (hold.deadline_ms, id)
            for id, hold in self.books.holds.items()
            if hold.state == "open" and hold.deadline_ms <= self.now and not self.books.closed & hold.takes.keys()
        ]
        chosen, skus = [id for _, id in sorted(due)[:limit]], 0
        ended: list[str] = []
        for id in chosen:
            skus += len(self.books.holds[id].takes)
            if skus > SKUS_OF_A_RUN and ended:
                break
            self._end(self.books.holds[id], "expired")
            ended.append(id)
        return "expired", [ended, int(limit > 0 and (len(chosen) == limit or len(ended) < len(chosen)))]

    # --- config ------------------------------------------------------------------------------------------------

    def configure(self, base: str, version: int, fields: list[Any], skus: list[str], config: Config) -> Answer:
        if base != self.books.config_version:
            raise Refused("stale_config", self.books.config_version)
        if version <= int(base):
            raise Refused("invalid", "version")
        made = [sku for sku in dict.fromkeys(skus) if sku not in self.books.versions]
        self.books.versions |= dict.fromkeys(made, 0)
        self.books.config, self.books.config_version = config, str(version)
        return "configured", [version, len(made)]
