import json
import os
import time
from io import StringIO

import pytest
from rich.console import Console

from loadtests.burst import Burst, is_clean_no
from loadtests.http import Answer
from loadtests.measure import Plan, Sample, middle_of
from loadtests.memory import Reading, memory_of
from loadtests.processes import cpu_seconds, machine
from loadtests.report import show, write_json
from loadtests.result import Options, Result, make_rows
from loadtests.scenarios import AVAILABILITY, AVAILABILITY_50, HELLO, ORDER, TEN_LINES
from loadtests.verdicts import verdicts


def sample(per_second: float, p99_ms: float = 5.0) -> Sample:
    return Sample(per_second, 3.0, p99_ms, 100.0, 20.0, None)


def exact(ms: float = 40) -> Burst:
    return Burst(100, 100, 0, 0, ms / 1_000)


def result(samples: dict, sizes: tuple[int, ...] = (1_000,), **more) -> Result:
    rows = make_rows(samples, {ORDER: 1, TEN_LINES: 10})
    facts = {**machine(), "server": "Valkey 9.1.2"}
    return Result(facts, "one process", Options(rounds=1, sizes=sizes), rows, **more)


def told(found: Result) -> dict[str, bool]:
    return {verdict.what: verdict.met for verdict in verdicts(found)}


def test_the_middle_of_the_rounds_is_taken_figure_by_figure():
    rounds = [Sample(100, 1, 9, 80, None, 30), Sample(300, 2, 7, 90, None, 10), Sample(200, 3, 8, 70, None, 20)]

    assert middle_of(rounds) == Sample(200, 2, 8, 80, None, 20)


def test_a_ratio_is_taken_within_each_round():
    # The machine was half as fast in the second round: the ratio is the same.
    samples = {(HELLO, 0): [sample(10_000), sample(5_000)], (ORDER, 1_000): [sample(8_000), sample(4_000)]}

    [_, row] = make_rows(samples, {})

    assert row.to_hello == 0.8


def test_lines_are_counted_where_requests_have_some():
    samples = {(HELLO, 0): [sample(10_000)], (TEN_LINES, 1_000): [sample(3_000)], (AVAILABILITY, 1_000): [sample(9)]}

    assert [row.lines_per_second for row in make_rows(samples, {TEN_LINES: 10})] == [None, 30_000, None]


def test_larger_shops_are_compared_with_the_smallest():
    samples = {(HELLO, 0): [sample(10)], (ORDER, 1_000): [sample(8)], (ORDER, 1_000_000): [sample(6)]}

    assert [row.to_smallest for row in make_rows(samples, {})] == [None, None, 0.75]


def test_a_run_of_the_yardstick_alone_has_one_row():
    assert [row.scenario for row in make_rows({(HELLO, 0): [sample(10)]}, {})] == [HELLO]


def test_a_round_sends_what_was_asked_for_and_enough_for_everybody_in_flight():
    plan = Plan(4_000, 32)

    assert (plan.count(1.0, 32), plan.count(0.25, 32), plan.count(0.001, 32)) == (4_000, 1_000, 64)


@pytest.mark.parametrize(
    ("scenario", "per_second", "p99_ms", "met"),
    [
        (ORDER, 7_500, 7.9, {"order, 1 line, × hello": True, "order, 1 line, p99 ms": True}),
        (ORDER, 7_400, 8.0, {"order, 1 line, × hello": False, "order, 1 line, p99 ms": False}),
        (AVAILABILITY, 9_500, 5, {"availability, 1 sku, × hello": True}),
        (AVAILABILITY, 9_400, 5, {"availability, 1 sku, × hello": False}),
        (AVAILABILITY_50, 4_000, 5, {"availability, 50 skus, requests/s": True}),
        (AVAILABILITY_50, 3_999, 5, {"availability, 50 skus, requests/s": False}),
        (TEN_LINES, 3_000, 5, {"order, 10 lines, lines/s": True}),
        (TEN_LINES, 2_999, 5, {"order, 10 lines, lines/s": False}),
    ],
)
def test_a_target_is_met_or_not(scenario, per_second, p99_ms, met):
    found = result({(HELLO, 0): [sample(10_000)], (scenario, 1_000): [sample(per_second, p99_ms)]})

    assert told(found) == met


