"""
The file of rows that were refused: why, and the original cells, to be corrected and imported again.

Its own columns are passed over by an import, so nothing has to be removed but the mistake.
"""

import csv
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any, Final, Self

from .cells import EMPTY_TEXT, Cell, CellRefused, plain, protect
from .headers import NOTES
from .rows import Refused

ENCODING: Final = "utf-8-sig"
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?")


class Rejects(AbstractContextManager["Rejects"]):
    """The file is made with its first row: no refused rows, no file. `path` None keeps nothing."""

    def __init__(self, path: Path | None, header: Sequence[str]) -> None:
        self._path = path
        # Rows that were refused before bring the old reasons along.
        self._kept = [position for position, title in enumerate(header) if title.strip() not in NOTES]
        self._width = len(header)
        self._header = [protect(header[position].strip()) for position in self._kept]
        self._file: IO[str] | None = None
        self._writer: Any = None
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def add(self, row: Refused) -> None:
        """Keep a refused row. Raises OSError."""
        self.count += 1
        if self._path is None:
            return
        if self._writer is None:
            self._file = self._path.open("w", encoding=ENCODING, newline="")
            self._writer = csv.writer(self._file)
            self._writer.writerow([*NOTES, *self._header])
        cells = [row.cells[position] if position < len(row.cells) else None for position in self._kept]
        cells += row.cells[self._width :]
        self._writer.writerow([row.line, row.column, row.reason, *map(_cell, cells)])


def _cell(cell: Cell) -> str:
    """The cell with its meaning; numbers stay as they are, and a date as the spreadsheet has it."""
    if cell == EMPTY_TEXT:
        return EMPTY_TEXT
    try:
        text = plain(cell)
    except CellRefused:
        return str(cell)
    return text if _NUMBER.fullmatch(text) else protect(text)
