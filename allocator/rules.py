"""
Turns what operators decided into the fields that the scripts read.

A script unpacks three or four small fields instead of the whole document: the channel it sells for, the sheet
of each sku, of its category, and the base sheet. Every value has the same bytes for the same meaning, so that
`changed_fields` finds what a new config really changes.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn
from zoneinfo import ZoneInfo

import msgspec

from .config import Carrier, Channel, Config, Location, Rule, SkuConfig
from .errors import Invalid
from .ranking import RANKINGS

_pack = msgspec.msgpack.Encoder(order="deterministic").encode
_write = msgspec.json.Encoder(order="deterministic").encode
_read = msgspec.json.Decoder(Config).decode


class Sheet(msgspec.Struct, array_like=True):
    """
    The rules of one scope: per kind, place -> value.

    A place is a location (safety_stock) or a channel (the other kinds), '' means every place. Of the sheets that
    speak of a sku the script takes the first value it finds in this order, and never adds two together:

        sku[place]  category[place]  sku['']  category['']  base[place]  base['']

    category is that of a sku's sheet, '' on the others. A buffer is [units, hundredths of a percent].
    """

    category: str = ""
    safety_stock: dict[str, int] = {}
    buffer: dict[str, tuple[int, int]] = {}
    cutoff: dict[str, int] = {}
    max_published: dict[str, int] = {}


class ChannelEntry(msgspec.Struct, array_like=True):
    """A channel as the scripts read it; locations are (code, own shelf 0/1, active 0/1) in the channel's order."""

    rank: int
    overflow: str
    split_limit: int
    demand: str
    locations: list[tuple[str, int, int]]


def compile_config(config: Config) -> dict[str, bytes]:
    """
    Turn a config into the fields of the `config` hash. Raises Invalid as `check` does.

        document         JSON      the config without skus and rules: what a process needs for ranking
        locations        msgpack   location -> 1 active, 0 inactive
        ranks            msgpack   channel -> rank
        channel:<code>   msgpack   a ChannelEntry, as an array
        rules            msgpack   the base Sheet: rules without sku and category
        category:<name>  msgpack   the Sheet of a category that has rules
        sku:<sku>        msgpack   the Sheet of a sku that has a category or rules
    """
    check(config)
    return {
        "document": _write(_document(config)),
        "locations": _pack({location.code: int(location.active) for location in config.locations}),
        "ranks": _pack({channel.code: channel.rank for channel in config.channels}),
        **{field: _pack(entry) for field, entry in _channel_entries(config)},
        **{field: _pack(sheet) for field, sheet in _sheets(config).items()},
    }


def _document(config: Config) -> Config:
    # Not a copy with other skus: a config may be one of a larger kind.
    return Config(
        locations=config.locations,
        channels=config.channels,
        zones=config.zones,
        carriers=config.carriers,
        reasons=config.reasons,
    )


def read_document(document: bytes) -> Config:
    """Read the field `document` back; its skus and rules are empty."""
    return _read(document)


