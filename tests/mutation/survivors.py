"""
Mutants that may live, each with its reason: survivors.toml.

An entry names a place by file, function (empty outside of functions) and the text of the line, and the changes of it
that make no difference. An entry for a mutant that is not there any more, or that is killed, is an error.
"""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.mutation.mutants import Mutant

FILE = Path(__file__).with_name("survivors.toml")

Name = tuple[str, str, str, str]


def listed(file: Path = FILE) -> dict[Name, str]:
    """Why each mutant may live. Raises ValueError for an entry without a reason, or named twice."""
    found: dict[Name, str] = {}
    for entry in tomllib.loads(file.read_text("utf-8")).get("survivor", []):
        for name in _names(entry):
            if name in found:
                raise ValueError(f"named twice: {name}")
            if not entry["reason"].strip():
                raise ValueError(f"no reason: {name}")
            found[name] = entry["reason"]
    return found


def _names(entry: dict[str, Any]) -> list[Name]:
    return [(entry["file"], entry.get("function", ""), entry["line"], change) for change in entry["changes"]]


def outdated(known: Iterable[Name], mutants: Iterable[Mutant]) -> list[Name]:
    """Entries whose mutant is not there any more."""
    return sorted(set(known) - {mutant.name for mutant in mutants})


def as_toml(mutants: Iterable[Mutant]) -> str:
    """Entries for these, to be given a reason or, better, a test."""
    places: dict[tuple[str, str, str], list[str]] = {}
    for mutant in mutants:
        places.setdefault((mutant.file, mutant.function, mutant.line), []).append(mutant.change)
    return "\n".join(_entry(*place, changes) for place, changes in places.items())


def _entry(file: str, function: str, line: str, changes: list[str]) -> str:
    rows = ["[[survivor]]", f"file = {_quoted(file)}"]
    rows += [f"function = {_quoted(function)}"] if function else []
    listed_changes = "".join(f"\n    {_quoted(change)}," for change in changes)
    return "\n".join([*rows, f"line = {_quoted(line)}", f"changes = [{listed_changes}\n]", 'reason = ""', ""])


def _quoted(text: str) -> str:
    if "'" not in text:
        return f"'{text}'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
