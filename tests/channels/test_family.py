"""Every channel has its five places."""

import inspect
import re

import pytest

import channels
from channels import CHANNELS
from tests.servers import ROOT

NAMES = sorted(CHANNELS)


def test_there_is_no_connector_that_is_not_in_the_family():
    folders = {path.name for path in (ROOT / "channels").iterdir() if (path / "connector.py").exists()}

    assert folders == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_has_a_sandbox_and_its_tests(name: str):
    assert (ROOT / "channels" / "sandbox" / f"{name}.py").exists()
    tests = (ROOT / "tests" / "channels" / f"test_{name}.py").read_text()
    assert re.search(r"^class Test\w+\(.*(ChannelContract|StockContract)\):", tests, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_is_in_the_readme_with_what_its_number_means(name: str):
    readme = (ROOT / "README.md").read_text()

    assert f"| `{name}` | {CHANNELS[name].facts.counts} |" in readme


@pytest.mark.parametrize("name", NAMES)
def test_says_where_its_vendors_documentation_is(name: str):
    connector = CHANNELS[name]

    assert connector.facts.docs in (inspect.getmodule(connector).__doc__ or "")


@pytest.mark.parametrize("name", NAMES)
def test_keeps_no_secret_where_settings_are_shown(name: str):
    settings = set(CHANNELS[name].settings_type.__struct_fields__)

    assert not {field for field in settings if "secret" in field or "token" in field or "password" in field}


def test_the_checklist_names_the_places_there_are():
    checklist = (ROOT / "channels" / "ADDING_A_CHANNEL.md").read_text()

    assert [line for line in checklist.splitlines() if line[:2] in {f"{number}." for number in range(1, 6)}]
    assert channels.__doc__
