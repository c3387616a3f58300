"""What a change of config would make of orders, as if it were in force: the rankings, and what the scripts read."""

from collections.abc import Iterable, Mapping

from .config import ConfigChange
from .in_force import InForce
from .model import OrderRequest, ShipTo


class Foreseen:
    """
    One version of the config with a change laid over it; made by `Allocator.foresee`, never changed.

    `base` is the version it lies on: as soon as another one is in force it says nothing any more.
    """

    def __init__(self, in_force: InForce, change: ConfigChange | None = None) -> None:
        self.base = int(in_force.version)
        fields: Mapping[str, bytes] = {**change.fields, **dict.fromkeys(change.removed, b"")} if change else {}
        document = fields.get("document")
        self.in_force = in_force if document is None else in_force.reading(document.decode())
        self._of_some = {field: value for field, value in fields.items() if field.startswith(("channel:", "sku:"))}
        self._of_all = {
            field: value for field, value in fields.items() if field != "document" and field not in self._of_some
        }

    def overlay(self, request: OrderRequest) -> list[tuple[str, bytes]]:
        """The fields of the compiled config that the script is to read otherwise for this order; b"" for none."""
        if not self._of_some:
            return list(self._of_all.items())
        named = [f"channel:{request.channel}", *dict.fromkeys(f"sku:{line.sku}" for line in request.lines)]
        return [*self._of_all.items(), *((name, self._of_some[name]) for name in named if name in self._of_some)]

    def cost(self, locations: Iterable[str], ship_to: ShipTo) -> int | None:
        """What it costs to send from each of these once, in integer minor units; None: not known of all of them."""
        costs = [self.in_force.cost(code, ship_to) for code in locations]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if known and len(known) == len(costs) else None
