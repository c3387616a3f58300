"""
Which column of a file is which field: by name, or as the caller maps them.

Names are compared without case, spaces and underscores. What is wrong is said before a single row is read: a column
nobody knows, a field that is named twice, a required field that is missing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from .cells import plain
from .columns import Column
from .kinds import Kind
from .tables import FileRefused

NOTES: Final = ("rejected_line", "rejected_column", "rejected_reason")
"""What a file of refused rows has beside the original cells; an import passes over them."""


class HeaderRefused(FileRefused):
    """The columns of the file are not what the kind needs."""


class Placed(NamedTuple):
    """A column of the file: its position there, what it is, and its key where the field is a dictionary."""

    position: int
    title: str
    column: Column
    key: str


class Layout(NamedTuple):
    """How the cells of a row are read. `ignored` are titles that are not imported, `unnamed` fields not in the file."""

    width: int
    placed: tuple[Placed, ...]
    ignored: tuple[str, ...]
    unnamed: tuple[str, ...]


def fold(name: str) -> str:
    """A name as it is compared."""
    return re.sub(r"[\s_]+", "", name).casefold()


def read_mapping(options: Iterable[str]) -> dict[str, str]:
    """`Article no=sku,Menge=units`, folded title to column name. Raises HeaderRefused."""
    pairs = [pair for option in options for pair in option.split(",") if pair.strip()]
    mapping: dict[str, str] = {}
    for pair in pairs:
        title, sign, name = pair.rpartition("=")
        if not sign or not title.strip() or not name.strip():
            raise HeaderRefused(f"--map {pair.strip()!r} must read: title in the file=column")
        mapping[fold(title)] = name.strip()
    return mapping


def read_filters(options: Iterable[str]) -> dict[str, str]:
    """`category=bags`, as a list's query. Raises HeaderRefused."""
    filters = {}
    for option in options:
        name, sign, value = option.partition("=")
        if not sign:
            raise HeaderRefused(f"--only {option!r} must read: field=value")
        filters[name.strip()] = value
    return filters


def place(kind: Kind, header: Sequence[str], mapping: Mapping[str, str], *, ignore_unknown: bool) -> Layout:
    """Find every column of the kind in the header. Raises HeaderRefused with all that is wrong."""
    found = [_find(kind, position, title, mapping) for position, title in enumerate(header)]
    placed = tuple(column for column in found if column)
    strays = [title.strip() for title, column in zip(header, found, strict=True) if column is None and title.strip()]
    strays = [title for title in strays if title not in NOTES]
    read_only = set(map(fold, kind.read_only))
    unknown = [title for title in strays if fold(title) not in read_only]
    wrong = [*_unmapped(header, mapping), *_repeated(placed), *_missing(kind, placed)]
    if unknown and not ignore_unknown:
        wrong.append(
            f"nobody knows {_list(unknown)}; known are {_list(kind.titles)}. Map them (--map) or leave them out "
            "(--ignore-columns)"
        )
    if wrong:
        raise HeaderRefused(f"{kind.name}: {'; '.join(wrong)}")
    return Layout(len(header), placed, tuple(strays), _unnamed(kind, placed))


def count_known(kind: Kind, header: Sequence[str], mapping: Mapping[str, str]) -> int:
    """How many of the titles are known: by this the right delimiter shows itself."""
    return sum(_find(kind, position, title, mapping) is not None for position, title in enumerate(header))


def _find(kind: Kind, position: int, title: str, mapping: Mapping[str, str]) -> Placed | None:
    name = mapping.get(fold(title), plain(title))
    head, dot, key = name.partition(".")
    for column in kind.columns:
        if column.keyed and dot and fold(head) == fold(column.name):
            return Placed(position, title, column, key)
        if not column.keyed and fold(name) == fold(column.name):
            return Placed(position, title, column, "")
    return None


def _unmapped(header: Sequence[str], mapping: Mapping[str, str]) -> list[str]:
    titles = {fold(title) for title in header}
    absent = [title for title in mapping if title not in titles]
    return [f"--map names {_list(absent)}, which the file does not have"] if absent else []


def _repeated(placed: Sequence[Placed]) -> list[str]:
    first: dict[tuple[str, str], str] = {}
    wrong = []
    for column in placed:
        before = first.setdefault((column.column.field, column.key), column.title)
        if before is not column.title:
            wrong.append(f"{before!r} and {column.title!r} are both {column.column.field}")
    return wrong


def _missing(kind: Kind, placed: Sequence[Placed]) -> list[str]:
    there = {column.column.field for column in placed}
    missing = [column.name for column in kind.columns if column.required and column.field not in there]
    return [f"the file has no column {_list(missing)}"] if missing else []


def _unnamed(kind: Kind, placed: Sequence[Placed]) -> tuple[str, ...]:
    there = {column.column.field for column in placed}
    return tuple(column.name for column in kind.columns if column.written and column.field not in there)


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
