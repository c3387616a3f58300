"""
One import from its file to its tally: reads chunks, keeps a few in flight, and settles them in the file's order.

Because chunks are settled in order, what is written down is complete up to one line; whatever ends the import, the
line from which nothing is known is named, and the same command goes on from there without a second effect.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from .progress import RowProgress
from .rejects import Rejects
from .rows import Good, Refused, RowReader
from .sending import FITS, REFUSED, Outcome, Sender
from .tables import Row, Table

SHOWN_ROWS: Final = 1_000

PUT_BYTES: Final = 16
"""What stands around a row's fields in a body."""


class Tally(msgspec.Struct):
    """What became of the rows so far; `settled_line` is the last line of which that is known."""

    rows: int = 0
    created: int = 0
    replaced: int = 0
    unchanged: int = 0
    received: int = 0
    already: int = 0
    fits: int = 0
    refused: int = 0
    settled_line: int = 1

    def count(self, word: str) -> None:
        """One more row with this outcome."""
        self.rows += 1
        setattr(self, word, getattr(self, word) + 1)

    @property
    def imported_before(self) -> bool:
        """Whether everything that could be imported was there already."""
        return bool(self.already or self.unchanged) and not (self.created or self.replaced or self.received)


class Chunk(NamedTuple):
    """Rows that are sent together, and those between them that were refused here; `number` from 1."""

    number: int
    good: list[Good]
    refused: list[Refused]


class Import:
    """Everything one import works with. `sender` None: rows are read and checked here, and nothing is sent."""

    def __init__(
        self, table: Table, reader: RowReader, sender: Sender | None, rejects: Rejects, progress: RowProgress
    ) -> None:
        self.tally = Tally()
        self._table = table
        self._reader = reader
        self._sender = sender
        self._rejects = rejects
        self._progress = progress

    async def check(self) -> Tally:
        """Read and check every row; send nothing. Raises FileRefused."""
        for line, cells in self._table:
            row = self._reader.read(line, cells)
            self._settle_row(row, Outcome(FITS))
            if self.tally.rows % SHOWN_ROWS == 0:
                self._show()
                # Somebody may want to interrupt it.
                await asyncio.sleep(0)
        return self.tally

    async def run(self, in_flight: int) -> Tally:
        """Send every chunk, at most so many at once. Raises FileRefused, Stopped; `tally` then says how far it was."""
        assert self._sender is not None
        pending: deque[tuple[Chunk, asyncio.Task[list[Outcome]]]] = deque()
        try:
            for chunk in cut(map(self._read, self._table), self._sender.rows_max, self._sender.bytes_max):
                pending.append((chunk, asyncio.create_task(self._send(chunk))))
                if len(pending) >= in_flight:
                    await self._settle(*pending.popleft())
            while pending:
                await self._settle(*pending.popleft())
        finally:
            tasks = [task for _, task in pending]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return self.tally

    def _read(self, row: Row) -> Good | Refused:
        return self._reader.read(*row)

    async def _send(self, chunk: Chunk) -> list[Outcome]:
        assert self._sender is not None
        return await self._sender.send(chunk.number, chunk.good) if chunk.good else []

    async def _settle(self, chunk: Chunk, task: asyncio.Task[list[Outcome]]) -> None:
        outcomes = await task
        rows: list[tuple[Good | Refused, Outcome]] = [*zip(chunk.good, outcomes, strict=True)]
        rows += [(row, Outcome(REFUSED)) for row in chunk.refused]
        for row, outcome in sorted(rows, key=lambda pair: pair[0].line):
            self._settle_row(row, outcome)
        self._show()

    def _settle_row(self, row: Good | Refused, outcome: Outcome) -> None:
        if isinstance(row, Good) and outcome.word == REFUSED:
            row = Refused(row.line, row.cells, self._reader.title_of(outcome.field), outcome.reason)
        if isinstance(row, Refused):
            self._rejects.add(row)
        self.tally.count(REFUSED if isinstance(row, Refused) else outcome.word)
        self.tally.settled_line = row.line

    def _show(self) -> None:
        self._progress.show(self.tally.rows, self._table.done, self._table.total)


def cut(rows: Iterable[Good | Refused], rows_max: int, bytes_max: int) -> Iterator[Chunk]:
    """Chunks that depend on the file alone: at most so many rows of each sort, and so many bytes of JSON to send."""
    chunk, size = Chunk(1, [], []), 0
    for row in rows:
        bytes_more = len(msgspec.json.encode(row.item)) + PUT_BYTES if isinstance(row, Good) else 0
        full = len(chunk.good) >= rows_max or len(chunk.refused) >= rows_max or size + bytes_more > bytes_max
        if full and (chunk.good or chunk.refused):
            yield chunk
            chunk, size = Chunk(chunk.number + 1, [], []), 0
        size += bytes_more
        if isinstance(row, Good):
            chunk.good.append(row)
        else:
            chunk.refused.append(row)
    if chunk.good or chunk.refused:
        yield chunk
