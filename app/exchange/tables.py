"""
Reads a table row by row: CSV (plain or gzip) or the sheet of an XLSX, in bounded memory.

A first pass over the bytes makes the file's digest, by which an import is known again, and decides how it is encoded.
"""

import codecs
import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, Self

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from .cells import Cell
from .xlsx import unescape

DELIMITERS: Final = (",", ";", "\t", "|")
GZIP_MAGIC: Final = b"\x1f\x8b"
ZIP_MAGIC: Final = b"PK\x03\x04"
BLOCK: Final = 1 << 20
HEADER_CHARACTERS_MAX: Final = 65_536

UNREADABLE: Final = (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged file raises."""

Row = tuple[int, Sequence[Cell]]
"""Line number (of the file, from 1; of a row over several lines the first) and cells."""


class FileRefused(Exception):
    """The file cannot be read as a table; the message says what is wrong with it and, if it can, where."""


class Options(NamedTuple):
    """What the caller says about the file: `delimiter` '' is found out, `sheet` '' is the first."""

    delimiter: str = ""
    sheet: str = ""


class Probe(NamedTuple):
    """What the first pass found."""

    digest: str
    encoding: str


class Table(AbstractContextManager["Table"]):
    """
    An open file: its header, its rows, and how far it has been read.

    `notes` are for people: what was assumed about the file. `padded`: rows are cut off behind their last cell that is
    not empty. Raises FileRefused, also while rows are read.
    """

    def __init__(self, path: Path, options: Options, guess: Callable[[Sequence[str]], int]) -> None:
        """Open the file; of the delimiters that wins by which `guess`, given the header's cells, counts the most."""
        self.path = path
        self.notes: list[str] = []
        self.padded = False
        self.total = 0
        self._position: Callable[[], int] = lambda: 0
        self._stack = ExitStack()
        try:
            self.digest, rows = self._open(options, guess)
            self._rows = _guarded(path, rows)
            self.header = self._header()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def done(self) -> int:
        """How many bytes of `total` were read, as they lie in the file."""
        return min(self.total, self._position())

    def __iter__(self) -> Iterator[Row]:
        """Every row that is not empty."""
        for line, cells in self._rows:
            if any(cell is not None and cell != "" for cell in cells):
                yield line, cells

    def _open(self, options: Options, guess: Callable[[Sequence[str]], int]) -> tuple[str, Iterator[Row]]:
        try:
            raw = self._stack.enter_context(self.path.open("rb"))
            magic = raw.read(4)
            raw.seek(0)
            if magic == ZIP_MAGIC:
                return _digest(raw), self._open_sheet(raw, options.sheet)
            return self._open_csv(raw, magic[:2] == GZIP_MAGIC, options.delimiter, guess)
        except (*UNREADABLE, FileRefused) as error:
            raise FileRefused(f"{self.path} cannot be read: {error}") from error

    def _open_csv(
        self, raw: IO[bytes], packed: bool, delimiter: str, guess: Callable[[Sequence[str]], int]
    ) -> tuple[str, Iterator[Row]]:
        probe = _probe(raw, packed)
        if probe.encoding == "cp1252":
            self.notes.append("the file is not UTF-8: it was read as Windows-1252")
        self.total = self.path.stat().st_size
        self._position = raw.tell
        text = self._stack.enter_context(io.TextIOWrapper(_unpacked(raw, packed), probe.encoding, newline=""))
        first = next(text, "")
        found = delimiter or max(DELIMITERS, key=lambda sign: _count(first, sign, guess))
        return probe.digest, _csv_rows(chain([first], text), found)

    def _open_sheet(self, raw: IO[bytes], name: str) -> Iterator[Row]:
        try:
            book = load_workbook(raw, read_only=True, data_only=False, keep_links=False)
        except (InvalidFileException, KeyError, SyntaxError) as error:
            raise FileRefused(f"this is no XLSX: {error}") from error
        self._stack.callback(book.close)
        sheets = {sheet.title: sheet for sheet in book.worksheets}
        name = name or next(iter(sheets), "")
        if name not in sheets:
            raise FileRefused(f"there is no sheet {name!r}; there are {', '.join(sheets)}")
        sheet: Any = sheets[name]
        self.notes += [f"sheet {name!r} of {len(sheets)}"] if len(sheets) > 1 else []
        # Where the sheet lies in the archive is known by its path alone, which has no public name.
        lies = zipfile.ZipFile(raw).getinfo(sheet._worksheet_path)  # noqa: SLF001
        self.total, self._position = lies.compress_size, lambda: max(0, raw.tell() - lies.header_offset)
        self.padded = True
        # The size a file claims is often wrong, and rows beyond it would be left out.
        sheet.reset_dimensions()
        return _sheet_rows(sheet)

    def _header(self) -> list[str]:
        for _, cells in self:
            return ["" if cell is None else str(cell) for cell in cells]
        raise FileRefused(f"{self.path}: the file is empty; its first line must name the columns")


# --- the first pass --------------------------------------------------------------------------------------------


def _blocks(file: Any) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block


def _digest(raw: IO[bytes]) -> str:
    digest = blake2b(digest_size=16)
    for block in _blocks(raw):
        digest.update(block)
    raw.seek(0)
    return digest.hexdigest()


def _probe(raw: IO[bytes], packed: bool) -> Probe:
    return Probe(_digest(raw), _encoding(raw, packed))


def _encoding(raw: IO[bytes], packed: bool) -> str:
    """UTF-16 when it says so, UTF-8 when every byte is, else Windows-1252, which many spreadsheets still write."""
    first = next(_blocks(_unpacked(raw, packed)), b"")
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        found = "utf-16"
    else:
        found = next((name for name in ("utf-8-sig", "cp1252") if _decodes(raw, packed, name)), "")
    raw.seek(0)
    if not found:
        raise FileRefused("it is neither UTF-8 nor Windows-1252")
    return found


def _decodes(raw: IO[bytes], packed: bool, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in _blocks(_unpacked(raw, packed)):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _unpacked(raw: IO[bytes], packed: bool) -> Any:
    """The file from its beginning."""
    raw.seek(0)
    return gzip.GzipFile(fileobj=raw) if packed else raw


# --- rows ------------------------------------------------------------------------------------------------------


def _count(line: str, delimiter: str, guess: Callable[[Sequence[str]], int]) -> tuple[int, int]:
    header = next(csv.reader([line[:HEADER_CHARACTERS_MAX]], delimiter=delimiter), [])
    return guess(header), len(header)


def _csv_rows(lines: Iterator[str], delimiter: str) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=delimiter)
    line = 1
    for cells in reader:
        yield line, cells
        line = reader.line_num + 1


def _sheet_rows(sheet: Any) -> Iterator[Row]:
    for line, cells in enumerate(sheet.iter_rows(values_only=True), 1):
        yield line, [unescape(cell) if isinstance(cell, str) else cell for cell in cells]


def _guarded(path: Path, rows: Iterator[Row]) -> Iterator[Row]:
    """The rows; what breaks while they are read names the last good line."""
    line = 0
    try:
        for line, cells in rows:
            yield line, cells
    except (*UNREADABLE, csv.Error, SyntaxError, KeyError) as error:
        hint = ": a quote is opened and never closed" if "field larger" in str(error) else ""
        raise FileRefused(f"{path}: cannot be read after line {line}: {error}{hint}") from error
