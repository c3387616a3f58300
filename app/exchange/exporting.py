"""
One export: reads a list page by page and writes it as a table that an import reads back.

Keys of dictionaries become columns, and which there are is known at the end only, so rows wait in a file.
"""

import csv
import gzip
import io
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from .calls import Service
from .cells import Cell, protect
from .kinds import COUNTERS, RECOUNTS, STOCK, Kind
from .progress import RowProgress
from .recounts import recount_item
from .xlsx import write_sheet

ENCODING: Final = "utf-8-sig"
"""With a mark in front, so that spreadsheets do not take UTF-8 for something else."""

XLSX_ROWS_MAX: Final = 1_048_575


class ExportRefused(Exception):
    """The table cannot be written; the message says why."""


class Export:
    """Everything one export works with; `rows` is how many it has."""

    def __init__(self, service: Service, kind: Kind, filters: Mapping[str, str], progress: RowProgress) -> None:
        self.rows = 0
        self._service = service
        self._kind = kind
        self._filters = filters
        self._progress = progress
        self._keys: dict[str, set[str]] = {column.field: set() for column in kind.columns if column.keyed}

    async def run(self, path: Path, delimiter: str = ",") -> None:
        """Write the file; `.xlsx` and `.csv.gz` by their names, else CSV. Raises Stopped, ExportRefused, OSError."""
        with tempfile.TemporaryFile() as waiting:
            async for item in self._items():
                waiting.write(msgspec.json.encode(item) + b"\n")
                self.rows += 1
                self._note_keys(item)
                self._progress.show(self.rows, 0, 0)
            waiting.seek(0)
            self._write(path, delimiter, waiting)

    async def _items(self) -> AsyncIterator[dict[str, Any]]:
        async for row in self._service.list(f"/v1/{self._kind.name}", self._filters):
            if self._kind.name == RECOUNTS:
                yield recount_item(row)
                continue
            if self._kind.name != STOCK:
                yield row["item"]
                continue
            for place in row["places"]:
                if any(place[counter] for counter in ("on_hand", *COUNTERS)):
                    yield {**place, "sku": row["sku"], "units": place["on_hand"]}

    def _note_keys(self, item: Mapping[str, Any]) -> None:
        for field, keys in self._keys.items():
            keys.update(item.get(field, ()))

    def _write(self, path: Path, delimiter: str, waiting: IO[bytes]) -> None:
        if path.suffix != ".xlsx":
            write_csv(path, self._table(waiting), delimiter)
            return
        if self.rows > XLSX_ROWS_MAX:
            raise ExportRefused(
                f"a sheet holds {XLSX_ROWS_MAX:,} rows, there are {self.rows:,}: export to .csv or .csv.gz"
            )
        write_sheet(path, self._kind.name, self._table(waiting))

    def _table(self, waiting: IO[bytes]) -> Iterator[Sequence[Cell]]:
        columns = [
            (column, key)
            for column in self._kind.columns
            if column.written
            for key in (sorted(self._keys[column.field]) if column.keyed else ("",))
        ]
        titles = [f"{column.name}.{key}" if column.keyed else column.name for column, key in columns]
        yield [*map(protect, titles), *self._kind.read_only]
        for line in waiting:
            item = msgspec.json.decode(line)
            cells = [column.cell(_value(item, column.field, key, keyed=column.keyed)) for column, key in columns]
            yield [*cells, *(item[name] for name in self._kind.read_only)]


def _value(item: Mapping[str, Any], field: str, key: str, *, keyed: bool) -> Any:
    return item.get(field, {}).get(key) if keyed else item.get(field)


def write_csv(path: Path, rows: Iterator[Sequence[Cell]], delimiter: str) -> None:
    """Write the rows; a packed file has no time of its own, so the same rows give the same bytes. Raises OSError."""
    with ExitStack() as stack:
        file: Any = stack.enter_context(path.open("wb"))
        if path.suffix == ".gz":
            file = stack.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0))
        text = stack.enter_context(io.TextIOWrapper(file, ENCODING, newline=""))
        csv.writer(text, delimiter=delimiter).writerows(rows)
