"""
`allot count`: a table of counts as one snapshot, from its file to what became of it.

The snapshot is named by its source and the file's digest, and its parts by the chunks, which depend on the file alone:
the same file again is the same snapshot, wherever the first time broke off.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import httpx
import msgspec
from rich.console import Console

from .calls import Service, Stopped
from .headers import Layout, count_known, place, read_mapping
from .importing import Import
from .kinds import COUNTS
from .progress import RowProgress
from .rejects import Rejects
from .rows import Good, RowReader
from .sending import ALREADY, RECEIVED, STOCK_BYTES_MAX, Outcome
from .tables import FileRefused, Options, Table

ROWS_MAX: Final = 1_000
LOOK_SECONDS, LOOK_SECONDS_MAX = 0.2, 2.0
"""How soon we look again: to count the lines of a large snapshot is work for the service."""

DONE: Final = frozenset({"parked", "applied", "discarded"})
WORKED_ON: Final = frozenset({"waiting", "applying"})

AGAIN: Final = "run the same command again to go on: it is the same count"


class CountJob(NamedTuple):
    """One file of counts. `mapping` are the words of --map; `rejects` is where refused rows go."""

    file: Path
    source: str
    meaning: str = "physical"
    uncertainty_seconds: int = 120
    why: str = ""
    mapping: tuple[str, ...] = ()
    options: Options = Options()
    ignore_columns: bool = False
    rejects: Path | None = None
    in_flight: int = 4
    patience_seconds: float = 60.0


class CountSummary(msgspec.Struct, kw_only=True):
    """
    What became of a file of counts.

    state: of the count, '' when it was not closed. tally: its lines by state, figures: what a parked one would do.
    refused_rows: rows that were refused before they were sent. counted_before: all of it was sent before. stopped: ''
    when it came to the end, else why not.
    """

    file: str
    digest: str
    count_id: str
    state: str
    rows: int
    refused_rows: int
    tally: dict[str, int]
    figures: dict[str, Any]
    counted_before: bool
    seconds: float
    rows_per_second: float
    rejects: str
    stopped: str
    unreadable: bool


class CountSender:
    """Sends chunks as parts of a snapshot, which is begun first. `parts` is how many there are so far."""

    rows_max = ROWS_MAX
    bytes_max = STOCK_BYTES_MAX

    def __init__(self, service: Service, id: str) -> None:
        self.parts = 0
        self._service = service
        self._path = path_of(id)

    async def send(self, number: int, rows: Sequence[Good], /) -> list[Outcome]:
        """Add the rows to the snapshot. Raises Stopped."""
        self.parts += 1
        asked = {"lines": [row.item for row in rows]}
        answer = (await self._service.put(f"{self._path}/parts/{number}", asked)).good()
        return [Outcome(ALREADY if answer["replayed"] else RECEIVED)] * len(rows)


def path_of(id: str) -> str:
    """The address of a count."""
    return f"/v1/counts/{quote(id, safe='')}"


async def run_count(job: CountJob, client: httpx.AsyncClient, console: Console) -> CountSummary:
    """
    Send a file of counts and see what becomes of it. Notes and progress go to `console`.

    Raises FileRefused when not a single row can be read, with all that is wrong with the columns.
    """
    mapping, tell = read_mapping(job.mapping), _teller(console)
    service = Service(client, patience_seconds=job.patience_seconds, note=tell)
    with Table(job.file, job.options, lambda header: count_known(COUNTS, header, mapping)) as table:
        layout = place(COUNTS, table.header, mapping, ignore_unknown=job.ignore_columns)
        for note in [*table.notes, *_notes(layout)]:
            tell(note)
        sending = _Sending(job, service, table, layout, console)
        with sending.rejects, sending.progress:
            await sending.run()
    return sending.summary()


class _Sending:
    """One file on its way."""

    def __init__(self, job: CountJob, service: Service, table: Table, layout: Layout, console: Console) -> None:
        path = job.rejects or job.file.with_name(f"{job.file.name}.rejects.csv")
        if path.absolute() == job.file.absolute():
            raise FileRefused(f"{path}: the refused rows would be written over the file itself")
        self.id = f"{job.source}:{table.digest}"
        self.rejects = Rejects(path, table.header)
        self.progress = RowProgress("counts", console)
        self._path = path
        self._job = job
        self._service = service
        self._digest = table.digest
        self._sender = CountSender(service, self.id)
        reader = RowReader(COUNTS, layout, padded=table.padded)
        self._import = Import(table, reader, self._sender, self.rejects, self.progress)
        self._count: Mapping[str, Any] = {}
        self._stopped: Stopped | FileRefused | None = None

    async def run(self) -> None:
        """Send it and wait for what becomes of it; what stops it is remembered."""
        try:
            await self._begin()
            await self._import.run(self._job.in_flight)
            if self._sender.parts:
                closed = await self._service.post(f"{path_of(self.id)}/close", {"parts": self._sender.parts})
                self._count = closed.good()["count"]
                await self._follow()
        except (Stopped, FileRefused) as error:
            self._stopped = error

    async def _begin(self) -> None:
        job = self._job
        head = {"source": job.source, "meaning": job.meaning, "uncertainty_seconds": job.uncertainty_seconds}
        why = job.why or f"count {self._digest}"
        (await self._service.post("/v1/counts/snapshots", {**head, "why": why}, op=self.id)).good()

    async def _follow(self) -> None:
        """Wait until the count has come to an end. Raises Stopped when nobody works on it for a while."""
        moved, pause = time.monotonic(), LOOK_SECONDS
        while self._count["state"] not in DONE:
            self.progress.say(self._count["state"])
            done = _done(self._count, self._sender.parts)
            self.progress.show(done, done, self._count["lines"])
            await asyncio.sleep(pause)
            pause = min(LOOK_SECONDS_MAX, pause * 1.2)
            found = (await self._service.get(path_of(self.id))).good()
            moved = time.monotonic() if found != self._count else moved
            self._count = found
            if time.monotonic() - moved > self._job.patience_seconds:
                raise Stopped(f"nobody works on the count for {self._job.patience_seconds:g} s: is a worker running?")

    def summary(self) -> CountSummary:
        """What became of it."""
        tally, stopped = self._import.tally, self._stopped
        return CountSummary(
            file=str(self._job.file),
            digest=self._digest,
            count_id=self.id,
            state=self._count.get("state", ""),
            rows=tally.rows,
            refused_rows=tally.refused,
            tally=dict(self._count.get("tally", {})),
            figures=dict(self._count.get("figures", {})),
            counted_before=bool(tally.already) and not tally.received,
            seconds=round(self.progress.seconds, 3),
            rows_per_second=round(tally.rows / self.progress.seconds, 1),
            rejects=str(self._path) if tally.refused else "",
            stopped=f"stopped: {stopped}. {AGAIN}" if stopped else "",
            unreadable=isinstance(stopped, FileRefused),
        )


def _done(count: Mapping[str, Any], parts: int) -> int:
    """How many lines the step under way has behind it; line numbers leave room in parts that are not full."""
    if count["state"] == "deciding":
        return min(int(count["lines"]), int(count["judged"]) * int(count["lines"]) // (parts * ROWS_MAX))
    return sum(lines for state, lines in count["tally"].items() if state not in WORKED_ON)


def _notes(layout: Layout) -> list[str]:
    return [f"not sent: {', '.join(layout.ignored)}"] if layout.ignored else []


def _teller(console: Console) -> Callable[[str], None]:
    return lambda says: console.print(says, markup=False, highlight=False, soft_wrap=True)


def sentences(summary: CountSummary) -> list[str]:
    """The summary for people."""
    counts = [f"{lines:,} {state}" for state, lines in summary.tally.items()]
    counts += [f"{summary.refused_rows:,} refused here"] if summary.refused_rows else []
    rate = f"{summary.seconds:,.1f} s, {summary.rows_per_second:,.0f} rows/s"
    said = [f"{summary.rows:,} rows counted: {', '.join(counts) or 'nothing'}; {rate}"]
    if summary.state == "parked":
        said.append(_parked(summary))
    if summary.counted_before:
        said.append("this file was sent before: it is the same count")
    if summary.tally.keys() & {"refused", "review"}:
        said.append(f"see why: GET {path_of(summary.count_id)}/lines?state=refused or review")
    if summary.rejects:
        said.append(f"refused rows with their reasons: {summary.rejects}; correct and count that file")
    return [*said, *([summary.stopped] if summary.stopped else [])]


def _parked(summary: CountSummary) -> str:
    figures = summary.figures
    return (
        f"parked, nothing was changed ({', '.join(figures['parked'])}): {figures['zeroed']:,} of {figures['places']:,} "
        f"places would be empty, {figures['changed']:,} of {figures['rows']:,} rows would change, "
        f"{figures['tenfold']:,} to ten times or a tenth; another key may POST {path_of(summary.count_id)}/release"
    )


def is_through(summary: CountSummary) -> bool:
    """Whether every row had its effect."""
    open_lines = summary.tally.keys() & {"refused", "review", *WORKED_ON}
    return summary.state == "applied" and not open_lines and not summary.refused_rows
