"""
What else happens in a shop, for `allot replay --mishaps`: all of it drawn by the seed, as everything else is.

A store's tills are offline for an hour, and its sales come an hour late. Orders are edited, cancelled after their pick
has started, or refused by the location that should have shipped them. Every week some shelves are counted, each count
naming the version that it has seen, and found to have a unit more or fewer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from .calls import Answer, Caller
from .order_file import Invoice
from .plan import Plan
from .split import PARTS, Split
from .tally import Tally

Lines = list[dict[str, Any]]
Job = Callable[[], Awaitable[None]]

EDITED_SHARE: Final = 200
CANCELLED_SHARE: Final = 200
REJECTED_SHARE: Final = 100
"""Of all accepted orders that do not leave over a counter."""

OFFLINE_SHARE: Final = 1_000
"""Of a store's days: the tills are offline for one hour of them."""

OPENS, HOURS = 9, 9
"""The hours in which tills may go offline."""

COUNTED_SHARE: Final = 300
"""Of a week's deliveries: their shelf is counted."""

FEWER_SHARE, MORE_SHARE = 2_000, 1_000
"""Of the shelves that are counted."""

COUNT_LINES: Final = 50
REASONS: Final = ("damaged", "too_busy")

OVERTAKEN: Final = frozenset({"not-committed", "pick-started"})
"""Refusals of a request whose units have gone another way meanwhile: a till sold them, and the order lost them."""

NOT_THERE: Final = frozenset({"short", "unroutable"})

ENDED: Final = frozenset({"applied", "discarded"})
END_SECONDS_MAX: Final = 900.0
"""Nothing is decided of a count before SQL has all that happened; on a busy machine it has to catch up first."""

LOOK_SECONDS: Final = 0.5

OK: Final = 200


def shares() -> dict[str, str]:
    """How often what happens, in words."""
    return {
        "edited": f"{EDITED_SHARE / PARTS:.0%} of the accepted orders, one unit more or half of a line",
        "cancelled": f"{CANCELLED_SHARE / PARTS:.0%}, one line after its pick has started, put away afterwards",
        "rejected": f"{REJECTED_SHARE / PARTS:.0%} by a location, {' or '.join(REASONS)}",
        "tills offline": f"one hour of {OFFLINE_SHARE / PARTS:.0%} of the days of each store; sales come an hour late",
        "counted": (
            f"every week {COUNTED_SHARE / PARTS:.0%} of the shelves that were delivered to; a unit is missing on "
            f"{FEWER_SHARE / PARTS:.0%} of them, one too many on {MORE_SHARE / PARTS:.0%}"
        ),
    }


def late(invoices: Iterable[Invoice], split: Split, tally: Tally) -> list[Invoice]:
    """The invoices in the order in which they come: those of tills that were offline an hour later."""
    coming = [(_arrival(invoice, split), invoice) for invoice in invoices]
    tally.mishaps["sales an hour late"] += sum(at != invoice.placed_at for at, invoice in coming)
    coming.sort(key=lambda pair: pair[0])
    return [invoice._replace(placed_at=at) for at, invoice in coming]


def _arrival(invoice: Invoice, split: Split) -> datetime:
    at = invoice.placed_at
    if split.share(invoice.id).kind != "gone":
        return at
    day = f"{split.store(invoice.id)} {at.date()}"
    offline = split.happens("offline", day, OFFLINE_SHARE) and at.hour == OPENS + split.place("hour", day, HOURS)
    return at + timedelta(hours=1) if offline else at


