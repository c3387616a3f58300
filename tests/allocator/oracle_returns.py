"""Announced returns as the oracle keeps them."""

from dataclasses import dataclass
from typing import Any


@dataclass
class Return:
    """A return of an order; `units` are announced and `arrived` came, by line; `skus` are those of the lines."""

    return_id: str
    revision: int
    due_ms: int
    location: str
    why: str
    skus: dict[str, str]
    units: dict[str, int]
    arrived: dict[str, int]

    def copy(self) -> "Return":
        head = self.return_id, self.revision, self.due_ms, self.location, self.why
        return Return(*head, dict(self.skus), dict(self.units), dict(self.arrived))

    def expected(self, line: str) -> int:
        return max(0, self.units.get(line, 0) - self.arrived.get(line, 0))

    def arrive(self, line: str, sku: str, units: int) -> None:
        self.skus[line] = sku
        self.units.setdefault(line, 0)
        self.arrived[line] = self.arrived.get(line, 0) + units

    def row(self) -> list[Any]:
        lines = [[name, self.skus[name], units, self.arrived.get(name, 0)] for name, units in self.units.items()]
        return [self.return_id, self.revision, self.due_ms, self.location, self.why, lines]


def arrive_unnamed(returns: list[Return], line: str, left: int) -> None:
    """No more of a line is expected than is left to come: the first return gives up first."""
    excess = sum(each.expected(line) for each in returns) - left
    for each in returns:
        some = min(max(0, excess), each.expected(line))
        if some:
            each.arrived[line] = each.arrived.get(line, 0) + some
            excess -= some
