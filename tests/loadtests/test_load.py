import json
import os
import re
import subprocess
import sys
from xml.dom import minidom

import pytest

from loadtests.book import Total, Wave
from loadtests.checks import Check
from loadtests.days import DAYS, Visit, environment, wave_ms, words
from loadtests.history import Moment, read_history
from loadtests.plots import Curve, Section, nice_top, page, plot
from tests.servers import ROOT

HISTORY = """Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,99%,Total Request Count
1000,0,,Aggregated,0.0,0.0,N/A,N/A,0
1001,50,PUT,order,7.0,0.0,2,9,100
1001,50,,Aggregated,7.0,0.0,3,9,150
1003,50,,Aggregated,8.0,0.0,4,12,950
"""


def load(*options: object, before: str = "pass") -> subprocess.CompletedProcess[str]:
    program = f"import sys; {before}; from loadtests.run import load; import typer; typer.run(load)"
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, options)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=85,
        check=False,
    )


def test_a_short_load_keeps_every_promise_and_leaves_a_report(tmp_path):
    done = load("--seconds", 3, "--skus", 300, "--only", "retries", "--out", tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    [scenario] = json.loads((tmp_path / "summary.json").read_text())["scenarios"]
    book = scenario["book"]
    assert (scenario["name"], scenario["kept"]) == ("retries", True)
    assert book["placed"] > 0
    assert book["repeated"] > 0
    assert (book["differing"], book["unexpected"], book["unanswered"]) == (0, 0, 0)
    assert {"units oversold", "accepted units = units taken from stock"} <= {one["what"] for one in scenario["checks"]}
    assert book["totals"][-1]["requests"] >= book["orders"]
    assert "retries.html" in (tmp_path / "index.html").read_text()
    assert (tmp_path / "retries.html").exists()
    assert "Every promise was kept." in done.stdout


def test_no_file_of_a_load_has_the_key(tmp_path):
    done = load("--seconds", 2, "--skus", 200, "--only", "mixed-day", "--out", tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout + done.stderr + "".join(path.read_text() for path in tmp_path.iterdir())
    assert "allot_live_" not in said


def test_without_locust_it_says_how_to_install_it(tmp_path):
    done = load("--out", tmp_path, before="sys.modules['locust'] = None")

    assert done.returncode == 2
    assert "locust is not installed" in done.stderr
    assert "'.[dev]'" in done.stderr
    assert "make load" in done.stderr


def test_a_scenario_nobody_knows_is_refused_with_those_there_are(tmp_path):
    done = load("--only", "christmas", "--out", tmp_path)

    assert done.returncode == 2
    assert "christmas" in done.stderr
    assert "power-law" in done.stderr


@pytest.mark.parametrize("day", DAYS, ids=lambda day: day.name)
def test_the_key_is_in_the_environment_of_locust_and_not_on_its_command_line(day, tmp_path):
    visit = Visit("http://127.0.0.1:1", "allot_live_secret", 100, 10, 5, tmp_path)

    assert not any("secret" in word for word in words(day, visit))
    assert environment(day, visit)["LOAD_KEY"] == "allot_live_secret"


@pytest.mark.parametrize("day", DAYS, ids=lambda day: day.name)
def test_every_scenario_has_its_class_of_users(day):
    source = (ROOT / "loadtests" / "locustfile.py").read_text()

    assert f"class {day.users_class}(Shopper):" in source


def test_a_wave_counts_when_everybody_took_part_in_it():
    waves = {"A": Wave(200, 100, 1.0, 1.05), "B": Wave(200, 100, 2.0, 2.15), "C": Wave(3, 3, 3.0, 9.0)}

    assert wave_ms(waves) == 100.0
    assert wave_ms({"C": Wave(3, 3, 3.0, 9.0)}) is None


# --- history and plots -----------------------------------------------------------------------------------------


def test_rates_are_counted_from_one_row_to_the_next(tmp_path):
    file = tmp_path / "history.csv"
    file.write_text(HISTORY)

    assert read_history(file) == [Moment(1, 150, 3, 9), Moment(3, 400, 4, 12)]


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (1, 1), (1.1, 2), (4.2, 5), (5.1, 10), (730, 1_000), (1_001, 2_000)]
)
def test_a_scale_ends_at_a_round_number(value, top):
    assert nice_top(value) == top


def test_a_plot_has_a_point_for_every_moment_inside_its_frame():
    drawn = minidom.parseString(plot("Waits <ms>", [0, 5, 10], [Curve("p50", [1, 2, 3]), Curve("p99", [9, 4, 10])]))

    lines = [line.getAttribute("points").split() for line in drawn.getElementsByTagName("polyline")]
    assert [len(points) for points in lines] == [3, 3]
    svg = drawn.documentElement
    width, height = float(svg.getAttribute("width")), float(svg.getAttribute("height"))
    for x, y in (point.split(",") for points in lines for point in points):
        assert 0 <= float(x) <= width
        assert 0 <= float(y) <= height


def test_higher_values_are_drawn_higher():
    drawn = minidom.parseString(plot("Rate", [0, 1], [Curve("rate", [10, 20])]))

    [low, high] = drawn.getElementsByTagName("polyline")[0].getAttribute("points").split()
    assert float(high.split(",")[1]) < float(low.split(",")[1])


def test_a_page_shows_every_scenario_and_what_was_broken_and_loads_nothing():
    checks = [Check("units oversold", "2 of <CUP>", kept=False), Check("answers", "0", kept=True)]
    section = Section("burst", "200 users", "burst.html", checks, [Total("order", 5, 1, 2.0, 3.0, 4.0)], [])

    shown = page("Load", ["2 cores"], [section])

    assert "BROKEN" in shown
    assert "2 of &lt;CUP&gt;" in shown
    assert 'href="burst.html"' in shown
    assert not re.search(r"(src|href)=\"https?:", shown)


KILLED_IN_THE_MIDDLE = """
import gevent
from loadtests import locustfile
told = []

@locustfile.to_the_end
def act(user):
    gevent.sleep(0.05)
    told.append(user)

user = gevent.spawn(act, "shopper")
gevent.sleep(0.01)
user.kill()
locustfile.UNDER_WAY.join(timeout=5)
print(told)
"""


def test_a_user_who_is_ended_in_the_middle_of_an_order_still_writes_down_its_answer():
    told = {"LOAD_KEY": "secret", "LOAD_SKUS": "100", "LOAD_WAVES": "1", "LOAD_BOOK": "unused"}

    done = subprocess.run(
        [sys.executable, "-c", "import locust\n" + KILLED_IN_THE_MIDDLE],
        cwd=ROOT,
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.stdout.strip() == "['shopper']", done.stderr


def test_every_act_of_a_user_is_carried_to_its_end():
    source = (ROOT / "loadtests" / "locustfile.py").read_text()

    tasks = re.findall(r"^    @task.*\n(.*)$", source, re.MULTILINE)
    assert len(tasks) == 9
    assert {line.strip() for line in tasks} == {"@to_the_end"}
