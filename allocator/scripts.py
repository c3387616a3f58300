"""
Reads lua/: one verb a file, shared parts included by name, the header understood.

`--@include NAME` stands for shared/NAME.lua as a module NAME. It is wrapped in a block of its own, which is not a
matter of taste alone: Lua walks a list of all captured locals each time a function captures one, and with all of
them in one scope making the functions cost more than the verb. A header says in its comment block what the verb does, its KEYS, ARGV,
RETURNS (outcome words, the first match wins) and what it KEEPS; tests hold the code to it.
"""

import hashlib
import re
from functools import cache
from importlib import resources
from typing import NamedTuple

_INCLUDE = re.compile(r"^--@include (\w+)$", re.MULTILINE)
_SECTION = re.compile(r"^-- ([A-Z]{4,})\b.*$", re.MULTILINE)
_KEY = re.compile(r"^--\s+\d+ (\w+)\s+(\w+)", re.MULTILINE)
_OUTCOME = re.compile(r"^--   ([a-z_]+)(?: |$)", re.MULTILINE)


class Script(NamedTuple):
    """One verb: its source as sent to the server, its own file's text, and what its header declares."""

    name: str
    source: str
    text: str
    sha: str
    purpose: str
    keys: dict[str, str]
    outcomes: list[str]
    sections: dict[str, str]


def _folder() -> resources.abc.Traversable:
    return resources.files("allocator").joinpath("lua")


def shared(name: str) -> str:
    """The text of one shared part."""
    return _folder().joinpath("shared", f"{name}.lua").read_text("utf-8")


def _module(name: str) -> str:
    return f"local {name} = {{}}\ndo\n{shared(name)}end"


def _sections(text: str) -> dict[str, str]:
    header = text.split("\n\n", 1)[0]
    marks = list(_SECTION.finditer(header))
    ends = [mark.start() for mark in marks[1:]] + [len(header)]
    return {mark[1]: header[mark.end() : end] for mark, end in zip(marks, ends, strict=True)}


def _outcomes(section: str) -> list[str]:
    return list(dict.fromkeys(_OUTCOME.findall(section)))


def read(name: str) -> Script:
    """One verb's script."""
    text = _folder().joinpath(f"{name}.lua").read_text("utf-8")
    source = _INCLUDE.sub(lambda include: _module(include[1]), text)
    sections = _sections(text)
    return Script(
        name=name,
        source=source,
        text=text,
        sha=hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest(),
        purpose=text.splitlines()[1].removeprefix(f"-- {name}: "),
        keys=dict(_KEY.findall(sections["KEYS"])),
        outcomes=_outcomes(sections["RETURNS"]),
        sections=sections,
    )


@cache
def scripts() -> dict[str, Script]:
    """Every verb by name."""
    names = sorted(file.name[:-4] for file in _folder().iterdir() if file.name.endswith(".lua"))
    return {name: read(name) for name in names}
