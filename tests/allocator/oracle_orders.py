"""The oracle's verbs of orders: taking, serving, shipping, cancelling, coming back."""

from typing import Any

from allocator import Channel
from tests.allocator.oracle_returns import Return, arrive_unnamed
from tests.allocator.oracle_state import Hold, Line, Order, Take, take_at
from tests.allocator.oracle_take import Demand, limit_of
from tests.allocator.oracle_terms import Asked, Option, Place, Terms
from tests.allocator.oracle_verbs import PLACE_MAX, Answer, Refused, Verbs


class OrderVerbs(Verbs):
    named: Return | None = None
    """The return that goods came back with."""

    def order(
        self,
        *,
        op: str,
        mode: str,
        channel: str,
        external_id: str,
        kind: str,
        hold_id: str,
        pending: str,
        partial: bool,
        candidates: list[Any],
        lines: list[Any],
        terms: Asked | None = None,
    ) -> Answer:
        known = self._know_demand(channel=channel, kind=kind, candidates=candidates, lines=lines)
        wanted = [Line(*line, left=line[2]) for line in lines]
        order = Order(channel, external_id, kind, op, self.now, known.rank, candidates, wanted)
        self.books.orders[f"{channel}:{external_id}" if mode == "take" else f"preview of {op}"] = order
        asked = None if kind == "gone" else terms
        open_ones = self._open_options(asked) if asked else {}
        hold_said = self._take_over_all(order, hold_id, pending)
        full = {code for code, option in open_ones.items() if option is None}
        demand = Demand(self.books, known, wanted, candidates, limit_of(asked, self.books, wanted), full)
        plan = getattr(self, f"_{kind}")(order, demand, partial)
        if asked:
            self._promise_days(order, asked, open_ones)
        said = [kind, order.state, self.now, [line.row() for line in wanted], hold_said, plan]
        said.append(demand.trace("openly" if kind == "promise" else "any"))
        if kind == "gone":
            self._leave(order, said)
        self.promised = [order.terms.row()] if order.terms else []
        return "placed", said

    def _open_options(self, asked: Asked) -> dict[str, Option | None]:
        """By location the first day on which another order can leave."""
        return {
            code: next((o for o in options if places < 0 or self.books.taken(code, o.day) < places), None)
            for code, (places, options) in asked.promises.items()
        }

    def _promise_days(self, order: Order, asked: Asked, open_ones: dict[str, Option | None]) -> None:
        used = list(dict.fromkeys(take.location for line in order.lines for take in line.takes))
        options = [open_ones[code] or asked.promises[code][1][-1] if code in asked.promises else None for code in used]
        known = [option for option in options if option]
        order.terms = terms = Terms(asked)
        if known and len(known) == len(used):
            terms.ship_by = max(option.ship_by for option in known)
            terms.deliver_by = max(option.deliver_by for option in known) * all(option.deliver_by for option in known)
        pairs = zip(used, options, strict=True)
        terms.places = [Place(code, option, asked.promises[code][0] >= 0) for code, option in pairs if option]

    def _know_demand(self, *, channel: str, kind: str, candidates: list[Any], lines: list[Any]) -> Channel:
        known = self._channel(channel)
        if kind == "gone" and not candidates:
            raise Refused("invalid", "candidates")
        self._know_skus([sku for _, sku, _ in lines])
        if kind == "gone":
            self._know_locations([candidates[0][0]])
        return known

    def _take_over_all(self, order: Order, named: str, pending: str) -> str:
        """The hold of the time when the order was pending, whatever its attempt, then the one it names."""
        owner = pending.rpartition(":")[0] or pending
        waited = (pending and self._open_of(order.channel, owner)) or pending
        said = {id: self._take_over(order, id) for id in dict.fromkeys((waited, named))}
        if "used" in said.values():
            return "used"
        return said[named] if named or said[waited] == "unknown" else said[waited]

    def _take_over(self, order: Order, hold_id: str) -> str:
        """Re-take a hold's units where they lie, as far as they are there; a gone sale only where it left."""
        hold = self.books.holds.get(hold_id)
        if hold is None:
            return "unknown" if hold_id else ""
        if hold.channel != order.channel:
            return "other_channel"
        if hold.state != "open":
            return hold.state
        for sku, takes in hold.takes.items():
            for take in takes:
                if order.kind != "gone" or take.location == order.candidates[0][0]:
                    self._retake(order, sku, take)
        self._end(hold, "ordered")
        return "used"

    def _retake(self, order: Order, sku: str, take: Take) -> None:
        shelf = self.books.shelf(sku, take.location)
        for line in order.lines:
            there = shelf.on_hand - shelf.reasons.total() - self.books.committed(sku, take.location)
            units = min(take.units, line.left, there) if line.sku == sku else 0
            if units > 0:
                self.books.touched.add(sku)
                mine = take_at(line.takes, take.location)
                for part in take.remove(units, last=False):
                    mine.add(part.source, part.units, part.quota)
                line.left -= units

    def _promise(self, order: Order, demand: Demand, partial: bool) -> str:
        word, facts, plan = demand.promise(partial=partial)
        if word:
            raise Refused(word, *facts)
        for line in order.lines:
            line.cancelled, line.left = line.left, 0
        return plan

    def _firm(self, order: Order, demand: Demand, partial: bool) -> str:
        plan = demand.firm(without=demand.full)
        if demand.full and any(line.left for line in order.lines):
            last = Demand(self.books, demand.channel, order.lines, order.candidates, demand.limit).firm()
            plan = last if plan == "none" else plan
        for line in order.lines:
            if line.left:
                self.books.touched.add(line.sku)
            line.backordered, line.left = line.left, 0
        return plan

    def _gone(self, order: Order, demand: Demand, partial: bool) -> str:
        code = order.candidates[0][0]
        demand.gone(code)
        for line in order.lines:
            on_hand = self.books.shelf(line.sku, code).on_hand
            if on_hand - self.books.committed(line.sku, code) < -PLACE_MAX:
                raise Refused("over_limit", line.sku, code, on_hand)
        return "single"

    def _leave(self, order: Order, said: list[Any]) -> None:
        """The goods of a gone sale are out of the door: all of it is shipped, and its takes are only told."""
        for line, row in zip(order.lines, said[3], strict=True):
            for take in line.takes:
                self._ship_take(line, take, take.units)
            line.takes = []
            row[3], row[4] = 0, line.shipped
        said[1] = order.state

    def _ship_take(self, line: Line, take: Take, units: int) -> None:
        shelf = self.books.shelf(line.sku, take.location)
        for part in take.remove(units, last=False):
            if part.quota:
                shelf.spent[part.quota] += part.units
        shelf.on_hand -= units
        line.shipped += units
        self.books.touched.add(line.sku)

    def _changed(self, order: Order) -> Answer:
        for line in order.lines:
            line.takes = [take for take in line.takes if take.units]
        order.drop_places()
        return "changed", [order.state, [line.row() for line in order.lines]]

    def pick(self, order_id: str, location: str) -> Answer:
        order = self._order(order_id)
        self._know_complete(order)
        takes = [take for line in order.lines for take in line.takes if location in {"", take.location}]
        if not takes:
            raise Refused("not_committed", "", location, 0)
        for take in takes:
            take.picking = True
        return self._changed(order)

    def _know_complete(self, order: Order) -> None:
        line = order.waiting()
        if line:
            raise Refused("incomplete", line.line, line.backordered + line.conflict)

    def ship(self, order_id: str, lines: list[Any]) -> Answer:
        order = self._order(order_id)
        known = self._lines(order, lines)
        self._know_complete(order)
        every = [(line.line, take.location, take.units) for line in order.lines for take in line.takes]
        if not lines and not every:
            raise Refused("not_committed", "", "", 0)
        for name, code, units in lines or every:
            line = known[name]
            takes = [take for take in line.takes if take.location == code]
            there, left = sum(take.units for take in takes), units
            if left > there:
                raise Refused("not_committed", name, code, there)
            for take in takes:
                some = min(take.units, left)
                left -= some
                if some:
                    self._ship_take(line, take, some)
                    self._mark_left(order, code)
        return self._changed(order)

    def _mark_left(self, order: Order, code: str) -> None:
        for place in order.terms.places if order.terms else ():
            place.left = place.left or place.location == code

    def cancel(self, order_id: str, why: str, picked: bool, pending: str, lines: list[Any]) -> Answer:
        hold = self._pending_hold(pending) if order_id not in self.books.orders and not lines else None
        if hold is not None and hold.order is not None:
            self._end(hold, "released")
            rows = [[name, sku, units, 0, 0, 0, 0, units, 0, []] for name, sku, units, _ in hold.order.lines]
            return "changed", ["cancelled", rows]
        order = self._order(order_id)
        known = self._lines(order, lines)
        cancelled = 0
        for name, units in lines or [(line.line, None) for line in order.lines]:
            line = known[name]
            asked = line.backordered + line.conflict + line.committed if units is None else units
            self._cancel_line(line, asked, picked=picked)
            cancelled += asked
        if not cancelled:
            raise Refused("not_committed", "", "", 0)
        return self._changed(order)

    def _pending_hold(self, field: str) -> Hold | None:
        """The open hold that an order is while it is only pending, by its channel and owner."""
        holds = (hold for hold in self.books.holds.values() if hold.state == "open" and hold.owner)
        return next((hold for hold in holds if f"{hold.channel}:{hold.owner}" == field), None)

    def _cancel_line(self, line: Line, units: int, *, picked: bool = False) -> None:
        """What waits goes first, then what is committed and not being picked, then, in totes, what is."""
        may = line.backordered + line.conflict + line.committed - (0 if picked else line.picking)
        if units > may and line.picking and not picked:
            raise Refused("pick_started", line.line, line.picking)
        if units > may:
            raise Refused("not_committed", line.line, "", may)
        line.cancelled += units
        if units:
            self.books.touched.add(line.sku)
        for debt in ("backordered", "conflict"):
            some = min(getattr(line, debt), units)
            setattr(line, debt, getattr(line, debt) - some)
            units -= some
        latest = line.takes[::-1]
        for take in [take for take in latest if not take.picking] + [take for take in latest if take.picking]:
            some = min(take.units, units)
            take.remove(some, last=True)
            units -= some
            if take.picking:
                self.books.shelf(line.sku, take.location).reasons["put_away"] += some

    def return_units(self, order_id: str, why: str, return_id: str, lines: list[Any]) -> Answer:
        order = self._order(order_id) if order_id else None
        sold = self._lines(order, lines) if order else {}
        skus = {name: sold[name].sku if order else name for name, *_ in lines}
        self._know_skus(list(skus.values()))
        self._know_locations([code for _, code, _, _ in lines])
        for name, code, units, disposition in lines:
            if order:
                self._take_back(sold[name], units)
            if disposition != "scrap":
                self._put(skus[name], code, units)
            if disposition == "quarantine":
                self.books.shelf(skus[name], code).reasons["quarantine"] += units
        if order:
            self._arrive(order, return_id, lines)
        return self._changed(order) if order else ("moved", [])

    def _arrive(self, order: Order, return_id: str, lines: list[Any]) -> None:
        """Goods of a named return are taken off it; what then can come no more is expected no more."""
        sold = {line.line: line for line in order.lines}
        if return_id:
            named = order.returns.setdefault(return_id, Return(return_id, 0, 0, "", "", {}, {}, {}))
            for name, _, units, _ in lines:
                named.arrive(name, sold[name].sku, units)
            self.named = named
        for name in {name for name, *_ in lines}:
            arrive_unnamed(list(order.returns.values()), name, sold[name].shipped - sold[name].returned)

    def _take_back(self, line: Line, units: int) -> None:
        if units > line.shipped - line.returned:
            raise Refused("not_shipped", line.line, line.shipped - line.returned)
        line.returned += units

    def serve(self, sweep: bool, skus: int, lines: int) -> Answer:
        if sweep:
            self.books.servable |= {sku for sku in self.books.versions if self._queue(sku)}
        chosen, served = sorted(self.books.servable - self.books.closed)[:skus], []
        for sku in chosen:
            lines, complete = self._serve_sku(sku, lines, served)
            if complete:
                self.books.servable.discard(sku)
        more = len(chosen) == skus or any(sku in self.books.servable for sku in chosen)
        return "served", [served, int(more)]

    def _serve_sku(self, sku: str, lines: int, served: list[Any]) -> tuple[int, bool]:
        """A channel that got too little waits on. Returns the lines that may still be looked at, and if all were."""
        dry: set[str] = set()
        for _, id, name, order, line in self._queue(sku):
            if order.channel in dry:
                continue
            if not lines:
                return 0, False
            lines -= 1
            units = self._serve(order, line)
            if units:
                served.append([id, name, sku, units])
            if order.waits(line):
                dry.add(order.channel)
        return lines, True

    def _queue(self, sku: str) -> list[Any]:
        """Who waits for a sku: best ranked channel first, then oldest."""
        waiting = [
            ((order.rank, order.placed_ms), id, line.line, order, line)
            for id, order in self.books.orders.items()
            for line in order.lines
            if line.sku == sku and order.waits(line)
        ]
        return sorted(waiting, key=lambda entry: entry[:3])

    def _serve(self, order: Order, line: Line) -> int:
        channel = self.books.channel(order.channel)
        if channel is None:
            return 0
        line.left = waiting = order.waits(line)
        Demand(self.books, channel, [line], order.candidates).firm(
            serving=True, without=set(order.rejected_at), only=order.pickup
        )
        units, line.left = waiting - line.left, 0
        self._lower_debt(line, units, 0 if order.desk else line.conflict)
        return units

    def _lower_debt(self, line: Line, units: int, conflict: int) -> None:
        """Units wait no longer: first up to `conflict` of those in conflict, then backordered ones."""
        rescued = min(conflict, units)
        line.conflict -= rescued
        line.backordered -= units - rescued
