"""
Reads a shop from a YAML file: its config, the units on its shelves and its quotas.

Only reads: who loads a seed sends it through the same verbs as everybody else. A person wrote the file by hand,
so an error says the file, the place in it and what would be right there.
"""

import re
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml
from msgspec.inspect import ListType, LiteralType, StructType, Type, type_info

from allocator.config import Config, Count
from allocator.errors import Invalid
from allocator.model import Code, Sku, Units
from allocator.rules import check

from .config.kinds import Listing

DEMO_SHOP: Final = Path(__file__).with_name("demo_shop.yaml")
"""A small bicycle shop that ships with the package."""


class SeedStock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units that are received at a location when the seed is loaded."""

    sku: Sku
    location: Code
    units: Units


class SeedQuota(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units ring-fenced for a channel at a location; `floor` of them nobody may borrow."""

    sku: Sku
    location: Code
    channel: Code
    units: Count
    floor: Count = 0


class Seed(Config, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole shop: everything a Config has, with listings, stock and quotas."""

    listings: list[Listing] = msgspec.field(default_factory=list)
    stock: list[SeedStock] = msgspec.field(default_factory=list)
    quotas: list[SeedQuota] = msgspec.field(default_factory=list)

    def config(self) -> Config:
        """The part that operators decide."""
        return Config(**{field: getattr(self, field) for field in Config.__struct_fields__})


def load_seed(path: Path) -> Seed:
    """
    Read a seed file. Raises Invalid, with the facts file, where (a path such as channels[2].overflow) and allowed.

    What it returns is consistent: its config passes `rules.check`, and stock and quotas name what is in it.
    """
    try:
        seed = _convert(_parse(path))
        check(seed)
        _check_rows(seed)
    except Invalid as error:
        raise Invalid(f"{path}: {error}", {"file": str(path), **error.facts}) from error
    return seed


_SafeLoader: Final[type[yaml.SafeLoader]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C is ten times faster; it is not in every build."""


class _Loader(_SafeLoader):  # type: ignore[misc,valid-type] # which of the two is known when it runs
    """YAML without code, and without a second `channels:` that silently replaces the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.constructor.ConstructorError(problem=f"{name} is here twice", problem_mark=key.start_mark)
            seen.add(name)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def _parse(path: Path) -> Any:
    try:
        loader = _Loader(path.read_text("utf-8"))
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except OSError as error:
        raise Invalid(f"cannot be read: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        raise Invalid(f"{_line(error.problem_mark)}: {error.problem}", {"where": _line(error.problem_mark)}) from error
    except (ValueError, yaml.YAMLError) as error:  # not UTF-8, or a date like 2024-02-30
        raise Invalid(f"cannot be read: {error}") from error


def _line(mark: yaml.Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"


def _convert(document: Any) -> Seed:
    try:
        return msgspec.convert(document, Seed)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at ")
        raise _wrong(message, re.sub(r"`key` in |[`$]", "", place).removeprefix(".")) from error


def _wrong(message: str, where: str) -> Invalid:
    """The error of a value of the wrong form, with what would be right."""
    if re.match(r"Expected `str`, got `(?!array|object|null)", message):
        message += "; put it in quotes"
    allowed = _allowed(where)
    if allowed:
        message += f"; allowed: {', '.join(allowed)}"
    facts = {"where": where, **({"allowed": allowed} if allowed else {})}
    return Invalid(f"{where or 'the document'}: {message}", facts)


def _allowed(where: str) -> list[str]:
    """The fields of the object there, or the words of the choice there; nothing for anything else."""
    here: Type = type_info(Seed)
    for name in re.findall(r"[a-z_]+", where):
        here = _field_type(here, name)
    if isinstance(here, StructType):
        return [field.name for field in here.fields]
    return sorted(map(str, here.values)) if isinstance(here, LiteralType) else []


def _field_type(here: Type, name: str) -> Type:
    assert isinstance(here, StructType), here
    found = next(field.type for field in here.fields if field.name == name)
    return found.item_type if isinstance(found, ListType) else found


def _check_rows(seed: Seed) -> None:
    known = {
        "sku": {sku.sku for sku in seed.skus},
        "location": {location.code for location in seed.locations},
        "channel": {channel.code for channel in seed.channels},
    }
    _check_names("listings", seed.listings, ("sku", "channel"), known, ("channel", "listing"))
    _check_names("stock", seed.stock, ("sku", "location"), known)
    _check_names("quotas", seed.quotas, ("sku", "location", "channel"), known)
    sells_from = {channel.code: {shelf.code for shelf in channel.locations} for channel in seed.channels}
    for position, quota in enumerate(seed.quotas):
        _check_quota(f"quotas[{position}]", quota, sells_from[quota.channel])


def _check_names(
    section: str, rows: Any, fields: tuple[str, ...], known: dict[str, set[str]], key: tuple[str, ...] = ()
) -> None:
    """Every row names what exists, and no two rows have the same key: the same names unless another one is said."""
    seen: dict[tuple[str, ...], int] = {}
    for position, row in enumerate(rows):
        for field in fields:
            if getattr(row, field) not in known[field]:
                name = getattr(row, field)
                _refuse(f"{section}[{position}].{field}", name, f"no such {field}: {name!r}")
        names = tuple(getattr(row, field) for field in key or fields)
        first = seen.setdefault(names, position)
        if first != position:
            same = ", ".join(key or fields)
            _refuse(f"{section}[{position}]", list(names), f"{section}[{first}] is for the same {same}")


def _check_quota(where: str, quota: SeedQuota, sells_from: set[str]) -> None:
    if quota.location not in sells_from:
        _refuse(f"{where}.location", quota.location, f"{quota.channel!r} does not sell from {quota.location!r}")
    if quota.floor > quota.units:
        _refuse(f"{where}.floor", quota.floor, f"the floor is more than the quota's {quota.units} units")


def _refuse(where: str, value: object, why: str) -> None:
    raise Invalid(f"{where}: {why}", {"where": where, "value": value})