@pytest.mark.parametrize(("share", "met"), [(0.9, True), (0.89, False)])
def test_the_scenario_that_suffers_most_from_a_million_skus_decides(share, met):
    sizes = (1_000, 1_000_000)
    samples = {
        (HELLO, 0): [sample(10_000)],
        (ORDER, sizes[0]): [sample(8_000)],
        (ORDER, sizes[1]): [sample(8_000)],
        ("hold, spread", sizes[0]): [sample(1_000)],
        ("hold, spread", sizes[1]): [sample(1_000 * share)],
    }

    said = told(result(samples, sizes))

    assert said["worst of all: hold, spread (1,000,000 skus), × smallest shop"] is met


def test_a_burst_is_judged_by_its_time_and_apart_from_that_by_being_exact():
    bursts = [exact(50), exact(59), exact(200)]

    said = told(result({(HELLO, 0): [sample(1)]}, bursts={1_000: bursts}))
    late = told(result({(HELLO, 0): [sample(1)]}, bursts={1_000: [exact(60), Burst(101, 99, 0, 0, 0.01), exact(61)]}))

    assert list(said.values()) == [True, True]
    assert list(late.values()) == [False, False]


@pytest.mark.parametrize("said", [(101, 99, 0, 0), (100, 99, 1, 0), (99, 101, 0, 1), (99, 100, 1, 1)])
def test_a_burst_is_exact_only_when_every_unit_was_sold_once_and_every_other_order_heard_why(said):
    samples = {(HELLO, 0): [sample(1)]}

    assert result(samples, bursts={1_000: [exact()]}).is_exact
    assert not result(samples, bursts={1_000: [exact()], 1_000_000: [exact(), Burst(*said, seconds=0.1)]}).is_exact


def test_a_refusal_is_clean_when_it_is_the_documented_problem_with_its_facts():
    facts = {"type": "/problems/short", "facts": {"lines": [{"atp_now": 0}]}}
    clean = Answer(409, b"content-type: application/problem+json", json.dumps(facts).encode())

    assert is_clean_no(clean)
    assert not is_clean_no(clean._replace(status=500))
    assert not is_clean_no(clean._replace(head=b"content-type: text/plain"))


def test_bytes_a_sku_are_what_the_server_grew_by_without_what_passes():
    before = Reading(1_000_000, {"stock": 1_000, "config": 500, "ops": 100, "ledger": 100, "holds": 0})
    grown = {"stock": 11_001_000, "config": 1_000_500, "ops": 5_000_100, "ledger": 10_000_100, "holds": 0}
    after = Reading(31_000_000, grown)

    memory = memory_of(before, after, 100_000)

    assert memory.keys == {"stock": 110, "config": 10, "ops": 50, "ledger": 100}
    assert (memory.with_passing, memory.all_in) == (300, 150)
    assert told(result({(HELLO, 0): [sample(1)]}, memory=[memory])) == {"bytes a sku, all in (100,000 skus)": True}


def test_bytes_a_sku_are_not_judged_in_a_shop_too_small_to_tell():
    memory = memory_of(Reading(0, {"ops": 0, "ledger": 0}), Reading(10**6, {"ops": 0, "ledger": 0}), 1_000)

    assert memory.all_in == 1_000
    assert told(result({(HELLO, 0): [sample(1)]}, memory=[memory])) == {}


def test_processor_time_of_a_process_grows_with_its_work():
    before, own = cpu_seconds(os.getpid()), time.process_time()
    while time.process_time() - own < 0.2:
        sum(range(1_000))

    used = cpu_seconds(os.getpid()) - before

    assert used == pytest.approx(0.2, abs=0.05)


def test_the_report_and_the_file_have_every_figure(tmp_path):
    samples = {(HELLO, 0): [sample(10_000)], (ORDER, 1_000): [sample(8_000)], (ORDER, 2_000): [sample(7_900)]}
    found = result(samples, (1_000, 2_000), bursts={1_000: [exact()]}, left_out=["bulk: this service has no /bulk"])
    console = Console(width=136, file=StringIO())

    show(found, console)
    write_json(found, tmp_path / "bench.json")

    text = console.file.getvalue()
    for words in ("8,000", "0.80", "1,000 and 2,000 skus", "100 accepted, 100 refused cleanly", "has no /bulk", "met"):
        assert words in text
    written = json.loads((tmp_path / "bench.json").read_text())
    assert [row["speed"]["requests_per_second"] for row in written["rows"]] == [10_000, 8_000, 7_900]
    assert {verdict["what"] for verdict in written["verdicts"]} == set(told(found))
    assert written["options"]["sizes"] == [1_000, 2_000]
