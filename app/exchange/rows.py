"""From cells to what the service reads: converts, checks and refuses row by row, with the reason for a person."""

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.inspect import CollectionType, Metadata, StructType, Type, type_info

from .cells import Cell, CellRefused
from .headers import Layout
from .kinds import Kind
from .seen import Seen

EMPTY: Final = "is empty"


class Good(NamedTuple):
    """A row that can be sent; `item` has the fields the file names."""

    line: int
    cells: Sequence[Cell]
    item: dict[str, Any]


class Refused(NamedTuple):
    """A row that is refused; `column` '' is the row as a whole."""

    line: int
    cells: Sequence[Cell]
    column: str
    reason: str


class RowReader:
    """Reads the rows of one file. `padded`: the file does not keep empty cells at the end of a row."""

    def __init__(self, kind: Kind, layout: Layout, *, padded: bool) -> None:
        self._kind = kind
        self._width = layout.width
        self._padded = padded
        self._seen = Seen()
        self._titles: dict[str, str] = {
            placed.column.field: placed.column.name if placed.column.keyed else placed.title.strip()
            for placed in layout.placed
        }
        self._plan = [
            (placed.position, placed.title.strip(), placed.column.field, placed.key, placed.column)
            for placed in layout.placed
        ]
        self._hints = _descriptions(type_info(kind.type))

    def read(self, line: int, cells: Sequence[Cell]) -> Good | Refused:
        """The row as an item of its kind, or why not."""
        if len(cells) != self._width:
            fitted = self._fit(cells)
            if fitted is None:
                return Refused(line, cells, "", f"has {len(cells)} cells, the header has {self._width}")
            cells = fitted
        item = self._convert(line, cells)
        if isinstance(item, Refused):
            return item
        try:
            msgspec.convert(item, self._kind.type)
        except msgspec.ValidationError as error:
            return Refused(line, cells, *self._explain(error))
        key = tuple([item[name] for name in self._kind.key])
        if first := self._seen.first_line(key, line):
            return Refused(line, cells, self._titles[self._kind.key[0]], f"is on line {first} already")
        return Good(line, cells, item)

    def title_of(self, field: str) -> str:
        """What the file calls a field; '' when the file does not have it."""
        return self._titles.get(field, "")

    def _fit(self, cells: Sequence[Cell]) -> Sequence[Cell] | None:
        """The cells as wide as the header; None when that would lose or invent something."""
        if len(cells) < self._width:
            return [*cells, *[None] * (self._width - len(cells))] if self._padded else None
        return cells[: self._width] if all(cell is None or cell == "" for cell in cells[self._width :]) else None

    def _convert(self, line: int, cells: Sequence[Cell]) -> dict[str, Any] | Refused:
        item: dict[str, Any] = {}
        title = ""
        try:
            for position, title, field, key, column in self._plan:  # noqa: B007 the handler reads the title
                cell = cells[position]
                if cell is None or cell == "":
                    continue
                value = column.read(cell)
                if value == "" and cell != "'":
                    continue
                if column.keyed:
                    item.setdefault(field, {})[key] = value
                else:
                    item[field] = value
        except CellRefused as error:
            return Refused(line, cells, title, str(error))
        return item

    def _explain(self, error: msgspec.ValidationError) -> tuple[str, str]:
        """Column and reason, in the words of the file."""
        what, _, place = str(error).partition(" - at ")
        missing = re.search(r"required field `(\w+)`", what)
        if missing:
            field = str(missing[1])
            return self._titles.get(field, field), EMPTY
        names = re.findall(r"\w+", place)
        field = names[0] if names else ""
        hint = next((self._hints[name] for name in reversed(names) if name in self._hints), "")
        return self._titles.get(field, field), _plainly(what, hint)


def _plainly(what: str, hint: str) -> str:
    """The validator's words without its patterns."""
    if "matching regex" in what:
        return f"has characters that are not allowed{f': {hint}' if hint else ''}"
    return what.replace("Expected `str` of", "must be a text of").replace("Expected `int`", "must be a whole number")


def _descriptions(type: Type) -> dict[str, str]:
    """What the fields of a struct may hold, in words, those of structs inside it too."""
    if isinstance(type, CollectionType):
        return _descriptions(type.item_type)
    if not isinstance(type, StructType):
        return {}
    said: dict[str, str] = {}
    for field in type.fields:
        said |= _descriptions(field.type)
        if isinstance(field.type, Metadata):
            said[field.encode_name] = str((field.type.extra_json_schema or {}).get("description", ""))
    return said