def changed_fields(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> tuple[dict[str, bytes], list[str]]:
    """Say which fields to set and which to remove so that `old` becomes `new`."""
    changed = {field: value for field, value in new.items() if old.get(field) != value}
    return changed, sorted(old.keys() - new.keys())


def _channel_entries(config: Config) -> Iterable[tuple[str, ChannelEntry]]:
    active = {location.code: int(location.active) for location in config.locations}
    for channel in config.channels:
        shelves = [(shelf.code, int(shelf.own_shelf), active[shelf.code]) for shelf in channel.locations]
        entry = ChannelEntry(channel.rank, channel.overflow, channel.split_limit, channel.demand, shelves)
        yield f"channel:{channel.code}", entry


def _sheets(config: Config) -> dict[str, Sheet]:
    categories = {sku.sku: sku.category for sku in config.skus}
    sheets = {f"sku:{sku}": Sheet(category) for sku, category in categories.items() if category}
    sheets["rules"] = Sheet()
    for rule in config.rules:
        sheet = sheets.setdefault(_field(rule), Sheet())
        getattr(sheet, rule.kind)[rule.location or rule.channel] = _value(rule)
    return sheets


def _field(rule: Rule) -> str:
    if rule.sku:
        return f"sku:{rule.sku}"
    return f"category:{rule.category}" if rule.category else "rules"


def _value(rule: Rule) -> int | tuple[int, int]:
    return (rule.units, rule.percent_bp) if rule.kind == "buffer" else rule.units


# --- what a config must keep -----------------------------------------------------------------------------------


class Known(NamedTuple):
    """The codes that the rest of the document may name."""

    locations: Collection[str]
    channels: Collection[str]
    skus: Collection[str]
    zones: Collection[str]
    carriers: Collection[str] = ()


def check(config: Config) -> None:
    """
    Raise Invalid for the first part of a config that contradicts another part.

    facts: where (a path such as rules[3].location), value, and `allowed` where the choice is short.
    """
    known = Known(
        locations=_once("locations", "code", [location.code for location in config.locations]),
        channels=_once("channels", "code", [channel.code for channel in config.channels]),
        skus=_once("skus", "sku", [sku.sku for sku in config.skus]),
        zones=set(config.zones.values()),
        carriers=_once("carriers", "code", [carrier.code for carrier in config.carriers]),
    )
    for position, carrier in enumerate(config.carriers):
        check_carrier(f"carriers[{position}]", carrier)
    _once("reasons", "code", [reason.code for reason in config.reasons])
    for position, location in enumerate(config.locations):
        check_location(f"locations[{position}]", location, known)
    for position, channel in enumerate(config.channels):
        check_channel(f"channels[{position}]", channel, known)
    for position, sku in enumerate(config.skus):
        check_sku(f"skus[{position}]", sku)
    for position, rule in enumerate(config.rules):
        check_rule(f"rules[{position}]", rule, known)
    _check_scopes(config.rules)


def check_location(where: str, location: Location, known: Known) -> None:
    """Raise Invalid for what contradicts itself in a location, or names what is not known."""
    if (location.latitude is None) != (location.longitude is None):
        _refuse(f"{where}.latitude", location.latitude, "latitude and longitude belong together")
    for zone in location.costs:
        if zone not in known.zones:
            _refuse(f"{where}.costs", zone, f"no zone leads to {zone!r}", known.zones)
    for position, code in enumerate(location.carriers):
        if code not in known.carriers:
            _unknown(f"{where}.carriers[{position}]", "carrier", code, known.carriers)
    _once(f"{where}.working_days", "day", location.working_days)
    if location.cut_off and not location.time_zone:
        _refuse(f"{where}.time_zone", "", "a cut-off is local time, so it needs a time zone")
    if location.time_zone and not _is_time_zone(location.time_zone):
        _refuse(f"{where}.time_zone", location.time_zone, f"no such time zone: {location.time_zone!r}")


def check_carrier(where: str, carrier: Carrier) -> None:
    """
    Raise Invalid for a rate to a zone that no area leads to, or that is there twice.

    Where a rate begins is not looked at: locations name their carriers, which therefore come first.
    """
    _once(f"{where}.working_days", "day", carrier.working_days)
    zones, seen = set(carrier.zones.values()), set[tuple[str, str]]()
    for position, rate in enumerate(carrier.rates):
        if rate.zone not in zones:
            _refuse(f"{where}.rates[{position}].zone", rate.zone, f"no area leads to {rate.zone!r}", zones)
        if (rate.origin, rate.zone) in seen:
            _refuse(f"{where}.rates[{position}]", rate.zone, "there is a rate from there to this zone already")
        seen.add((rate.origin, rate.zone))


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # unknown, a path, a folder of zones
        return False
    return True


def check_sku(where: str, sku: SkuConfig) -> None:
    """Raise Invalid for a GTIN whose check digit is wrong."""
    if sku.gtin and not _is_gtin(sku.gtin):
        _refuse(f"{where}.gtin", sku.gtin, f"the check digit of {sku.gtin} is wrong")


def _is_gtin(digits: str) -> bool:
    """Digits count 1 and 3 in turn from the right, and their sum is a multiple of 10."""
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits))) % 10 == 0


