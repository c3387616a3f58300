"""`allot count`: a table of counts as one snapshot, once however often it is sent."""

import asyncio
import json
import time

import pytest
from rich.console import Console

from app.counts.service import is_drained
from app.exchange.counting import CountJob, CountSummary, is_through, run_count, sentences
from app.exchange.progress import RowProgress
from app.working import work
from tests.app.commands import allot
from tests.app.conftest import SHOP
from tests.app.exchanging import QUIET, read_csv, write_csv
from tests.app.process import Service
from tests.app.talk import atp


@pytest.fixture
async def worker(state, settings):
    """A worker, which copies the ledger into SQL until the test ends."""
    stop = asyncio.Event()
    task = asyncio.create_task(work(settings, stop))
    while not await is_drained(state, "main"):
        await asyncio.sleep(0.01)
    yield
    stop.set()
    await task


async def count_file(client, file, **more) -> CountSummary:
    return await run_count(CountJob(file, **{"source": "erp", "patience_seconds": 5.0, **more}), client, QUIET)


async def test_a_file_is_counted_once_however_often_it_is_sent(client, worker, tmp_path):
    rows = (
        "sku,location,counted,seen_up_to",
        "CUP,oslo,9,1",
        "PLATE,oslo,4,1",
        "POT,oslo,1,0",
        "CUP,oslo,5,1",
        "A/4,oslo,,",
    )
    file = write_csv(tmp_path / "count.csv", *rows)

    first = await count_file(client, file)
    again = await count_file(client, file)

    assert (first.state, first.tally, first.rows, first.refused_rows) == (
        "applied",
        {"applied": 1, "refused": 1, "unchanged": 1},
        5,
        2,
    )
    assert (again.counted_before, again.tally, is_through(again)) == (True, first.tally, False)
    assert await atp(client, "CUP") == 14
    assert [row[0] for row in read_csv(tmp_path / "count.csv.rejects.csv")[1:]] == ["5", "6"]


async def test_a_file_that_empties_too_much_is_parked_with_its_figures(client, worker, tmp_path):
    file = write_csv(tmp_path / "zeros.csv", "sku,location,counted,seen_up_to", "CUP,oslo,0,1", "CUP,rome,0,1")

    summary = await count_file(client, file)

    assert (summary.state, summary.figures["parked"], is_through(summary)) == ("parked", ["zeroed"], False)
    assert "2 of 4 places would be empty" in " ".join(sentences(summary))
    assert await atp(client, "CUP") == 15


async def test_a_count_nobody_works_on_stops_and_goes_on_when_it_is_sent_again(client, state, settings, tmp_path):
    file = write_csv(tmp_path / "count.csv", "sku,location,counted,seen_up_to", "CUP,oslo,9,1")

    stopped = await count_file(client, file, patience_seconds=0.5)

    assert (stopped.state, "is a worker running?" in stopped.stopped) == ("deciding", True)


def test_the_command_says_by_its_code_whether_all_went_through(tmp_path):
    service = Service(tmp_path, ALLOT_SEED_PATH=str(SHOP)).wait_until_ready()
    (tmp_path / "key").write_text(f"{service.key}\n")
    host, port = service.address
    to = ("--source", "erp", "--url", f"http://{host}:{port}", "--key-file", "key")
    write_csv(tmp_path / "count.csv", "Artikel,location,counted,seen_up_to", "CUP,oslo,9,1")
    try:
        good = allot(tmp_path, "count", "count.csv", *to, "--map", "Artikel=sku", "--json")
        unread = allot(tmp_path, "count", "count.csv", *to)
    finally:
        service.end()

    assert (good.returncode, json.loads(good.stdout)["tally"]) == (0, {"applied": 1}), good.stderr
    assert (unread.returncode, "the file has no column sku" in unread.stderr) == (2, True)


def test_the_seconds_of_a_count_are_those_of_all_it_went_through():
    progress = RowProgress("counts", Console(quiet=True))
    time.sleep(0.05)

    progress.say("applying")

    assert progress.seconds >= 0.05
