"""The alert rules speak of metrics, labels and values that the service really has."""

import re
import shutil
import subprocess
from functools import cache

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.families import PUSH_LAG
from app.lines.lag import STAGES
from app.main import create_app
from app.metrics import COUNTERS, GAUGES, TIMINGS, Metrics, registry_of, written
from app.schedule import JOBS
from app.settings import Settings
from tests.servers import ROOT

OPS = ROOT / "ops"
RULES = yaml.safe_load((OPS / "allot.rules.yml").read_text())
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
EXPRESSIONS = {alert["alert"]: alert["expr"] for alert in ALERTS}

OF_PROMETHEUS = {"instance", "le"}
"""Labels that metrics have without our doing."""

NAME = re.compile(r"\b(?:allot|process|python)_\w+")
SELECTED = re.compile(r"(\w+)\{([^}]*)\}")
CONDITION = re.compile(r"(\w+)\s*(=~|=|!=|!~)\s*\"([^\"]*)\"")
GROUPED = re.compile(r"\bby \(([^)]*)\)")

every_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])


def labels_by_sample() -> dict[str, set[str]]:
    """What can be asked for: each sample's name with its labels."""
    known = {family.name: set(family.labels) for family in (*COUNTERS, *GAUGES)}
    for family in (*TIMINGS, PUSH_LAG):
        known |= {f"{family.name}_{part}": {*family.labels, "le"} for part in ("bucket", "sum", "count")}
    return known


@cache
def operations() -> set[str]:
    return {route.name for route in create_app(Settings(_env_file=None)).routes}


def values_of(label: str) -> set[str] | None:
    """The values a label can have, or None when a shop decides."""
    return {
        "name": {job.run.__name__ for job in JOBS},
        "operation": operations(),
        "outcome": {"done", "failed", "accepted", "replayed", "short", "at-capacity", "unroutable"},
        "source": {"own", "shared", "borrowed", "buffer", "safety", "deficit"},
        "stage": set(STAGES),
        "status": {"200", "201", "400", "500", "503"},
    }.get(label)


@every_alert
def test_an_alert_says_what_it_is_and_what_to_do(alert):
    assert alert["annotations"].keys() == {"summary", "description", "do"}
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert all(alert["annotations"].values())


@every_alert
def test_an_alert_asks_for_metrics_and_labels_that_exist(alert):
    known = labels_by_sample()

    names = NAME.findall(alert["expr"])
    selected = [
        (name, label) for name, inside in SELECTED.findall(alert["expr"]) for label, _, _ in CONDITION.findall(inside)
    ]
    grouped = {label.strip() for inside in GROUPED.findall(alert["expr"]) for label in inside.split(",")}

    assert names
    assert set(names) <= known.keys()
    assert [pair for pair in selected if pair[1] not in known[pair[0]]] == []
    assert grouped - OF_PROMETHEUS <= set.union(*(known[name] for name in names))


@every_alert
def test_an_alert_selects_values_that_occur(alert):
    for _, inside in SELECTED.findall(alert["expr"]):
        for label, how, wanted in CONDITION.findall(inside):
            pattern = re.compile(wanted if "~" in how else re.escape(wanted))
            allowed = values_of(label)
            assert allowed is None or any(pattern.fullmatch(value) for value in allowed), (label, wanted)


@every_alert
def test_the_text_of_an_alert_names_labels_that_its_result_has(alert):
    text = " ".join(alert["annotations"].values())
    wanted = set(re.findall(r"\$labels\.(\w+)", text))
    grouped = {label.strip() for inside in GROUPED.findall(alert["expr"]) for label in inside.split(",")}

    assert wanted <= grouped | {"instance"}


def test_there_is_an_alert_for_everything_that_was_promised():
    assert {
        *("AllotLowStock", "AllotOversold", "AllotDeficit", "AllotReserveInUse", "AllotUnshipped"),
        *("AllotJobFailing", "AllotReturnSpike", "AllotStoreDown", "AllotNotReady", "AllotClockPaused"),
        *("AllotLedgerGrowing", "AllotOrdersSlow", "AllotLedgerHalfFull", "AllotLedgerNearlyFull"),
        *("AllotDrainBehind", "AllotDrainStopped"),
        *("AllotChannelBehind", "AllotChannelSlow", "AllotChannelFailing", "AllotDeadListings", "AllotChannelDrifts"),
    } <= EXPRESSIONS.keys()
    assert len(EXPRESSIONS) == len(ALERTS)


def test_no_label_is_one_that_prometheus_gives_itself_and_none_is_without_a_limit():
    labels = {label for family in (*COUNTERS, *GAUGES, *TIMINGS, PUSH_LAG) for label in family.labels}

    assert not labels & {"job", "instance", "sku", "order", "external_id", "hold_id", "op", "path"}


def test_every_metric_has_a_prefix_of_ours_or_of_the_process():
    text, _ = written(registry_of(Metrics()), "")

    names = [family.name for family in text_string_to_metric_families(text.decode())]

    assert len(names) > 30
    assert [name for name in names if not name.startswith(("allot_", "process_", "python_"))] == []


if PROMTOOL := shutil.which("promtool"):
    # Where it is not installed the report says so (tests/conftest.py).
    def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([PROMTOOL, *arguments], cwd=OPS, capture_output=True, text=True, check=False)

    def test_prometheus_itself_accepts_the_rules():
        checked = promtool("check", "rules", "allot.rules.yml")

        assert checked.returncode == 0, checked.stdout + checked.stderr

    def test_the_rules_fire_when_they_should():
        tested = promtool("test", "rules", "allot.rules.test.yml")

        assert tested.returncode == 0, tested.stdout + tested.stderr