def check_channel(where: str, channel: Channel, known: Known) -> None:
    """Raise Invalid for a channel that names what is not known, or one location twice."""
    _once(f"{where}.locations", "code", [shelf.code for shelf in channel.locations])
    for position, shelf in enumerate(channel.locations):
        if shelf.code not in known.locations:
            _unknown(f"{where}.locations[{position}].code", "location", shelf.code, known.locations)
    for position, rule in enumerate(channel.split_rules):
        if rule.to_value is not None and rule.to_value <= rule.from_value:
            _refuse(f"{where}.split_rules[{position}].to_value", rule.to_value, "it must be above from_value")
    for position, name in enumerate(channel.routing):
        if name not in RANKINGS:
            _unknown(f"{where}.routing[{position}]", "ranking", name, RANKINGS)


def check_rule(where: str, rule: Rule, known: Known) -> None:
    """Raise Invalid for a rule whose scope or value does not fit its kind, or that names what is not known."""
    _check_scope(where, rule)
    if rule.percent_bp and rule.kind != "buffer":
        _refuse(f"{where}.percent_bp", rule.percent_bp, f"only a buffer has a percentage, {rule.kind} has units")
    if rule.sku and rule.sku not in known.skus:
        _unknown(f"{where}.sku", "sku", rule.sku)
    if rule.location and rule.location not in known.locations:
        _unknown(f"{where}.location", "location", rule.location, known.locations)
    if rule.channel and rule.channel not in known.channels:
        _unknown(f"{where}.channel", "channel", rule.channel, known.channels)


def _check_scope(where: str, rule: Rule) -> None:
    if rule.sku and rule.category:
        _refuse(f"{where}.category", rule.category, "a rule is for a sku or for a category, not for both")
    if rule.kind == "safety_stock" and rule.channel:
        _refuse(f"{where}.channel", rule.channel, "safety_stock is kept at a location, from a channel keep a buffer")
    if rule.kind != "safety_stock" and rule.location:
        _refuse(f"{where}.location", rule.location, f"{rule.kind} belongs to a channel, not to a location")


def _check_scopes(rules: Sequence[Rule]) -> None:
    """Two rules of one kind and scope contradict each other, and nothing would say which one wins."""
    seen: dict[tuple[str, ...], int] = {}
    for position, rule in enumerate(rules):
        scope = (rule.kind, rule.sku, rule.category, rule.location, rule.channel)
        first = seen.setdefault(scope, position)
        if first != position:
            _refuse(f"rules[{position}]", rule.kind, f"rules[{first}] is for the same scope already")


def _once(where: str, field: str, codes: Sequence[str]) -> Collection[str]:
    """The codes as a set, or Invalid for one that is there twice."""
    seen: dict[str, int] = {}
    for position, code in enumerate(codes):
        first = seen.setdefault(code, position)
        if first != position:
            _refuse(f"{where}[{position}].{field}", code, f"{code!r} is at {where}[{first}] already")
    return seen.keys()


def _unknown(where: str, noun: str, value: str, allowed: Iterable[str] = ()) -> NoReturn:
    _refuse(where, value, f"no such {noun}: {value!r}", allowed)


def _refuse(where: str, value: object, why: str, allowed: Iterable[str] = ()) -> NoReturn:
    facts: dict[str, Any] = {"where": where, "value": value}
    choice = sorted(allowed)
    if choice:
        facts["allowed"] = choice
        why += f"; there is {', '.join(choice)}"
    raise Invalid(f"{where}: {why}", facts)
