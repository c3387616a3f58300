"""
Which channels and locations a request names.

Found by the names of fields, once for each type that a request is read into, so that an endpoint that is added later
is held to a key's limits like every other, without a line of its own.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.inspect import CollectionType, DictType, StructType, Type, UnionType, type_info

Named = tuple[str, str, str]
"""(kind, code, where): kind "channel" or "location", code '' for what was left out."""

KINDS: Final = {
    "channel": "channel",
    "channels": "channel",
    "from_channel": "channel",
    "to_channel": "channel",
    "location": "location",
    "locations": "location",
    "from_location": "location",
    "to_location": "location",
    "at": "location",
    "prefer": "location",
    "shipped_from": "location",
}
"""Fields that name a channel or a location; a new one with another name belongs in here."""

WISHES: Final = frozenset({"prefer"})
"""Fields that may be left out by a limited key too: nothing happens anywhere because of that."""


class _Step(NamedTuple):
    name: str
    shown: str
    kind: str
    inside: tuple["_Step", ...]


class Reach:
    """The channels and locations that values of one type name; false when they can name none."""

    def __init__(self, type: Any) -> None:
        self._steps = _steps(type_info(type), ())

    def __bool__(self) -> bool:
        return bool(self._steps)

    @property
    def kinds(self) -> frozenset[str]:
        """Of which kinds values of this type name something."""
        return frozenset(_kinds(self._steps))

    def named(self, value: Any) -> list[Named]:
        """Everything this value names, with what it leaves out."""
        return list(_named(value, self._steps, ""))


def _steps(type: Type, above: tuple[type, ...]) -> tuple[_Step, ...]:
    return tuple(step for struct in _structs(type) if struct.cls not in above for step in _of_struct(struct, above))


def _of_struct(struct: StructType, above: tuple[type, ...]) -> Iterator[_Step]:
    for field in struct.fields:
        kind = KINDS.get(field.name, "")
        inside = () if kind else _steps(field.type, (*above, struct.cls))
        if kind or inside:
            yield _Step(field.name, field.encode_name, kind, inside)


def _structs(type: Type) -> list[StructType]:
    """The structs that a value of this type is or holds directly."""
    if isinstance(type, StructType):
        return [type]
    if isinstance(type, UnionType):
        return [struct for part in type.types for struct in _structs(part)]
    if isinstance(type, CollectionType):
        return _structs(type.item_type)
    return _structs(type.value_type) if isinstance(type, DictType) else []


def _kinds(steps: tuple[_Step, ...]) -> Iterator[str]:
    for step in steps:
        yield from [step.kind] if step.kind else _kinds(step.inside)


def _named(value: Any, steps: tuple[_Step, ...], place: str) -> Iterator[Named]:
    for step in steps:
        items = _items(getattr(value, step.name, None))
        where = f"{place}/{step.shown}"
        if not items:
            yield from _left_out(step, where)
        for item in items:
            if step.kind:
                yield step.kind, item if isinstance(item, str) else getattr(item, "code", ""), where
            else:
                yield from _named(item, step.inside, where)


def _left_out(step: _Step, where: str) -> Iterator[Named]:
    """No lines at all usually means all there are, so what they would name is left out too."""
    if step.name in WISHES:
        return
    for kind in dict.fromkeys([step.kind] if step.kind else _kinds(step.inside)):
        yield kind, "", where


def _items(found: Any) -> list[Any]:
    if found is None or found is msgspec.UNSET or found == "":
        return []
    if isinstance(found, dict):
        return list(found.values())
    return list(found) if isinstance(found, list | tuple | set | frozenset) else [found]
