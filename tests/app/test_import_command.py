"""`allot import` and `allot export` as people run them, against a service in a process of its own."""

import io
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from app.exchange.progress import RowProgress
from app.exchange.tables import FileRefused
from tests.app.commands import allot, environment
from tests.app.exchanging import import_file, read_csv, write_csv
from tests.app.process import Service


@pytest.fixture
def service(tmp_path):
    service = Service(tmp_path).wait_until_ready()
    (tmp_path / "key").write_text(f"{service.key}\n")
    yield service
    service.end()


def url(service: Service) -> str:
    host, port = service.address
    return f"http://{host}:{port}"


def test_a_table_goes_in_and_comes_out(service, tmp_path):
    rows = ("sku,name", "CUP,A cup", "GLASS,", "SPOON,x\x01")
    write_csv(tmp_path / "skus.csv", *rows)
    to = ("--url", url(service), "--key-file", "key")

    imported = allot(tmp_path, "import", "skus", "skus.csv", *to, "--json")
    exported = allot(tmp_path, "export", "skus", "out.csv", *to)
    again = allot(tmp_path, "import", "skus", "out.csv", *to)

    said = json.loads(imported.stdout)
    assert (imported.returncode, said["tally"]["created"], said["tally"]["refused"]) == (1, 2, 1)
    assert (exported.returncode, again.returncode) == (0, 0), exported.stderr + again.stderr
    assert exported.stdout.startswith("2 rows of skus in out.csv")
    assert "already imported: everything was there" in again.stdout
    assert [row[0] for row in read_csv(tmp_path / "out.csv")] == ["sku", "CUP", "GLASS"]
    assert read_csv(tmp_path / "skus.csv.rejects.csv")[1][:2] == ["4", "name"]


def test_a_file_is_checked_without_a_service(tmp_path):
    write_csv(tmp_path / "skus.csv", "sku,scale", "CUP,1")

    checked = allot(tmp_path, "import", "skus", "skus.csv", "--check-only")

    assert (checked.returncode, checked.stderr.count("Traceback")) == (0, 0)
    assert checked.stdout.startswith("1 rows of skus: 1 would fit; ")
    assert "not in the file, so every row gets the default: name, category" in checked.stderr


def test_wrong_columns_end_with_code_2(tmp_path):
    write_csv(tmp_path / "skus.csv", "article,weight", "CUP,1")

    refused = allot(tmp_path, "import", "skus", "skus.csv", "--check-only")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert "the file has no column sku" in refused.stderr


def test_without_a_key_nothing_is_tried(tmp_path):
    write_csv(tmp_path / "skus.csv", "sku", "CUP")

    refused = allot(tmp_path, "import", "skus", "skus.csv")

    assert (refused.returncode, "ALLOT_KEY" not in environment()) == (3, True)
    assert "no API key" in refused.stderr


def test_a_service_that_is_not_there_ends_with_code_3(tmp_path):
    write_csv(tmp_path / "skus.csv", "sku", "CUP")
    (tmp_path / "key").write_text("allot_live_x")
    nowhere = ("--url", "http://127.0.0.1:9", "--key-file", "key", "--patience", "0.3")

    stopped = allot(tmp_path, "import", "skus", "skus.csv", *nowhere)

    assert stopped.returncode == 3
    assert "was not answered within 0.3 s" in stopped.stdout
    assert "run the same command again" in stopped.stdout
    assert "Traceback" not in stopped.stderr


def test_many_more_rows_need_little_more_memory(tmp_path):
    few = write_csv(tmp_path / "few.csv", "sku,name", *(f"SKU-{number},a cup" for number in range(5_000)))
    many = write_csv(tmp_path / "many.csv", "sku,name", *(f"SKU-{number},a cup" for number in range(105_000)))

    grown = peak_megabytes(many) - peak_megabytes(few)

    assert grown < 100_000 * 80 / 1_000_000


def peak_megabytes(file: Path) -> float:
    """What an import needs at most, in a process of its own."""
    program = (
        "import sys; from app.cli import main\n"
        f"sys.argv = ['allot', 'import', 'skus', {str(file)!r}, '--check-only']\n"
        "try: main()\n"
        "finally: print(open('/proc/self/status').read())"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True
    )
    return int(re.search(r"VmHWM:\s+(\d+) kB", said.stdout)[1]) / 1_000


def test_an_interrupted_import_says_how_far_it_was(tmp_path):
    file = write_csv(tmp_path / "many.csv", "sku,name", *(f"SKU-{number},a cup" for number in range(1_500_000)))
    words = [sys.executable, "-m", "app", "import", "skus", str(file), "--check-only"]
    command = subprocess.Popen(words, env=environment(), stderr=subprocess.PIPE, text=True)
    assert "default" in command.stderr.readline()

    command.send_signal(signal.SIGINT)
    says = command.communicate(timeout=20)[1]

    assert command.returncode == 130
    assert "stopped: interrupted. Lines up to" in says
    assert "Traceback" not in says


async def test_refused_rows_are_never_written_over_the_file(tmp_path):
    file = write_csv(tmp_path / "a.csv", "sku,scale", "CUP,x")

    with pytest.raises(FileRefused, match="written over the file itself"):
        await import_file(None, "skus", file, check_only=True, rejects=file)

    assert file.read_text() == "sku,scale\nCUP,x\n"


def test_progress_tells_rows_rate_and_time_left(monkeypatch):
    now = iter([100.0, *[110.0] * 9])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    said = io.StringIO()

    with RowProgress("skus", Console(file=said)) as progress:
        progress.show(50_000, 25, 100)

    assert said.getvalue() == "skus: 50,000 rows · 5,000/s · 25% · 30 s left\n"
