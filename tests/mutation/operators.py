"""
What is changed in the Lua, one small thing at a time: the mistakes that people make and reviewers overlook.

Each operator looks at one node of the syntax tree and says what else could stand there.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tree_sitter import Node


class Edit(NamedTuple):
    """Other bytes for those from `start` to `end` of a file, and the change in words."""

    start: int
    end: int
    text: bytes
    says: str


SWAPS = {
    "+": ["-"],
    "-": ["+"],
    "*": ["/"],
    "/": ["*"],
    "%": ["*"],
    "<": ["<=", ">="],
    ">": [">=", "<="],
    "<=": ["<", ">"],
    ">=": [">", "<"],
    "==": ["~="],
    "~=": ["=="],
    "and": ["or"],
    "or": ["and"],
}
"""Operators of two operands, and what each is mistaken for."""

TWINS = {"math.min": "math.max", "math.max": "math.min", "math.floor": "math.ceil", "math.ceil": "math.floor"}
"""Functions that are mistaken for each other."""

SIMPLE = {"assignment_statement", "function_call"}
BLOCKS = {"block", "chunk"}
BUGS_ONLY = {"assert", "error"}
"""What these say is for whoever wrote a bug; no caller ever hears it."""


def edits(node: Node) -> Iterator[Edit]:
    """Everything that this node could be mistaken for."""
    operator = OPERATORS.get(node.type)
    if operator:
        yield from operator(node)
    if node.parent is not None and node.parent.type in BLOCKS:
        yield from _statement(node)


def _instead(node: Node, text: str, says: str | None = None) -> Edit:
    return Edit(node.start_byte, node.end_byte, text.encode(), says or f"{_text(node)} becomes {text}")


def _text(node: Node) -> str:
    assert node.text is not None
    return re.sub(r"\s+", " ", node.text.decode())


def _part(node: Node, name: str) -> Node:
    found = node.child_by_field_name(name)
    assert found is not None
    return found


# --- expressions ---------------------------------------------------------------------------------------------------


def _binary(node: Node) -> Iterator[Edit]:
    operator = node.children[1]
    for other in SWAPS.get(operator.type, ()):
        yield _instead(operator, other)
    if operator.type in {"and", "or"}:
        if _part(node, "right").type != "nil":  # false instead of nil is the same to whoever asks
            yield _only(node, "left")
        yield _only(node, "right")
    if operator.type == "..":
        yield _only(node, "left")


def _only(node: Node, side: str) -> Edit:
    kept = _part(node, side)
    assert kept.text is not None
    return _instead(node, f"({kept.text.decode()})", f"{_text(node)} becomes its {side} side")


def _unary(node: Node) -> Iterator[Edit]:
    operator, operand = node.children
    assert operand.text is not None
    if operator.type == "#":
        if not _ends_steps(node):
            yield _instead(node, f"(#{operand.text.decode()} - 1)", f"{_text(node)} becomes one less")
    else:
        # A blank, so that a number or name does not grow together with the word before it.
        yield _instead(node, f" {operand.text.decode()}", f"{_text(node)} loses its {operator.type}")


def _ends_steps(node: Node) -> bool:
    """Whether a loop goes up to here from the first row to the last: where rows are several values wide, one less is no
    row less."""
    clause = node.parent
    if clause is None or clause.type != "for_numeric_clause" or clause.child_by_field_name("step") is None:
        return False
    return _text(_part(clause, "start")) in {"1", "FIRST", "stock.FIRST"}


def _number(node: Node) -> Iterator[Edit]:
    value = float(_text(node))
    if value % 1 == 0:
        for step in (-1, 1):
            if (
                value + step >= 0
                and step != _as_well(node)
                and not (value == 1 and step == -1 and _first_of_text(node))
            ):
                yield _instead(node, f"{value + step:.0f}")


def _as_well(node: Node) -> int:
    """The step that a change of the comparison is as well: `x < 4` with another sign is `x <= 4`, which is `x < 5`."""
    whole = node.parent
    if whole is None or whole.type != "binary_expression" or whole.children[-1] != node:
        return 0
    return {"<": 1, "<=": -1, ">": -1, ">=": 1}.get(whole.children[1].type, 0)


def _first_of_text(node: Node) -> bool:
    """Whether it is where a part of a text begins: text is counted from 1, and 0 is taken for that."""
    arguments = node.parent
    call = arguments.parent if arguments is not None and arguments.type == "arguments" else None
    if arguments is None or call is None or arguments.named_children[0] != node:
        return False
    return _text(_part(call, "name")).endswith((":sub", ":byte"))


def _string(node: Node) -> Iterator[Edit]:
    call = node.parent.parent if node.parent is not None else None
    if call is None or call.type != "function_call" or _text(_part(call, "name")) not in BUGS_ONLY:
        said = _text(node)
        yield _instead(node, f"{said[:-1]}~{said[-1]}")


def _flip(other: str) -> Callable[[Node], Iterator[Edit]]:
    return lambda node: iter([_instead(node, other)])


def _name(node: Node) -> Iterator[Edit]:
    if _text(node) in TWINS:
        yield _instead(node, TWINS[_text(node)])


# --- statements ----------------------------------------------------------------------------------------------------


def _branch(node: Node) -> Iterator[Edit]:
    condition = _part(node, "condition")
    yield _instead(condition, "false", f"{_head(node)} never")
    if node.type != "while_statement":
        yield _instead(condition, "true", f"{_head(node)} always")


def _head(node: Node) -> str:
    return f"{node.children[0].type} {_text(_part(node, 'condition'))}"


def _else(node: Node) -> Iterator[Edit]:
    yield _instead(node, "", "else is dropped")


def _statement(node: Node) -> Iterator[Edit]:
    if node.type in SIMPLE | {"return_statement", "break_statement"}:
        yield _instead(node, " ", f"{_short(node)} is dropped")
    after = node.next_named_sibling
    if node.type in SIMPLE and after is not None and after.type in SIMPLE and _depend(node, after):
        assert node.text is not None
        assert after.text is not None
        swapped = f"{after.text.decode()}\n{node.text.decode()}"
        yield Edit(node.start_byte, after.end_byte, swapped.encode(), f"{_short(node)} changes places with the next")


def _short(node: Node) -> str:
    said = _text(node)
    return said if len(said) <= 60 else f"{said[:57]}..."


def _depend(one: Node, other: Node) -> bool:
    """Whether the order of two statements may matter: both do something, or one sets what the other reads or sets."""
    if one.type == other.type == "function_call":
        return _key(one) == _key(other) or not _key(one) or not _key(other)
    return any(
        _same_place(place, read)
        for setting, reading in ((one, other), (other, one))
        for place in _sets(setting)
        for read in {*_reads(reading), *_sets(reading)}
    )


def _key(call: Node) -> str:
    """The key that a command is about, or nothing for other calls."""
    if _text(_part(call, "name")) != "redis.call":
        return ""
    return _text(_part(call, "arguments").named_children[1])


def _same_place(one: str, other: str) -> bool:
    """Whether one is the other, or a part of it."""
    return f"{one}.".startswith((f"{other}.", f"{other}[")) or f"{other}.".startswith((f"{one}.", f"{one}["))


def _sets(node: Node) -> set[str]:
    return (
        {_text(target) for target in node.children[0].named_children} if node.type == "assignment_statement" else set()
    )


def _reads(node: Node) -> set[str]:
    """Everything named, each name as long as it is; what is only set is no reading."""
    if node.type in {"identifier", "dot_index_expression", "bracket_index_expression"}:
        inner = node.child_by_field_name("field") if node.type == "bracket_index_expression" else None
        return {_text(node)} | (_reads(inner) if inner is not None else set())
    if node.type == "variable_list":
        indexes = [target.child_by_field_name("field") for target in node.named_children]
        return {name for index in indexes if index is not None and index.type != "identifier" for name in _reads(index)}
    return {name for child in node.named_children for name in _reads(child)}


OPERATORS: dict[str, Callable[[Node], Iterator[Edit]]] = {
    "binary_expression": _binary,
    "unary_expression": _unary,
    "number": _number,
    "string": _string,
    "true": _flip("false"),
    "false": _flip("true"),
    "dot_index_expression": _name,
    "if_statement": _branch,
    "elseif_statement": _branch,
    "while_statement": _branch,
    "else_statement": _else,
}
"""By the kind of node in the grammar of Lua."""
