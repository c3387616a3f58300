"""Every mutant of allocator/lua: a copy of the library in which one small thing is another."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import tree_sitter_lua
from tree_sitter import Language, Node, Parser

from allocator.scripts import library, modules, verbs
from tests.mutation.operators import Edit, edits

LUA = Language(tree_sitter_lua.language())


class Mutant(NamedTuple):
    """
    One change of one file. Where it is, is told without line numbers: they move with every other change.

    `first` and `last` are the lines of the library that the changed statement spans; `edit` counts the library's bytes.
    """

    file: str
    function: str
    line: str
    change: str
    number: int
    first: int
    last: int
    edit: Edit

    @property
    def name(self) -> tuple[str, str, str, str]:
        """What it is called in survivors.toml."""
        return self.file, self.function, self.line, self.change

    def source(self) -> bytes:
        """The library's text with this change."""
        return _changed(source(), self.edit, 0)

    def text(self) -> str:
        """The file's text, as far as it stands in the library, with this change."""
        whole = files()[self.file]
        return _changed(whole, self.edit, source().index(whole)).decode()


def _changed(text: bytes, edit: Edit, start: int) -> bytes:
    return text[: edit.start - start] + edit.text + text[edit.end - start :]


@cache
def source() -> bytes:
    """The library's text as it is."""
    return library().source.encode()


@cache
def files() -> dict[str, bytes]:
    """Text of every file as it stands in the library."""
    found = {f"shared/{name}.lua": text.encode() for name, text in modules().items()}
    # A verb's first line, with its flags, is not part of the library.
    return found | {f"{name}.lua": text.split("\n", 1)[1].encode() for name, text in verbs().items()}


@cache
def mutants() -> list[Mutant]:
    """All of them, by file; where one line can change in the same way twice, a number tells which is meant."""
    found: list[Mutant] = []
    for file, text in sorted(files().items()):
        seen: Counter[tuple[str, str, str]] = Counter()
        for node, edit in _walk(Parser(LUA).parse(text).root_node):
            mutant = _mutant(file, text, node, edit)
            key = mutant.function, mutant.line, mutant.change
            seen[key] += 1
            change = f"{mutant.change} ({seen[key]})" if seen[key] > 1 else mutant.change
            found.append(mutant._replace(change=change, number=len(found)))
    return found


def _walk(node: Node) -> Iterator[tuple[Node, Edit]]:
    for edit in edits(node):
        yield node, edit
    for child in node.named_children:
        yield from _walk(child)


def _mutant(file: str, text: bytes, node: Node, edit: Edit) -> Mutant:
    start = source().index(text)
    top = source()[:start].count(b"\n")
    first, last = _span(node.child_by_field_name("condition") or node)
    last = max(last, text[: edit.end].count(b"\n") + 1)
    line = text.splitlines()[node.start_point.row].decode().strip()
    moved = edit._replace(start=start + edit.start, end=start + edit.end)
    return Mutant(file, _function(node), line, edit.says, 0, top + first, top + last, moved)


def _span(node: Node) -> tuple[int, int]:
    """Rows, from 1, of what runs together with this node: its statement, or the condition of its branch."""
    inner, outer = node, node.parent
    while outer is not None and outer.type not in {"block", "chunk"} and inner.type not in {"block", "chunk"}:
        if outer.type in {"if_statement", "elseif_statement", "while_statement"}:
            return outer.start_point.row + 1, inner.end_point.row + 1
        inner, outer = outer, outer.parent
    return inner.start_point.row + 1, inner.end_point.row + 1


def _function(node: Node) -> str:
    """The innermost function with a name."""
    outer: Node | None = node
    while outer is not None:
        name = outer.child_by_field_name("name")
        if outer.type == "function_declaration" and name is not None and name.text is not None:
            return name.text.decode()
        outer = outer.parent
    return ""
