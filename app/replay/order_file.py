"""
Reads a file of orders: CSV with a header, plain or gzip, one row a line of an invoice.

    invoice,placed_at,country,stock_code,quantity
    536365,2010-12-01T08:26:00,United Kingdom,85123A,6

The rows of an invoice stand together and in the order of time. A row below zero came back: an invoice of such rows
alone is a return, in a mixed invoice they follow the order. The file is somebody's export, so a mistake in it
is told with its line number.
"""

import csv
import gzip
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Final, NamedTuple

from allocator.model import LINES_MAX, UNITS_MAX

COLUMNS: Final = ("invoice", "placed_at", "country", "stock_code", "quantity")
INVOICE_LENGTH_MAX: Final = 100
"""The allocator takes 128 characters; the rest is for what we add to it in an Idempotency-Key, which is ASCII."""

SKU_LENGTH_MAX: Final = 64
GZIP_MAGIC: Final = b"\x1f\x8b"


class OrderFileInvalid(Exception):
    """The file cannot be replayed; the message says the file, the line and what is wrong there."""


class FileLine(NamedTuple):
    """Units of one article, from 1."""

    sku: str
    units: int


class Invoice(NamedTuple):
    """What was ordered and what came back under one number; at least one of the two has lines."""

    id: str
    placed_at: datetime
    country: str
    ordered: tuple[FileLine, ...]
    returned: tuple[FileLine, ...]


class _Row(NamedTuple):
    number: int
    invoice: str
    placed_at: datetime
    country: str
    sku: str
    quantity: int


def read_orders(path: Path, limit: int | None = None) -> list[Invoice]:
    """Read the first `limit` invoices, or all. Raises OrderFileInvalid."""
    try:
        with _open(path) as file:
            invoices = list(islice(_invoices(_rows(file)), limit))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise OrderFileInvalid(f"{path}: cannot be read: {error}") from error
    except OrderFileInvalid as error:
        raise OrderFileInvalid(f"{path}: {error}") from None
    if not invoices:
        raise OrderFileInvalid(f"{path}: there is no order in it")
    return invoices


def _open(path: Path) -> IO[str]:
    with path.open("rb") as file:
        packed = file.read(2) == GZIP_MAGIC
    if packed:
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _rows(file: Iterable[str]) -> Iterator[_Row]:
    reader = csv.reader(file)
    header = next(reader, [])
    if tuple(header) != COLUMNS:
        raise OrderFileInvalid(f"line 1: the columns must be {','.join(COLUMNS)}, not {','.join(header)}")
    for cells in reader:
        if cells:
            yield _row(reader.line_num, cells)


def _row(number: int, cells: list[str]) -> _Row:
    if len(cells) != len(COLUMNS):
        raise OrderFileInvalid(f"line {number}: {len(cells)} columns, there must be {len(COLUMNS)}")
    invoice, placed_at, country, sku, quantity = (cell.strip() for cell in cells)
    return _Row(
        number,
        _invoice_id(number, invoice),
        _time(number, placed_at),
        country,
        # People typed the codes: 85123a and 85123A lie in the same box.
        _name(number, "stock_code", sku, SKU_LENGTH_MAX).upper(),
        _quantity(number, quantity),
    )


def _invoice_id(number: int, value: str) -> str:
    if not value.isascii():
        raise OrderFileInvalid(f"line {number}: invoice must be ASCII, not {value!r}")
    return _name(number, "invoice", value, INVOICE_LENGTH_MAX)


def _name(number: int, column: str, value: str, length_max: int) -> str:
    if not value or len(value) > length_max or not value.isprintable():
        raise OrderFileInvalid(f"line {number}: {column} must be 1 to {length_max} printable characters, not {value!r}")
    return value


def _time(number: int, value: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        message = f"line {number}: placed_at must be a time such as 2010-12-01T08:26:00, not {value!r}"
        raise OrderFileInvalid(message) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _quantity(number: int, value: str) -> int:
    try:
        quantity = int(value)
    except ValueError:
        quantity = 0
    if quantity == 0 or abs(quantity) > UNITS_MAX:
        message = f"line {number}: quantity must be a whole number, not 0, at most {UNITS_MAX}, not {value!r}"
        raise OrderFileInvalid(message)
    return quantity


def _invoices(rows: Iterable[_Row]) -> Iterator[Invoice]:
    seen: dict[str, int] = {}
    current: list[_Row] = []
    for row in rows:
        if current and row.invoice != current[0].invoice:
            yield _invoice(current, seen)
            _refuse_backwards(current[0], row)
            current = []
        current.append(row)
    if current:
        yield _invoice(current, seen)


def _refuse_backwards(before: _Row, row: _Row) -> None:
    if row.placed_at < before.placed_at:
        message = f"line {row.number}: invoice {row.invoice} was placed before invoice {before.invoice} above it"
        raise OrderFileInvalid(message)


def _invoice(rows: list[_Row], seen: dict[str, int]) -> Invoice:
    first = rows[0]
    if first.invoice in seen:
        message = f"line {first.number}: invoice {first.invoice} ended at line {seen[first.invoice]} already"
        raise OrderFileInvalid(message)
    seen[first.invoice] = rows[-1].number
    for row in rows:
        if (row.placed_at, row.country) != (first.placed_at, first.country):
            message = f"line {row.number}: invoice {row.invoice} has another time or country at line {first.number}"
            raise OrderFileInvalid(message)
    ordered = tuple(FileLine(row.sku, row.quantity) for row in rows if row.quantity > 0)
    returned = tuple(FileLine(row.sku, -row.quantity) for row in rows if row.quantity < 0)
    if len(ordered) > LINES_MAX:
        message = f"line {first.number}: invoice {first.invoice} has {len(ordered)} lines, at most {LINES_MAX} fit"
        raise OrderFileInvalid(message)
    return Invoice(first.invoice, first.placed_at, first.country, ordered, returned)
