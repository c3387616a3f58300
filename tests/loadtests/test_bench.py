import json
import subprocess
import sys

import pytest
from rich.console import Console

from allocator import Allocator, Pipe
from app.seed import load_seed
from loadtests.burst import ORDERS
from loadtests.fill import fill
from loadtests.scenarios import HELLO, RAW, SCENARIOS
from loadtests.shop import make_seed
from tests.servers import ROOT


def bench(*options: object, before: str = "pass") -> subprocess.CompletedProcess[str]:
    program = f"import sys; {before}; sys.argv[0] = 'allot'; from app.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, "bench", *map(str, options)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=85,
        check=False,
    )


def test_a_short_benchmark_of_two_sizes_reports_every_figure_and_exact_bursts(tmp_path):
    file = tmp_path / "bench.json"

    done = bench("--rounds", 1, "--requests", 150, "--in-flight", 8, "--skus", "200,100", "--json", file)

    assert done.returncode == 0, done.stderr
    result = json.loads(file.read_text())
    missing = {line.partition(":")[0] for line in result["left_out"]}
    names = {scenario.name for scenario in (*SCENARIOS, *RAW)} - missing
    assert {(row["scenario"], row["skus"]) for row in result["rows"]} == {
        (HELLO, 0),
        *((name, skus) for name in names for skus in (100, 200)),
    }
    for row in result["rows"]:
        assert row["speed"]["requests_per_second"] > 0
        assert 0 < row["speed"]["p50_ms"] <= row["speed"]["p99_ms"]
        assert row["to_hello"] > 0
        assert (row["to_smallest"] is not None) == (row["skus"] == 200)
    for bursts in result["bursts"].values():
        [burst] = bursts
        assert (burst["accepted"], burst["refused"], burst["other"], burst["left"]) == (100, 100, 0, 0)
        assert burst["accepted"] + burst["refused"] == ORDERS
    assert [memory["skus"] for memory in result["memory"]] == [100, 200]
    assert {"cores", "processor", "python", "server", "load_before"} <= result["machine"].keys()
    assert "order, 1 line" in done.stdout
    assert "× hello" in done.stdout


@pytest.mark.parametrize("sizes", ["many", "1000,", "99", "-1000", "1e3"])
def test_sizes_that_are_none_are_refused(sizes):
    done = bench("--skus", sizes)

    assert done.returncode == 2
    assert "whole numbers of at least 100" in done.stderr


def test_without_the_sources_it_says_where_to_run_it():
    done = bench(before="sys.modules['loadtests'] = None")

    assert done.returncode == 2
    assert "run it in a checkout of the sources" in done.stderr


async def test_filling_makes_every_sku_sellable_with_its_rules_and_quota(redis, tmp_path):
    file = tmp_path / "seed.yaml"
    file.write_text(json.dumps(make_seed(1)))
    pipe = Pipe(redis)
    allocator = Allocator(pipe, "main", "epoch")
    await allocator.begin()
    await allocator.configure_all(load_seed(file).config())

    await fill(allocator, 1_200, 40, Console(quiet=True))

    # Each location keeps 2 back (5 where the sku has a rule), the shop 3 (2), a quota of amazon holds 20.
    skus = ["SKU-0000000", "SKU-0000001", "SKU-0000002", "SKU-0001199"]
    levels = await allocator.availability(skus, ["shop"])
    assert [level.atp_now for level in levels] == [4 * 35 - 2, 4 * 38 - 20 - 3, 4 * 38 - 3, 4 * 38 - 3]
    await pipe.close()
