"""
Reads lua/: one verb a file, shared modules beside them, the headers understood.

All of it becomes one library of functions on the server, named after the digest of its text, so that processes of
different versions can run side by side. A library, because defining the shared modules anew for each call would cost
more than most calls.

Inside it every verb is a function of KEYS and ARGV. It sets `keys`, which the modules use, and every module that
keeps something for the length of a call forgets it when the next one begins. `--@include NAME` says which modules a
verb may use. A header says what the verb does, its KEYS, ARGV, RETURNS (outcome words, the first match wins) and what
it KEEPS; tests hold the code to it.
"""

import hashlib
import re
from functools import cache
from importlib import resources
from typing import NamedTuple

_SECTION = re.compile(r"^-- ([A-Z]{4,})\b.*$", re.MULTILINE)
_KEY = re.compile(r"^--\s+\d+ (\w+)\s+(\w+)", re.MULTILINE)
_OUTCOME = re.compile(r"^--   ([a-z_]+)(?: |$)", re.MULTILINE)
_FLAGS = re.compile(r"^#!lua(?: flags=([\w,-]+))?$", re.MULTILINE)


class Script(NamedTuple):
    """One verb: its file's text, its name on the server, and what its header declares."""

    name: str
    function: str
    text: str
    purpose: str
    keys: dict[str, str]
    outcomes: list[str]
    sections: dict[str, str]


class Library(NamedTuple):
    """Everything the server has to know: the library's name there, and its text."""

    name: str
    source: str


def _texts(folder: resources.abc.Traversable) -> dict[str, str]:
    found = sorted((file.name.removesuffix(".lua"), file) for file in folder.iterdir() if file.name.endswith(".lua"))
    return {name: file.read_text("utf-8") for name, file in found}


@cache
def verbs() -> dict[str, str]:
    """The text of every verb by name."""
    return _texts(resources.files("allocator").joinpath("lua"))


@cache
def modules() -> dict[str, str]:
    """The text of every shared module by name."""
    return _texts(resources.files("allocator").joinpath("lua", "shared"))


@cache
def library() -> Library:
    """The one library of all verbs."""
    names = ", ".join(modules())
    blocks = [f"do\n{text}end" for text in modules().values()]
    head = ["local keys", f"local {names} = {', '.join('{}' for _ in modules())}"]
    body = "\n".join([*head, *blocks, *(_registration(name, text) for name, text in verbs().items())])
    digest = hashlib.sha256(body.encode()).hexdigest()[:12]
    return Library(f"allot_{digest}", f"#!lua name=allot_{digest}\n{body.replace('@digest', digest)}")


def _registration(name: str, text: str) -> str:
    flags = _FLAGS.match(text)
    words = ", ".join(f"'{flag}'" for flag in (flags[1] or "").split(",") if flag) if flags else ""
    return (
        "do\nlocal function verb(KEYS, ARGV)\n"
        "args.begin(ARGV) stock.begin() rules.begin()\n"
        f"{text.split(chr(10), 1)[1]}end\n"
        f"redis.register_function{{ function_name = '{name}_@digest', flags = {{ {words} }},\n"
        "callback = function(KEYS, ARGV) return gate.run(verb, KEYS, ARGV) end }\nend"
    )


def _sections(text: str) -> dict[str, str]:
    header = text.split("\n\n", 1)[0]
    marks = list(_SECTION.finditer(header))
    ends = [mark.start() for mark in marks[1:]] + [len(header)]
    return {mark[1]: header[mark.end() : end] for mark, end in zip(marks, ends, strict=True)}


def _read(name: str, text: str) -> Script:
    sections = _sections(text)
    return Script(
        name=name,
        function=library().name.replace("allot", name),
        text=text,
        purpose=text.splitlines()[1].removeprefix(f"-- {name}: "),
        keys=dict(_KEY.findall(sections["KEYS"])),
        outcomes=list(dict.fromkeys(_OUTCOME.findall(sections["RETURNS"]))),
        sections=sections,
    )


@cache
def scripts() -> dict[str, Script]:
    """Every verb by name."""
    return {name: _read(name, text) for name, text in verbs().items()}