class Mishaps:
    """What happens to orders and shelves of one replay."""

    def __init__(self, caller: Caller, split: Split, plan: Plan, tally: Tally) -> None:
        self._caller = caller
        self._split = split
        self._plan = plan
        self._tally = tally
        self._counts: list[str] = []

    # --- orders ------------------------------------------------------------------------------------------------

    async def befall(self, channel: str, order: str, lines: Lines) -> Lines:
        """Whatever happens to an order that was just accepted; its lines afterwards."""
        if not any(line["committed"] for line in lines):
            return lines
        for share, happen in (
            (EDITED_SHARE, self._edit),
            (CANCELLED_SHARE, self._cancel),
            (REJECTED_SHARE, self._reject),
        ):
            if self._split.happens(happen.__name__, order, share):
                lines = await happen(channel, order, lines)
        return lines

    async def _edit(self, channel: str, order: str, lines: Lines) -> Lines:
        line = lines[0]
        more = self._split.happens("more", order, PARTS // 2)
        units = line["ordered"] - line["cancelled"] + 1 if more else line["ordered"] // 2
        edited = {"lines": [{"line": line["line"], "sku": line["sku"], "units": units}]}
        return await self._change("edit", channel, order, edited, lines)

    async def _cancel(self, channel: str, order: str, lines: Lines) -> Lines:
        """Everything is being picked when one line is not wanted any more; what lay in totes is put away."""
        picked = await self._change("pick", channel, order, {}, lines)
        line = next((line for line in picked if any(take["picking"] for take in line["takes"])), None)
        if line is None:
            return picked
        asked = {"lines": [{"line": line["line"]}], "picked": True}
        after = await self._change("cancel", channel, order, asked, picked)
        if after is not picked:
            await self._put_away(order, line)
        return after

    async def _put_away(self, order: str, line: dict[str, Any]) -> None:
        rows = [
            {"sku": line["sku"], "location": take["location"], "units": take["units"]}
            for take in line["takes"]
            if take["picking"]
        ]
        asked = {"lines": rows, "reason": "put_away", "direction": "out"}
        self._heard("put away", order, await self._caller.unavailable(asked, f"replay:{order}:put-away"))

    async def _reject(self, channel: str, order: str, lines: Lines) -> Lines:
        places = [take["location"] for line in lines for take in line["takes"] if not take["picking"]]
        if not places:
            return lines
        reason = REASONS[self._split.place("reason", order, len(REASONS))]
        return await self._change("reject", channel, order, {"location": places[0], "reason": reason}, lines)

    async def _change(self, verb: str, channel: str, order: str, asked: dict[str, Any], lines: Lines) -> Lines:
        """The order's lines after a verb; those it had, when it was refused."""
        said = await self._caller.change(channel, order, verb, asked, f"replay:{verb}")
        if not self._heard(verb, order, said):
            return lines
        self._tally.moved(order, said.body["lines"])
        changed: Lines = said.body["lines"]
        return changed

    def _heard(self, what: str, order: str, said: Answer) -> bool:
        """Count what became of it; whether it was done."""
        slug = said.type.rpartition("/")[2]
        if said.status == OK:
            self._tally.mishaps[what] += 1
        elif slug in OVERTAKEN | NOT_THERE:
            self._tally.mishaps[f"{what} refused: {slug}"] += 1
        else:
            self._tally.failed(f"{what} of {order}: {said.status} {said.body.get('detail', '')}")
        return said.status == OK

    # --- counts ------------------------------------------------------------------------------------------------

    def counts(self, week: int) -> Iterator[Job]:
        """The shelves that are counted when this week begins."""
        places = [
            (receipt.sku, receipt.location)
            for receipt in self._plan.weeks[week - 1]
            if self._split.happens("count", f"{week} {receipt.sku} {receipt.location}", COUNTED_SHARE)
        ]
        for start in range(0, len(places), COUNT_LINES):
            yield partial(self._count, week, start, places[start : start + COUNT_LINES])

    async def _count(self, week: int, start: int, places: list[tuple[str, str]]) -> None:
        looked = [await self._look(week, sku, location) for sku, location in places]
        lines = [line for line in looked if line]
        if not lines:
            return
        op = f"replay:{self._split.seed}:count-{week}-{start}"
        said = await self._caller.count({"source": "stocktake", "lines": lines}, op)
        if said.status == OK:
            self._counts.append(op)
            self._tally.mishaps["shelves counted"] += len(lines)
        else:
            self._tally.failed(f"{op}: {said.status} {said.body.get('detail', '')}")

    async def _look(self, week: int, sku: str, location: str) -> dict[str, Any] | None:
        """One line of a count: what lies there, a unit more or fewer now and then, and the version it was seen at."""
        said = await self._caller.stock(sku)
        if said.status != OK:
            self._tally.failed(f"stock of {sku}: {said.status} {said.body.get('detail', '')}")
            return None
        there = sum(place["on_hand"] for place in said.body["places"] if place["location"] == location)
        units = there + self._difference(f"{week} {sku} {location}")
        seen = {"seen_up_to": said.body["version"]}
        return {"sku": sku, "location": location, "counted": units, **seen} if units >= 0 else None

    def _difference(self, shelf: str) -> int:
        place = self._split.place("found", shelf, PARTS)
        if place < FEWER_SHARE:
            return -1
        return 1 if place < FEWER_SHARE + MORE_SHARE else 0

    async def finish(self) -> None:
        """Wait until every count has come to its end, and keep what it found."""
        for count in self._counts:
            await self._ended(count)
            for line in await self._caller.count_lines(count):
                self._tally.mishaps[f"counted: {line['state']}"] += 1
                self._tally.counted[line["sku"]] += line["difference"] if line["state"] == "applied" else 0

    async def _ended(self, count: str) -> None:
        for _ in range(int(END_SECONDS_MAX / LOOK_SECONDS)):
            if (await self._caller.find_count(count)).body.get("state") in ENDED:
                return
            await asyncio.sleep(LOOK_SECONDS)
        self._tally.failed(f"count {count} had not ended after {END_SECONDS_MAX:g} s")
