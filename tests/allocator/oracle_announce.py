"""Announced returns as the oracle keeps them, and its verb announce_return."""

from tests.allocator.oracle_exchange import ExchangeVerbs
from tests.allocator.oracle_returns import Return
from tests.allocator.oracle_verbs import Answer, Refused

RETURNS_MAX = 100


class AnnounceVerbs(ExchangeVerbs):
    def announce_return(
        self,
        *,
        order_id: str,
        why: str,
        return_id: str,
        revision: int,
        location: str,
        due_ms: int | None,
        lines: list[tuple[str, int]],
    ) -> Answer:
        order = self._order(order_id)
        before = order.returns.get(return_id)
        if before and before.revision >= revision:
            raise Refused("superseded", return_id, before.revision)
        if not before and len(order.returns) >= RETURNS_MAX:
            raise Refused("invalid", "returns")
        known = self._lines(order, lines)
        if location:
            self._know_locations([location])
        arrived = before.arrived if before else {}
        wanted = {name: units for name, units in lines if units or arrived.get(name)}
        names = [name for name in (before.units if before else {}) if wanted.get(name) or arrived.get(name)]
        units = {name: wanted.get(name, 0) for name in dict.fromkeys([*names, *wanted])}
        skus = {name: known[name].sku for name in units}
        said = Return(return_id, revision, due_ms or 0, location, why, skus, units, dict(arrived))
        order.returns[return_id] = said
        rows = [
            [line.line, order.expected(line.line), line.shipped - line.returned]
            for line in order.lines
            if order.expected(line.line) > line.shipped - line.returned
        ]
        if rows:
            raise Refused("too_many_returns", *rows)
        return "announced", said.row()
