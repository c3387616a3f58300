"""Tests that run locust are for where it is installed, and say so where it is not."""

from importlib.util import find_spec

import pytest

HAS_LOCUST = find_spec("locust") is not None
SAYS = "locust: present" if HAS_LOCUST else "locust: not installed, so the tests that run it did not (extra `load`)"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_locust: runs locust, which is in the extra `load`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if HAS_LOCUST:
        return
    without = [item for item in items if item.get_closest_marker("needs_locust")]
    config.hook.pytest_deselected(items=without)
    items[:] = [item for item in items if item not in without]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(SAYS)
