"""Small tables, and jobs on them, for the tests of import and export."""

import csv
import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path

import httpx
from openpyxl import Workbook, load_workbook
from rich.console import Console

from app.exchange.calls import Service
from app.exchange.headers import count_known, place
from app.exchange.jobs import ImportJob, Summary, run_import
from app.exchange.kinds import KINDS
from app.exchange.rows import Good, Refused, RowReader
from app.exchange.tables import Options, Table

QUIET = Console(quiet=True)


def write_csv(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    return path


def write_xlsx(path: Path, *rows: Sequence[object], sheet: str = "Blad1") -> Path:
    book = Workbook()
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def read_xlsx(path: Path) -> list[tuple[object, ...]]:
    return list(load_workbook(path).active.iter_rows(values_only=True))


def read_csv(path: Path) -> list[list[str]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
    return list(csv.reader(text.splitlines(keepends=True)))


def open_table(path: Path, kind: str = "skus", **options: str) -> Table:
    return Table(path, Options(**options), lambda header: count_known(KINDS[kind], header, {}))


def read_rows(path: Path, kind: str = "skus", *, ignore: bool = False, **mapping: str) -> list[Good | Refused]:
    """Every row of a file, without a service."""
    with open_table(path, kind) as table:
        layout = place(KINDS[kind], table.header, mapping, ignore_unknown=ignore)
        reader = RowReader(KINDS[kind], layout, padded=table.padded)
        return [reader.read(line, cells) for line, cells in table]


def items(rows: Iterable[Good | Refused]) -> list[dict[str, object]]:
    """What would be sent; every row must be good."""
    refused = [row for row in rows if isinstance(row, Refused)]
    assert refused == []
    return [row.item for row in rows if isinstance(row, Good)]


async def import_file(client: httpx.AsyncClient | None, kind: str, file: Path, **more: object) -> Summary:
    return await run_import(ImportJob(kind, file, **{"patience_seconds": 5.0, **more}), client, QUIET)


async def listed(client: httpx.AsyncClient, kind: str) -> list[dict[str, object]]:
    return [item async for item in Service(client).list(f"/v1/{kind}")]
