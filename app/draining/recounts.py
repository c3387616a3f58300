"""What entries add up to of rejects: what is to be counted, and what each location gave and refused on a day."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

Row = dict[str, Any]
Task = tuple[int, str]
"""Which task: the number of the entry that opened it, and the sku."""

DAY_MS: Final = 86_400_000

NOT_CLOSED: Final = {
    "closed_number": None,
    "closed_ms": None,
    "closed_op": "",
    "closed_by": "",
    "confirmed": False,
    "difference": 0,
}


class Recounts:
    """
    Follows the steps that entries made (`Group.recount_steps`), in the order of the ledger.

    `tasks` are rows of the table `recount`, those to go on with at first. `confirmed` has how tasks were closed by
    counts that found what was booked: such a count has no entry.
    """

    def __init__(self, tasks: Iterable[Row] = (), confirmed: Mapping[Task, Row] | None = None) -> None:
        self.tasks: dict[Task, Row] = {}
        self._confirmed = confirmed or {}
        self._open: dict[tuple[str, str], Row] = {}
        for task in tasks:
            self._begin(task)

    def _begin(self, task: Row) -> None:
        self.tasks[task["number"], task["sku"]] = self._open[task["sku"], task["location"]] = task

    def follow(self, steps: Iterable[Mapping[str, Any]]) -> None:
        """Open, raise and close tasks."""
        for step in steps:
            task = self._open_at(step)
            if step["refused"] is None:
                self._close(task, step)
            elif task is None:
                self._begin(_opened(step))
            else:
                task["rejects"] += 1
                task["units"] += step["units"]

    def _open_at(self, step: Mapping[str, Any]) -> Row | None:
        """The place's task, unless a count before this step has confirmed what was booked."""
        task = self._open.get((step["sku"], step["location"]))
        closed = self._confirmed.get((task["number"], task["sku"])) if task else None
        if task is None or closed is None or closed["closed_number"] >= step["number"]:
            return task
        self._end(task, closed)
        return None

    def _close(self, task: Row | None, step: Mapping[str, Any]) -> None:
        if task is not None:
            who = {"closed_op": step["op"], "closed_by": step["actor"], "difference": step["units"]}
            self._end(task, {**who, "closed_number": step["number"], "closed_ms": step["at_ms"], "confirmed": False})

    def _end(self, task: Row, closed: Mapping[str, Any]) -> None:
        task.update({name: closed[name] for name in NOT_CLOSED})
        del self._open[task["sku"], task["location"]]

    def finish(self) -> list[Row]:
        """All tasks, with those that a count has confirmed since the last step."""
        for task in list(self._open.values()):
            closed = self._confirmed.get((task["number"], task["sku"]))
            if closed is not None:
                self._end(task, closed)
        return list(self.tasks.values())


def _opened(step: Mapping[str, Any]) -> Row:
    names = ("seller", "number", "sku", "location", "version", "at_ms", "actor", "units")
    refused = step["refused"]
    order = {"channel": refused.channel, "external_id": refused.external_id, "reason": refused.reason}
    return {**{name: step[name] for name in names}, **order, "rejects": 1, **NOT_CLOSED}


def by_day(rows: Iterable[Row]) -> list[Row]:
    """Rows of `location_day` added up, one for each day and location."""
    sums: dict[tuple[int, str], Row] = {}
    for row in rows:
        known = sums.setdefault((row["day"], row["location"]), {**row, "taken": 0, "rejected": 0})
        for name in ("taken", "rejected"):
            known[name] += row[name]
    return list(sums.values())
