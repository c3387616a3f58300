"""
Plays the invoices: in the file's order, many in flight, with receipts week by week and shipments day by day.

Nothing waits for anything, apart from the opening stock: an order that overtakes a receipt finds less, as it would in a
shop. A day's accepted orders are shipped when the next day begins; what waits for stock is asked for again a week
later.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from allocator.model import MOVES_MAX

from .calls import Answer, Caller
from .mishaps import Mishaps
from .order_file import FileLine, Invoice
from .plan import Plan, Receipt
from .split import Split
from .tally import REFUSALS, Tally

Job = Callable[[], Awaitable[None]]
Row = TypeVar("Row")

OK, CREATED = 200, 201


class OpenOrder(NamedTuple):
    """An accepted order that has not left altogether."""

    channel: str
    id: str


async def run_jobs(jobs: Iterator[Job], in_flight: int) -> None:
    """Do the jobs in their order, `in_flight` at a time; each is only made when there is room for it."""

    async def work() -> None:
        for job in jobs:
            await job()

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(work())


class Player:
    """One replay against one service; `mishaps` befall its orders and shelves, where they are wanted."""

    def __init__(  # noqa: PLR0917 what a replay is made of
        self,
        caller: Caller,
        split: Split,
        plan: Plan,
        tally: Tally,
        advance: Callable[[], None],
        mishaps: Mishaps | None = None,
    ) -> None:
        self._caller = caller
        self._split = split
        self._plan = plan
        self._tally = tally
        self._advance = advance
        self._mishaps = mishaps
        self._to_ship: list[OpenOrder] = []
        self._waiting: list[OpenOrder] = []

    async def open(self, in_flight: int) -> None:
        """Receive the opening stock."""
        await run_jobs(self._receipts(0), in_flight)

    async def play(self, invoices: Iterable[Invoice], in_flight: int) -> None:
        """Send everything, and ship what the last day left."""
        await run_jobs(self._jobs(invoices), in_flight)
        await run_jobs(self._shipments("end"), in_flight)

    def _jobs(self, invoices: Iterable[Invoice]) -> Iterator[Job]:
        day, week = self._plan.first_day, 0
        for invoice in invoices:
            if invoice.placed_at.date() != day:
                day = invoice.placed_at.date()
                yield from self._shipments(day.isoformat())
            while week < self._plan.week_of(invoice.placed_at):
                week += 1
                yield from self._receipts(week)
                if self._mishaps:
                    yield from self._mishaps.counts(week)
                self._ask_waiting_again()
            yield partial(self._invoice, invoice)

    def _receipts(self, week: int) -> Iterator[Job]:
        for number, chunk in enumerate(chunks(self._plan.weeks[week])):
            yield partial(self._receive, chunk, f"replay:{self._split.seed}:week-{week}:{number}")

    def _shipments(self, day: str) -> Iterator[Job]:
        orders, self._to_ship = self._to_ship, []
        for order in orders:
            yield partial(self._ship, order, day)

    def _ask_waiting_again(self) -> None:
        """What waited before this week's receipts is shipped with the next day's orders, once more and not for ever."""
        self._to_ship += self._waiting
        self._waiting = []

    # --- one request each --------------------------------------------------------------------------------------

    async def _invoice(self, invoice: Invoice) -> None:
        if invoice.ordered:
            await self._order(invoice)
        for number, chunk in enumerate(chunks(list(enumerate(invoice.returned)))):
            await self._return(invoice.id, chunk, number)
        self._advance()

    async def _order(self, invoice: Invoice) -> None:
        share = self._split.share(invoice.id)
        asked: dict[str, Any] = {"lines": [{"sku": line.sku, "units": line.units} for line in invoice.ordered]}
        if share.kind == "gone":
            asked["at"] = self._split.store(invoice.id)
        if share.kind == "promise":
            asked["partial"] = self._split.takes_part(invoice.id)
        place = partial(self._caller.place, share.channel, invoice.id, asked)
        said = await (self._twice(invoice.id, place) if self._split.is_resent(invoice.id) else place())
        await self._book(OpenOrder(share.channel, invoice.id), said, invoice.ordered)

    async def _twice(self, invoice: str, place: Callable[[], Awaitable[Answer]]) -> Answer:
        """Send an order a second time, after the first answer or without waiting for it."""
        at_once = self._split.is_resent_at_once(invoice)
        answers = await asyncio.gather(place(), place()) if at_once else (await place(), await place())
        first, second = sorted(answers, key=lambda answer: answer.replayed)
        self._tally.resent += 1
        self._tally.resent_same += second.replayed and first.same_as(second)
        return first

    async def _book(self, order: OpenOrder, said: Answer, lines: Sequence[FileLine]) -> None:
        if said.status in {OK, CREATED}:
            self._tally.accepted(order.channel, order.id, said.body["lines"])
            now = said.body["lines"]
            if self._mishaps:
                now = await self._mishaps.befall(order.channel, order.id, now)
            self._keep_open(order, now)
        elif said.type in REFUSALS:
            self._tally.refused(order.channel, REFUSALS[said.type], lines)
        else:
            self._fail(f"order {order.channel} {order.id}", said)

    def _keep_open(self, order: OpenOrder, lines: list[dict[str, Any]]) -> None:
        if self._split.is_slow(order.id):
            return
        if any(line["committed"] for line in lines):
            self._to_ship.append(order)
        elif any(line["backordered"] for line in lines):
            self._waiting.append(order)

    async def _ship(self, order: OpenOrder, day: str) -> None:
        said = await self._caller.ship(order.channel, order.id, f"replay:{day}")
        if said.status == OK:
            self._tally.moved(order.id, said.body["lines"])
            if any(line["backordered"] for line in said.body["lines"]):
                self._waiting.append(order)
        elif said.type != "/problems/not-committed":
            self._fail(f"shipment of {order.channel} {order.id}", said)

    async def _receive(self, receipts: Sequence[Receipt], op: str) -> None:
        said = await self._caller.receive([receipt._asdict() for receipt in receipts], op)
        if said.status != OK:
            self._fail(f"receipt {op}", said)
            return
        for receipt in receipts:
            self._tally.received[receipt.sku] += receipt.units

    async def _return(self, invoice: str, lines: Sequence[tuple[int, FileLine]], number: int) -> None:
        location = self._split.return_location(invoice)
        rows = [
            {
                "sku": line.sku,
                "location": location,
                "units": line.units,
                "disposition": self._split.disposition(invoice, position),
            }
            for position, line in lines
        ]
        said = await self._caller.take_back(rows, f"replay:{invoice}:{number}")
        if said.status != OK:
            self._fail(f"return {invoice}", said)
            return
        self._tally.returns += number == 0
        for row in rows:
            self._count_return(row)

    def _count_return(self, row: dict[str, Any]) -> None:
        if row["disposition"] == "scrap":
            self._tally.scrapped += row["units"]
        else:
            self._tally.kept[row["sku"]] += row["units"]

    def _fail(self, what: str, said: Answer) -> None:
        self._tally.failed(f"{what}: {said.status} {said.body.get('detail', '')}")


def chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """The rows in parts that fit into one stock movement."""
    for start in range(0, len(rows), MOVES_MAX):
        yield rows[start : start + MOVES_MAX]
