"""An import or an export as it was asked for, carried out from the file to the summary."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import msgspec
from rich.console import Console

from .calls import Service, Stopped
from .exporting import Export
from .headers import Layout, count_known, place, read_mapping
from .importing import Import, Tally
from .kinds import EXPORTS, KINDS, STOCK, Kind
from .progress import RowProgress
from .rejects import Rejects
from .rows import RowReader
from .sending import ConfigSender, Sender, StockSender, StockTrial
from .tables import FileRefused, Options, Table

NOTE_MAX: Final = 200

AGAIN: Final = "run the same command again to go on: what is in already has no second effect"


class ImportJob(NamedTuple):
    """
    One import. `mapping` are the words of --map; `rejects` None writes refused rows beside the file.

    `check_only` sends nothing at all; `dry_run` has the service judge every row and changes nothing.
    """

    kind: str
    file: Path
    mapping: tuple[str, ...] = ()
    options: Options = Options()
    ignore_columns: bool = False
    rejects: Path | None = None
    dry_run: bool = False
    check_only: bool = False
    in_flight: int = 4
    patience_seconds: float = 60.0
    note: str = ""


class Summary(msgspec.Struct, kw_only=True):
    """
    What an import did; `tally` counts rows by what became of them.

    imported_before: nothing was new. stopped: '' when it came to the end, else why not. rejects: the file of refused
    rows, '' when there is none. unnamed: fields the file does not have, which get their defaults.
    """

    kind: str
    file: str
    digest: str
    dry_run: bool
    check_only: bool
    tally: Tally
    seconds: float
    rows_per_second: float
    imported_before: bool
    rejects: str
    stopped: str
    unreadable: bool
    unnamed: list[str]
    ignored: list[str]


async def run_import(job: ImportJob, client: httpx.AsyncClient | None, console: Console) -> Summary:
    """
    Carry out an import; `client` is not needed for `check_only`. Notes and progress go to `console`.

    Raises FileRefused when not a single row can be read, with all that is wrong with the columns.
    """
    kind, mapping, tell = KINDS[job.kind], read_mapping(job.mapping), _teller(console)
    with Table(job.file, job.options, lambda header: count_known(kind, header, mapping)) as table:
        layout = place(kind, table.header, mapping, ignore_unknown=job.ignore_columns)
        for note in [*table.notes, *_layout_notes(kind, layout)]:
            tell(note)
        path = _rejects_path(job)
        sender = _sender(job, kind, table.digest, client, console)
        with Rejects(path, table.header) as rejects, RowProgress(_title(job), console) as progress:
            running = Import(table, RowReader(kind, layout, padded=table.padded), sender, rejects, progress)
            stopped = await _run(running, job, tell)
    tally = running.tally
    return Summary(
        kind=job.kind,
        file=str(job.file),
        digest=table.digest,
        dry_run=job.dry_run,
        check_only=job.check_only,
        tally=tally,
        seconds=round(progress.seconds, 3),
        rows_per_second=round(tally.rows / progress.seconds, 1),
        imported_before=tally.imported_before,
        rejects=str(path) if tally.refused else "",
        stopped=_where_stopped(tally, str(stopped)) if stopped else "",
        unreadable=isinstance(stopped, FileRefused),
        unnamed=list(layout.unnamed),
        ignored=list(layout.ignored),
    )


async def _run(running: Import, job: ImportJob, tell: Callable[[str], None]) -> Stopped | FileRefused | None:
    """Run it to its end; if it stopped before, why."""
    try:
        if job.check_only:
            await running.check()
        else:
            await running.run(job.in_flight)
    except (Stopped, FileRefused) as error:
        return error
    except asyncio.CancelledError:
        tell(_where_stopped(running.tally, "interrupted"))
        raise
    return None


def _title(job: ImportJob) -> str:
    return f"{job.kind}{' (trial)' if job.dry_run or job.check_only else ''}"


def _where_stopped(tally: Tally, why: str) -> str:
    return f"stopped: {why}. Lines up to {tally.settled_line} are done; {AGAIN}"


def _sender(
    job: ImportJob, kind: Kind, digest: str, client: httpx.AsyncClient | None, console: Console
) -> Sender | None:
    if job.check_only:
        return None
    assert client is not None
    service = Service(client, patience_seconds=job.patience_seconds, note=_teller(console))
    if kind.name != STOCK:
        return ConfigSender(service, kind, note=job.note or _note(job.file), dry_run=job.dry_run)
    return StockTrial(service) if job.dry_run else StockSender(service, digest, why=job.note or f"import {digest}")


def _note(file: Path) -> str:
    """The file's name, as far as a note may have its characters."""
    name = "".join(sign if sign.isprintable() else "?" for sign in file.name)
    return f"import of {name}"[:NOTE_MAX]


def _rejects_path(job: ImportJob) -> Path:
    path = job.rejects or job.file.with_name(f"{job.file.name}.rejects.csv")
    if path.absolute() == job.file.absolute():
        raise FileRefused(f"{path}: the refused rows would be written over the file itself")
    return path


def _layout_notes(kind: Kind, layout: Layout) -> list[str]:
    notes = []
    if layout.ignored:
        notes.append(f"not imported: {', '.join(layout.ignored)}")
    if layout.unnamed and kind.name != STOCK:
        notes.append(f"not in the file, so every row gets the default: {', '.join(layout.unnamed)}")
    return notes


class Exported(msgspec.Struct, kw_only=True):
    """What an export wrote."""

    kind: str
    file: str
    rows: int
    seconds: float


class ExportJob(NamedTuple):
    """One export; `filters` are the list's own."""

    kind: str
    file: Path
    filters: Mapping[str, str] = {}
    delimiter: str = ","


async def run_export(job: ExportJob, client: httpx.AsyncClient, console: Console) -> Exported:
    """Carry out an export. Raises Stopped, ExportRefused, OSError."""
    service = Service(client, note=_teller(console))
    with RowProgress(job.kind, console) as progress:
        running = Export(service, EXPORTS[job.kind], job.filters, progress)
        await running.run(job.file, job.delimiter)
        seconds = round(progress.seconds, 3)
    return Exported(kind=job.kind, file=str(job.file), rows=running.rows, seconds=seconds)


def _teller(console: Console) -> Callable[[str], None]:
    return lambda says: console.print(says, markup=False, highlight=False, soft_wrap=True)
