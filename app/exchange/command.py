"""`allot import`, `export` and `count`: from the words of the command line to a summary and an exit code."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import httpx
import msgspec
import stamina
import typer
from rich.console import Console

from .calls import Stopped, make_client
from .counting import CountJob, CountSummary, is_through, run_count, sentences
from .exporting import ExportRefused
from .headers import read_filters
from .jobs import Exported, ExportJob, ImportJob, Summary, run_export, run_import
from .tables import FileRefused, Options

T = TypeVar("T")

URL: Final = "http://127.0.0.1:8000"
REFUSED_CODE: Final = 1
UNREADABLE_CODE: Final = 2
STOPPED_CODE: Final = 3
INTERRUPTED_CODE: Final = 130
CONNECTIONS_MAX: Final = 64

KindName = Literal["skus", "locations", "channels", "listings", "rules", "zones", "carriers", "reasons", "stock"]
ExportName = Literal[KindName, "recounts"]
MeaningName = Literal["physical", "net_of_reserved", "net_of_open_orders"]
Delimiter = Literal["auto", "comma", "semicolon", "tab", "pipe"]
SIGNS: Final[dict[str, str]] = {"auto": "", "comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}

KindArgument = Annotated[KindName, typer.Argument(help="What the rows are.", show_choices=True)]
ExportArgument = Annotated[ExportName, typer.Argument(help="What the rows are.", show_choices=True)]
UrlOption = Annotated[str, typer.Option(help="The running service.")]
KeyFileOption = Annotated[Path | None, typer.Option(help="File with the API key; without it ALLOT_KEY is used.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]


FileArgument = Annotated[Path, typer.Argument(help="CSV (plain or gzip) or XLSX; the first row names the columns.")]
MapOption = Annotated[
    list[str] | None, typer.Option("--map", help='Columns of other names: "Article no=sku,Menge=units".')
]
IgnoreOption = Annotated[bool, typer.Option("--ignore-columns", help="Leave columns out that nobody knows.")]
DryOption = Annotated[bool, typer.Option("--dry-run", help="The service judges every row; nothing changes.")]
CheckOption = Annotated[bool, typer.Option("--check-only", help="Read and check every row here; nothing is sent.")]
RejectsOption = Annotated[Path | None, typer.Option(help="Where refused rows go; else FILE.rejects.csv.")]
DelimiterOption = Annotated[Delimiter, typer.Option(help="Between the cells of a CSV.")]
SheetOption = Annotated[str, typer.Option(help="The sheet of an XLSX; else its first.")]
InFlightOption = Annotated[int, typer.Option(help="Requests in flight.", min=1, max=CONNECTIONS_MAX)]
PatienceOption = Annotated[float, typer.Option(help="Seconds to repeat what is not answered.", min=0)]
NoteOption = Annotated[str, typer.Option(help="Kept in the history of the config or the ledger.")]


def import_table(
    kind: KindArgument,
    file: FileArgument,
    *,
    mapping: MapOption = None,
    ignore_columns: IgnoreOption = False,
    dry_run: DryOption = False,
    check_only: CheckOption = False,
    rejects: RejectsOption = None,
    delimiter: DelimiterOption = "auto",
    sheet: SheetOption = "",
    in_flight: InFlightOption = 4,
    patience: PatienceOption = 60.0,
    note: NoteOption = "",
    url: UrlOption = URL,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Import skus, locations, channels, listings, rules, zones, carriers, reasons or stock from a table.

    A row says everything of its thing: what the file has no column for gets its default. Keys are columns,
    attributes.color; a channel's locations are one cell in their order, utrecht*;gent, with a star for its own shelf.

    The same file twice has one effect. Rows that are refused are written to a file with line, column and reason.

    Exit code 1: rows were refused; 2: the file cannot be read; 3: the service did not answer.
    """
    job = ImportJob(
        kind,
        file,
        mapping=tuple(mapping or ()),
        options=Options(SIGNS[delimiter], sheet),
        ignore_columns=ignore_columns,
        rejects=rejects,
        dry_run=dry_run,
        check_only=check_only,
        in_flight=in_flight,
        patience_seconds=patience,
        note=note,
    )
    console = Console(stderr=True)
    summary = _with_client(
        lambda client: run_import(job, client, console), url, key_file, console, needed=not check_only
    )
    _tell(summary, _sentences(summary), as_json=as_json)
    raise typer.Exit(_code(summary))


