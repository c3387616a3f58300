"""Whether SQL says of rejects what entries say: what is to be counted, what locations gave and refused day by day."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from allocator.records import Entry
from allocator.recounts import given_by
from app.draining.recounts import DAY_MS, Recounts, Task, by_day
from app.store import inspecting
from app.store import recounts as store
from app.store.database import Session

from .derived import Projection, decode_entry
from .findings import Findings, Rows

Row = Mapping[str, Any]


class RejectCheck:
    """One seller's check; it follows all entries, in order."""

    def __init__(self, session: Session, findings: Findings) -> None:
        self.session = session
        self.findings = findings
        self._steps: list[Row] = []
        self._days: list[dict[str, Any]] = []
        self._rejected: set[tuple[str, str]] = set()

    def add(self, group: Projection) -> None:
        """These entries are the next ones."""
        self._rejected |= {(step["sku"], step["location"]) for step in group.recount_steps if step["refused"]}
        # Of counts only those matter that come after a reject of the place.
        self._steps += [step for step in group.recount_steps if (step["sku"], step["location"]) in self._rejected]
        self._days = by_day([*self._days, *group.location_days])

    async def judge(self) -> None:
        """Compare what entries add up to with what is there; all entries must be whole."""
        found = await store.all_recounts(self.session, self.findings.seller)
        followed = Recounts(confirmed=confirmed_of(found))
        followed.follow(self._steps)
        for place in _differing(found, followed.finish(), ("sku", "location")):
            says = ("other tasks", "those of its entries")
            self.findings.add("recount_rows_differ", " at ".join(place), *says, Rows("recount", place))
        days = await store.all_days(self.session, self.findings.seller)
        for day, location in _differing(days, self._days, ("day", "location")):
            says = ("other units", "those of its entries")
            self.findings.add("location_day_differs", f"{location} on day {day}", *says, Rows("day", (day, location)))


def confirmed_of(tasks: Iterable[Row]) -> dict[Task, dict[str, Any]]:
    """Those tasks that a count without an entry has closed: only they themselves say so."""
    return {(task["number"], task["sku"]): dict(task) for task in tasks if task["confirmed"]}


def _differing(found: Sequence[Row], expected: Sequence[Row], key: tuple[str, str]) -> list[tuple[Any, Any]]:
    """The keys of which other rows are there."""
    sides = [_by(key, rows) for rows in (found, expected)]
    return sorted(one for one in {*sides[0], *sides[1]} if sides[0].get(one) != sides[1].get(one))


def _by(key: tuple[str, str], rows: Iterable[Row]) -> dict[tuple[Any, Any], list[Row]]:
    kept: dict[tuple[Any, Any], list[Row]] = {}
    for row in rows:
        kept.setdefault((row[key[0]], row[key[1]]), []).append(dict(row))
    return kept


# --- putting right -------------------------------------------------------------------------------------------------


async def mend_recounts(session: Session, seller: str, place: tuple[str, str]) -> bool:
    """Let the tasks of a sku at a location be what its entries add up to; not when one cannot be read."""
    numbers = await inspecting.shelf_entries(session, seller, *place)
    rows = await inspecting.entries_with(session, seller, numbers)
    entries = [(row.number, decode_entry(row)) for row in rows]
    if any(entry is None for _, entry in entries):
        return False
    group = Projection(seller)
    for number, entry in entries:
        if entry is not None:
            group.add(number, "", entry)
    followed = Recounts(confirmed=confirmed_of(await store.all_recounts(session, seller, place[0])))
    followed.follow(step for step in group.recount_steps if (step["sku"], step["location"]) == place)
    await store.replace_recounts(session, seller, place, followed.finish())
    return True


async def mend_day(session: Session, seller: str, day: int, location: str) -> bool:
    """Let a location's day be what its entries add up to; not when one cannot be read."""
    rows: list[dict[str, Any]] = []
    for row in await inspecting.entries_between(session, seller, day * DAY_MS, (day + 1) * DAY_MS):
        entry = decode_entry(row)
        if entry is None:
            return False
        rows += _given(entry, {"seller": seller, "day": day}, location)
    await store.replace_day(session, seller, day, location, by_day(rows))
    return True


def _given(entry: Entry, key: dict[str, Any], location: str) -> list[dict[str, Any]]:
    return [{**key, **given._asdict()} for given in given_by(entry) if given.location == location]
