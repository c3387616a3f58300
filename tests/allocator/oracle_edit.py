"""The oracle's verb edit: an order has other units, other lines or another way from now on."""

from typing import Any

from allocator import Channel
from tests.allocator.oracle_desk import DeskVerbs
from tests.allocator.oracle_state import Line, Order
from tests.allocator.oracle_take import Candidates, Demand
from tests.allocator.oracle_verbs import Answer, Refused

LINES_MAX = 1_500


class EditVerbs(DeskVerbs):
    def edit(
        self,
        *,
        order_id: str,
        why: str,
        strict: Candidates | None,
        relaxed: Candidates | None,
        replan: bool,
        partial: bool,
        lines: list[Any],
    ) -> Answer:
        order = self._order(order_id)
        wanted = self._find_lines(order, lines)
        more = {line.line: units - line.ordered + line.cancelled for line, units in wanted}
        channel = self.books.channel(order.channel)
        before = Demand(self.books, channel, order.lines, []) if channel else None
        for line, _ in wanted:
            self._cancel_line(line, max(0, -more[line.line]))
        grows = any(units > 0 for units in more.values())
        if grows and order.kind == "gone":
            raise Refused("has_left", order_id)
        ranking = relaxed if order.kind == "firm" else strict
        order.candidates = order.candidates if ranking is None or order.pickup else ranking
        if order.kind != "gone" and (grows or replan):
            self._channel(order.channel)
            assert channel is not None
            assert before is not None
            for line in order.lines:
                line.left = max(0, more.get(line.line, 0)) + (self._give_back(line) if replan else 0)
                line.ordered += max(0, more.get(line.line, 0))
            self._take_more(order, channel, before, more, partial=partial)
        order.lines = [line for line in order.lines if line.ordered]
        return self._changed(order)

    def _find_lines(self, order: Order, lines: list[Any]) -> list[tuple[Line, int]]:
        """The lines that are named; those that are new are there now, with nothing ordered."""
        known = {line.line: line for line in order.lines}
        for name, sku, units in lines:
            if name not in known and units:
                known[name] = Line(name, sku, 0)
            elif name in known and known[name].sku != sku:
                raise Refused("other_sku", name, known[name].sku)
        order.lines = list(known.values())
        if len(order.lines) > LINES_MAX:
            raise Refused("invalid", "lines")
        self._know_skus([line.sku for line in order.lines])
        return [(known[name], units) for name, _, units in lines if name in known]

    def _give_back(self, line: Line) -> int:
        """All that no pick has started for; how many units that is."""
        units = line.committed - line.picking
        line.takes = [take for take in line.takes if take.picking and take.units]
        if units:
            self.books.touched.add(line.sku)
        return units

    def _take_more(
        self, order: Order, channel: Channel, before: Demand, more: dict[str, int], *, partial: bool
    ) -> None:
        """As its kind does. What was given back may be had again: beyond ATP, and before what it did not cover then."""
        for line in order.lines:
            line.takes = [take for take in line.takes if take.units]
        asked = {line.line: line.left for line in order.lines}
        willing = [candidate for candidate in order.candidates if candidate[0] not in order.rejected_at]
        demand = Demand(self.books, channel, order.lines, willing)
        for sku, need in demand.needs.items():
            was = before.needs[sku]
            need.atp.now = max(need.atp.now, need.atp.open - was.atp.open)
            need.atp.owed = min(need.atp.owed, sum(view.any for view in was.views.values()))
        if order.kind == "firm":
            demand.firm(without=order.rejected_at, only=order.pickup)
        else:
            word, facts, _ = demand.promise(partial=partial)
            self._refuse(word, facts, asked, demand)
        for line in order.lines:
            self._settle(order, line, max(0, more.get(line.line, 0)))

    def _refuse(self, word: str, facts: Any, asked: dict[str, int], demand: Demand) -> None:
        """Told are the lines that wanted some, and how many."""
        rows = [
            [line.line, line.sku, asked[line.line], demand.needs[line.sku].atp.now]
            for line in demand.lines
            if asked[line.line]
        ]
        if word == "short":
            raise Refused(word, *rows)
        if word:
            raise Refused(word, facts[0], rows, facts[2])

    def _settle(self, order: Order, line: Line, more: int) -> None:
        """A firm order waits for the rest; a promise has not ordered it, or lets go of what it had."""
        left, line.left = line.left, 0
        if left and order.kind == "firm":
            self.books.touched.add(line.sku)
            line.backordered += left
        elif left:
            line.ordered -= min(left, more)
            line.cancelled += left - min(left, more)