def export_table(
    kind: ExportArgument,
    file: Annotated[Path, typer.Argument(help="Where to: .csv, .csv.gz or .xlsx.")],
    *,
    only: Annotated[list[str] | None, typer.Option(help='Narrow the list: "category=bags".')] = None,
    delimiter: Annotated[Delimiter, typer.Option(help="Between the cells of a CSV; auto is a comma.")] = "auto",
    url: UrlOption = URL,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Export skus, locations, channels, listings, rules, zones, carriers, reasons, stock or recounts as a table.

    `allot import` reads it back, but for recounts: what is to be counted because of a reject (--only state=open).
    """
    console = Console(stderr=True)

    async def run(client: httpx.AsyncClient | None) -> Exported:
        assert client is not None
        job = ExportJob(kind, file, read_filters(only or ()), SIGNS[delimiter] or ",")
        return await run_export(job, client, console)

    exported = _with_client(run, url, key_file, console, needed=True)
    sentence = f"{exported.rows:,} rows of {kind} in {exported.file}, {exported.seconds:,.1f} s"
    _tell(exported, [sentence], as_json=as_json)


def count_table(
    file: FileArgument,
    *,
    source: Annotated[str, typer.Option(help="Whose numbers these are: the ERP, a warehouse system, a stocktake.")],
    meaning: Annotated[MeaningName, typer.Option(help="What its numbers are.")] = "physical",
    uncertainty: Annotated[int, typer.Option(help="Seconds by which its clock may be off.", min=0, max=86_400)] = 120,
    mapping: MapOption = None,
    ignore_columns: IgnoreOption = False,
    rejects: RejectsOption = None,
    delimiter: DelimiterOption = "auto",
    sheet: SheetOption = "",
    in_flight: InFlightOption = 4,
    patience: PatienceOption = 60.0,
    note: Annotated[str, typer.Option(help="Kept in the ledger.")] = "",
    url: UrlOption = URL,
    key_file: KeyFileOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Say what lies on shelves: a table of sku, location, counted and, if there are, as_of and seen_up_to.

    Places that are not in the file stay as they are. A file that would change too much is parked until the holder of
    another key releases it. The same file twice has one effect.

    Exit code 1: rows were refused or wait for a person, or the file is parked; 2: the file cannot be read; 3: the
    service did not answer.
    """
    job = CountJob(
        file,
        source,
        meaning,
        uncertainty,
        why=note,
        mapping=tuple(mapping or ()),
        options=Options(SIGNS[delimiter], sheet),
        ignore_columns=ignore_columns,
        rejects=rejects,
        in_flight=in_flight,
        patience_seconds=patience,
    )
    console = Console(stderr=True)

    async def run(client: httpx.AsyncClient | None) -> CountSummary:
        assert client is not None
        return await run_count(job, client, console)

    summary = _with_client(run, url, key_file, console, needed=True)
    _tell(summary, sentences(summary), as_json=as_json)
    raise typer.Exit(_count_code(summary))


def _count_code(summary: CountSummary) -> int:
    if summary.stopped:
        return UNREADABLE_CODE if summary.unreadable else STOPPED_CODE
    return 0 if is_through(summary) else REFUSED_CODE


def _with_client(
    run: Callable[[httpx.AsyncClient | None], Awaitable[T]],
    url: str,
    key_file: Path | None,
    console: Console,
    *,
    needed: bool,
) -> T:
    """Run something with a client of the service, and end with its exit code what cannot even begin."""
    # Its own way of telling would be mixed into what we print; the service says once that it has to wait.
    stamina.instrumentation.set_on_retry_hooks([])

    async def connected() -> T:
        if not needed:
            return await run(None)
        async with make_client(url, _read_key(key_file), CONNECTIONS_MAX) as client:
            return await run(client)

    try:
        return asyncio.run(connected())
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED_CODE) from None
    except (FileRefused, ExportRefused, OSError) as error:
        code, says = UNREADABLE_CODE, str(error)
    except Stopped as error:
        code, says = STOPPED_CODE, str(error)
    console.print(says, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)


def _read_key(file: Path | None) -> str:
    key = file.read_text("utf-8").strip() if file else os.environ.get("ALLOT_KEY", "")
    if not key:
        raise Stopped("no API key: name its file with --key-file, or set ALLOT_KEY")
    return key


def _code(summary: Summary) -> int:
    if summary.stopped:
        return UNREADABLE_CODE if summary.unreadable else STOPPED_CODE
    return REFUSED_CODE if summary.tally.refused else 0


def _sentences(summary: Summary) -> list[str]:
    """The summary for people."""
    tally = summary.tally
    words = ("created", "replaced", "unchanged", "received", "already", "fits", "refused")
    counts = [f"{getattr(tally, word):,} {SAYS.get(word, word)}" for word in words if getattr(tally, word)]
    rate = f"{summary.seconds:,.1f} s, {summary.rows_per_second:,.0f} rows/s"
    sentences = [f"{tally.rows:,} rows of {summary.kind}: {', '.join(counts) or 'nothing'}; {rate}"]
    if summary.dry_run or summary.check_only:
        sentences.append("nothing was changed: this was a trial")
    elif summary.imported_before:
        sentences.append("already imported: everything was there")
    if summary.rejects:
        sentences.append(f"refused rows with their reasons: {summary.rejects}; correct and import that file")
    return [*sentences, *([summary.stopped] if summary.stopped else [])]


SAYS: Final = {"already": "received before", "fits": "would fit"}


def _tell(said: Any, sentences: list[str], *, as_json: bool) -> None:
    text = msgspec.json.format(msgspec.json.encode(said), indent=2).decode() if as_json else "\n".join(sentences)
    sys.stdout.write(f"{text}\n")
