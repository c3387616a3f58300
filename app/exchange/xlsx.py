"""
What XLSX needs beyond its library: characters XML cannot carry, and the same bytes for the same content.

Text is written cell by cell and not into a table of shared texts, so that memory stays bounded.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.writer.excel import ExcelWriter

from .cells import Cell

NEVER: Final = datetime(2000, 1, 1)  # noqa: DTZ001 the format knows no zones
"""The time of writing that every file claims: it must not make two exports of the same content differ."""

_RISKY: Final = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_ESCAPED: Final = re.compile("_x([0-9A-Fa-f]{4})_")


def escape(text: str) -> str:
    """The text in the format's own way of carrying what XML cannot: `_x000D_` for a carriage return."""
    return _RISKY.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


def unescape(text: str) -> str:
    """The text that `escape` was given."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def write_sheet(path: Path, title: str, rows: Iterable[Sequence[Cell]]) -> None:
    """Write one sheet; the same rows give the same bytes. Raises OSError."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])
    book.properties.created = book.properties.modified = NEVER
    ExcelWriter(book, _TimelessZip(path, "w", ZIP_DEFLATED, allowZip64=True)).save()


def _cell(sheet: Any, value: Cell) -> Any:
    if not isinstance(value, str):
        return value
    cell = WriteOnlyCell(sheet, escape(value))
    # Otherwise a text that begins with = would be written as a formula.
    cell.data_type = "s"
    return cell


class _TimelessZip(ZipFile):
    """A ZIP whose entries do not say when they were written."""

    def open(
        self, name: str | ZipInfo, mode: Any = "r", pwd: bytes | None = None, *, force_zip64: bool = False
    ) -> IO[bytes]:
        if mode == "w" and isinstance(name, ZipInfo):
            name.date_time = (*NEVER.timetuple()[:6],)
        return super().open(name, mode, pwd, force_zip64=force_zip64)
