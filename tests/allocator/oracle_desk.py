"""The oracle's verbs of orders that lose their location: rejected, moved by somebody, rescued."""

from typing import Any

from allocator import Channel
from tests.allocator.oracle_atp import view_of
from tests.allocator.oracle_orders import OrderVerbs
from tests.allocator.oracle_state import Line, Order, take_at
from tests.allocator.oracle_take import Demand, draw
from tests.allocator.oracle_verbs import Answer, Refused

ANYBODY = Channel(code="?")
"""What a channel that no longer exists sees: all that is shared."""


class DeskVerbs(OrderVerbs):
    def reject(
        self,
        *,
        order_id: str,
        location: str,
        reason: str,
        effect: str,
        recount: bool,
        rejects_max: int,
        candidates: list[Any],
        lines: list[Any],
    ) -> Answer:
        order = self._order(order_id)
        known = self._lines(order, lines)
        there = [(line.line, line.at(location)) for line in order.lines if line.at(location)]
        if not lines and not there:
            raise Refused("not_committed", "", location, 0)
        rejected: dict[str, int] = {}
        for name, units in lines or there:
            line = known[name]
            if units > line.at(location):
                raise Refused("not_committed", name, location, line.at(location))
            self._leave_line(line, location, units)
            rejected[line.sku] = rejected.get(line.sku, 0) + units
        for sku, units in rejected.items():
            self._change_shelf(sku, location, reason, effect, units)
        order.rejected_at.append(location)
        if len(order.rejected_at) >= rejects_max:
            order.desk = True
        else:
            self._go_elsewhere(order, order.lines, candidates or order.candidates, set())
        self._into_conflict(order.lines)
        return self._changed(order)

    def _change_shelf(self, sku: str, location: str, reason: str, effect: str, units: int) -> None:
        shelf = self.books.shelf(sku, location)
        sellable = max(0, shelf.on_hand - shelf.reasons.total())
        if effect == "less":
            shelf.on_hand -= min(units, max(0, shelf.on_hand))
        elif effect == "zero":
            shelf.on_hand -= sellable
        elif effect == "unavailable":
            shelf.reasons[reason] += min(units, sellable)

    def _leave_line(self, line: Line, location: str, units: int) -> None:
        """Units are given back where they lie, those whose pick has not started first."""
        line.left += units
        self.books.touched.add(line.sku)
        for picking in (False, True):
            for take in reversed(line.takes):
                if (take.location, take.picking) == (location, picking):
                    some = min(take.units, units)
                    take.remove(some, last=True)
                    units -= some

    def _go_elsewhere(self, order: Order, lines: list[Line], candidates: list[Any], without: set[str]) -> None:
        channel = self.books.channel(order.channel)
        if channel is None:
            return
        for line in lines:
            line.takes = [take for take in line.takes if take.units]
        Demand(self.books, channel, lines, candidates).firm(without=without | set(order.rejected_at), only=order.pickup)

    def _into_conflict(self, lines: list[Line]) -> None:
        for line in lines:
            line.conflict, line.left = line.conflict + line.left, 0

    def move(self, *, order_id: str, why: str, origin: str, to: str, lines: list[Any]) -> Answer:
        order = self._order(order_id)
        known = self._lines(order, lines)
        self._know_locations([to])
        there = [(line.line, line.movable(origin)) for line in order.lines if line.movable(origin)]
        if not lines and not there:
            raise Refused("not_committed", "", origin, 0)
        for name, units in lines or there:
            line = known[name]
            if units > line.movable(origin):
                raise Refused("not_committed", name, origin, line.movable(origin))
            if origin:
                self._leave_line(line, origin, units)
            else:
                self._lower_debt(line, units, line.conflict)
                line.left += units
        for name, _ in lines or there:
            self._take_there(known[name], self.books.channel(order.channel) or ANYBODY, to)
        order.desk = order.desk and order.total("conflict") > 0
        return self._changed(order)

    def _take_there(self, line: Line, channel: Channel, to: str) -> None:
        view = view_of(self.books, channel, line.sku, to, even_inactive=True)
        there = sum(view.passes.values())
        if line.left > there:
            raise Refused("not_enough", line.sku, to, there)
        take = take_at(line.takes, to)
        for part in ("open", "safety", "fence"):
            some = min(line.left, view.passes[part])
            line.left -= some
            for source, units, quota in draw(view, part, some, channel.code) if some else ():
                take.add(source, units, quota)
        self.books.touched.add(line.sku)

    def rescue(self, *, sku: str, location: str, orders: list[str]) -> Answer:
        self._know_skus([sku])
        said: list[Any] = []
        for id, order, losing in reversed(self._losers(sku, location, orders)):
            lost = [line.left for line in losing]
            self._go_elsewhere(order, losing, order.candidates, {location})
            said += [[id, line.line, units - line.left, line.left] for line, units in zip(losing, lost, strict=True)]
            self._into_conflict(losing)
            self._changed(order)
        return "rescued", [said, self.books.deficit(sku, location)]

    def _losers(self, sku: str, location: str, ids: list[str]) -> list[tuple[str, Order, list[Line]]]:
        """The orders that give units back, in this order, and the lines they give them back from."""
        found = [(id, self.books.orders[id]) for id in ids if id in self.books.orders]
        losers = [
            (id, order, [line for line in order.lines if line.sku == sku and self._lose(line, location)])
            for id, order in found
        ]
        return [loser for loser in losers if loser[2]]

    def _lose(self, line: Line, location: str) -> bool:
        """Give back what of a line is missing; whether that was any."""
        units = min(line.movable(location), self.books.deficit(line.sku, location))
        if units > 0:
            self._leave_line(line, location, units)
        return units > 0
