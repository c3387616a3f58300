"""
The columns of a kind, made from the type its rows are decoded to: one column a field.

A field that is a dictionary is as many columns as it has keys, `attributes.color`; a ranked list of locations is one
cell, `utrecht*;gent`; a list of other things with fields is JSON; hundredths of a percent may also be given as
`percent`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.inspect import (
    BoolType,
    CollectionType,
    DateTimeType,
    DictType,
    Field,
    FloatType,
    IntType,
    LiteralType,
    Metadata,
    NoneType,
    StructType,
    Type,
    UnionType,
    type_info,
)

from . import cells
from .cells import EMPTY_TEXT, Cell

BASIS_POINTS: Final = "_bp"
"""How fields in hundredths of a percent end."""

EMPTY: Final[tuple[Any, ...]] = ("", [], ())

Read = Callable[[Cell], Any]
Write = Callable[[Any], Cell]


class Column(NamedTuple):
    """
    One column.

    `field` is where its value goes; `keyed` when the field is a dictionary and each of its keys a column. `written` is
    False for a second way to say the same. `default` is what an empty cell means.
    """

    name: str
    field: str
    read: Read
    write: Write
    required: bool = False
    keyed: bool = False
    written: bool = True
    default: Any = None

    def cell(self, value: Any) -> Cell:
        """The cell of a value; what is empty says so where an empty cell would mean something else."""
        if value is None:
            return ""
        if value in EMPTY:
            return "" if self.default in EMPTY and not self.keyed else EMPTY_TEXT
        return self.write(value)


def make_columns(type: type[msgspec.Struct]) -> tuple[Column, ...]:
    """The columns of a struct in the order of its fields."""
    info = type_info(type)
    assert isinstance(info, StructType)
    return tuple(column for field in info.fields for column in _columns(field))


def _columns(field: Field) -> Iterable[Column]:
    type = _bare(field.type)
    if isinstance(type, DictType):
        ways = _ways(_bare(type.value_type))
        yield Column(field.encode_name, field.encode_name, *ways, keyed=True)
        return
    ways = _ways(type)
    column = Column(field.encode_name, field.encode_name, *ways, required=field.required, default=_default(field))
    yield column
    if field.encode_name.endswith(BASIS_POINTS):
        name = field.encode_name.removesuffix(BASIS_POINTS)
        yield column._replace(name=name, read=cells.read_percent, required=False, written=False)


def _default(field: Field) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return None if field.default is msgspec.NODEFAULT else field.default


def _ways(type: Type) -> tuple[Read, Write]:
    """How cells of this type are read and written."""
    if isinstance(type, CollectionType):
        return _list_ways(type)
    if isinstance(type, LiteralType):
        return cells.read_word(_folded(type.values)), str
    return _PLAIN_WAYS.get(type.__class__, (cells.plain, cells.protect))


def _list_ways(type: CollectionType) -> tuple[Read, Write]:
    item = _bare(type.item_type)
    if not isinstance(item, StructType):
        return cells.read_list, cells.write_list
    names = {field.encode_name for field in item.fields}
    if names != {"code", "own_shelf"}:
        return cells.read_rows, cells.write_rows
    return cells.read_shelves, cells.write_shelves


def _folded(words: Iterable[Any]) -> Mapping[str, str]:
    return {str(word).casefold(): str(word) for word in words}


def _bare(type: Type) -> Type:
    """The type without its description, and without None beside it."""
    if isinstance(type, Metadata):
        return _bare(type.type)
    if isinstance(type, UnionType):
        return _bare(next(part for part in type.types if not isinstance(part, NoneType)))
    return type


def _itself(value: Any) -> Any:
    return value


_PLAIN_WAYS: Final[Mapping[type[Type], tuple[Read, Write]]] = {
    IntType: (cells.read_whole, _itself),
    FloatType: (cells.read_decimal, cells.write_decimal),
    BoolType: (cells.read_yes, cells.write_yes),
    DateTimeType: (cells.read_time, str),
}
