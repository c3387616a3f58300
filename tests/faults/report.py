"""
What the terminal says about these tests: the counts of every scenario, and whether there is a compiler.

A plugin and not part of conftest.py: with pytest-xdist the process that reports has not read the conftest.py of this
folder.
"""

import os
from collections.abc import Iterator
from typing import Any, Final

import pytest

from .compiler import compiler, says

LINE: Final = "faults: counts"
SEED: Final = "faults: seed"
REQUIRED: Final = "ALLOT_TEST_COMPILER"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_compiler: builds the library that loses what was not fsynced")
    if os.environ.get(REQUIRED) and compiler() is None:
        message = f"{REQUIRED} is set, but {says()}"
        raise pytest.UsageError(message)


def pytest_report_header() -> list[str]:
    return [says()]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if compiler() is not None:
        return
    without = [item for item in items if item.get_closest_marker("needs_compiler")]
    config.hook.pytest_deselected(items=without)
    items[:] = [item for item in items if item not in without]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(says())
    for report in _reports(terminalreporter):
        told = dict(report.user_properties)
        if LINE in told:
            again = f" (ALLOT_TORTURE_SEED={told[SEED]})" if report.failed else ""
            terminalreporter.write_line(f"{told[LINE]}{again}")


def _reports(terminalreporter: pytest.TerminalReporter) -> Iterator[Any]:
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            if getattr(report, "when", "") == "call":
                yield report
