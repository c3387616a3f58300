"""
Compiles what a change touches, and nothing else.

`allocator.rules.compile_config` is the only compiler. It is given all locations, channels, zones, carriers and reasons,
and of skus and rules those whose sheet the change touches; of its fields the touched ones are kept, and a touched field
that it does not make is removed.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final

from allocator import Channel, Config, ConfigChange
from allocator.rules import compile_config

from .errors import TooMuch
from .kinds import RuleConfig
from .picture import Picture, Row

FIELDS_MAX: Final = 1_000
"""Most fields that one flip carries."""


def compile_rows(picture: Picture, rows: Sequence[Row], *, base: int, version: int) -> ConfigChange:
    """The change of the compiled config; `picture` shows these rows' after. Raises Invalid, TooMuch."""
    touched = touched_fields(picture, rows)
    if len(touched) > FIELDS_MAX:
        says = f"the change touches {len(touched)} compiled fields, one may touch {FIELDS_MAX}: send it in parts"
        raise TooMuch(says, touched=len(touched), most=FIELDS_MAX)
    compiled = compile_config(_partial(picture, touched))
    made = [row.key for row in rows if row.kind == "skus" and row.before is None]
    fields = {field: compiled[field] for field in sorted(touched) if field in compiled}
    return ConfigChange(base, version, fields, sorted(touched - compiled.keys()), made)


def touched_fields(picture: Picture, rows: Iterable[Row]) -> set[str]:
    """The fields of the compiled config that these rows may change."""
    fields: set[str] = set()
    for row in rows:
        if row.kind == "locations":
            fields |= {"document", "locations", *_selling_from(picture.channels, row.key)}
        elif row.kind == "channels":
            fields |= {"document", "ranks", f"channel:{row.key}"}
        elif row.kind in {"zones", "carriers", "reasons"}:
            fields.add("document")
        elif row.kind == "skus":
            fields.add(f"sku:{row.key}")
        elif row.kind == "rules":
            fields |= {sheet_of(entry.item) for entry in row.entries if isinstance(entry.item, RuleConfig)}
    return fields


def sheet_of(rule: RuleConfig) -> str:
    """The compiled field that has the rule."""
    if rule.sku:
        return f"sku:{rule.sku}"
    return f"category:{rule.category}" if rule.category else "rules"


def _selling_from(channels: Iterable[Channel], location: str) -> Iterable[str]:
    return (
        f"channel:{channel.code}" for channel in channels if location in {shelf.code for shelf in channel.locations}
    )


_code = attrgetter("code")


def _partial(picture: Picture, touched: set[str]) -> Config:
    return Config(
        locations=picture.locations,
        channels=picture.channels,
        zones=picture.zones,
        carriers=picture.carriers,
        reasons=picture.reasons,
        skus=[sku for sku in picture.skus if f"sku:{sku.sku}" in touched],
        rules=[rule for rule in winners(picture.rules) if sheet_of(rule) in touched],
    )


def winners(rules: Iterable[tuple[RuleConfig, bool]]) -> list[RuleConfig]:
    """The rules in force, one a scope: one with a window wins over the one without, while its window is open."""
    best: dict[tuple[str, ...], RuleConfig] = {}
    for rule, in_force in rules:
        if in_force:
            best[rule.scope] = max(best.get(rule.scope, rule), rule, key=_precedence)
    return list(best.values())


def _precedence(rule: RuleConfig) -> tuple[bool, int, str]:
    return rule.has_window, rule.window_ms[0], rule.id
