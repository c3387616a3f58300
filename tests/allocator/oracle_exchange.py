"""The oracle's verb exchange: a return and an order in one."""

from typing import Any

from tests.allocator.oracle_edit import EditVerbs
from tests.allocator.oracle_take import Candidates
from tests.allocator.oracle_verbs import Answer


class ExchangeVerbs(EditVerbs):
    def exchange(
        self,
        *,
        op: str,
        order_id: str,
        why: str,
        returned: list[Any],
        channel: str,
        external_id: str,
        kind: str,
        candidates: Candidates,
        lines: list[Any],
    ) -> Answer:
        self._lines(self._order(order_id), returned)
        self._know_locations([code for _, code, _, _ in returned])
        demand = {"channel": channel, "kind": kind, "candidates": candidates, "lines": lines}
        self._know_demand(**demand)
        _, [old_state, old_lines] = self.return_units(order_id, why, "", returned)
        _, said = self.order(
            op=op, mode="take", external_id=external_id, hold_id="", pending="", partial=False, **demand
        )
        [*facts, _, plan, trace] = said
        return "exchanged", [old_state, old_lines, *facts, plan, trace]
