"""What the README promises is what the code has."""

import re

from app.settings import Settings
from tests.servers import ROOT

README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def test_every_setting_is_in_the_settings_table():
    named = set(re.findall(r"^\| `(ALLOT_\w+)` \|", README, re.MULTILINE))

    assert named == {f"ALLOT_{name.upper()}" for name in Settings.model_fields}


def test_every_setting_is_described_as_in_the_code_with_its_default():
    rows = re.findall(r"^\| `ALLOT_(\w+)` \| (.*?) \| (.*) \|$", README, re.MULTILINE)

    for name, default, description in rows:
        field = Settings.model_fields[name.lower()]
        assert description == field.description
        assert default.strip() == shown(field.default)


def shown(default: object) -> str:
    """A default as the table shows it: nothing for none of them, and words as they stand in the environment."""
    if default is None or default == frozenset():
        return ""
    if isinstance(default, tuple):
        return f"`{','.join(default)}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_every_make_command_it_names_exists():
    named = set(re.findall(r"make (\w+)", README)) - {"sense"}

    assert named <= set(re.findall(r"^(\w+):", MAKEFILE, re.MULTILINE))


def test_every_path_it_names_exists():
    paths = re.findall(r"`((?:app|allocator|tests|channels|loadtests|ops)/[\w./]*)`", README)

    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_nothing_is_left_to_be_filled_in():
    assert "<!--" not in README
