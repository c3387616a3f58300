"""What the steps of transfers add up to: a row for each transfer, and one for each of its skus."""

from collections.abc import Iterable, Mapping
from typing import Any

Row = dict[str, Any]
Step = Mapping[str, Any]

UNITS = ("sent", "arrived", "lost")
COUNTED = (*UNITS, "in_transit")


def add_up(steps: Iterable[Step]) -> tuple[list[Row], list[Row]]:
    """The transfers and their lines, of all their steps in the order of the ledger (columns of `transfer_step`)."""
    heads: dict[str, Row] = {}
    lines: dict[tuple[str, str], Row] = {}
    for step in steps:
        key = {"seller": step["seller"], "transfer_id": step["transfer_id"]}
        head = heads.setdefault(step["transfer_id"], _new_head(key, step))
        facts = {**key, "sku": step["sku"], "sent_ms": head["sent_ms"]}
        line = lines.setdefault((step["transfer_id"], step["sku"]), {**facts, **dict.fromkeys(COUNTED, 0)})
        head["changed_ms"] = step["at_ms"]
        for row in (head, line):
            _count(row, step)
    for head in heads.values():
        head["state"] = _state(head)
    return list(heads.values()), list(lines.values())


def _new_head(key: Row, step: Step) -> Row:
    facts = {"from_location": step["location"], "to_location": step["to_location"], "state": "open"}
    times = {"sent_ms": step["at_ms"], "changed_ms": step["at_ms"], "number": step["number"]}
    return {**key, **facts, **times, **dict.fromkeys(COUNTED, 0)}


def _count(row: Row, step: Step) -> None:
    for name in UNITS:
        row[name] += step[name]
    row["in_transit"] += step["sent"] - step["arrived"] - step["lost"]


def _state(head: Row) -> str:
    if head["in_transit"] == 0:
        return "closed"
    return "partly" if head["arrived"] or head["lost"] else "open"
