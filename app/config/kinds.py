"""
What there is to configure: one line a kind in the registry, and everything else follows from it.

An item is what people read and write; a record is the row that remembers it. They differ for rules alone: people say
when a rule is valid in words, and only the record says whether it is in force.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from allocator import Carrier, Channel, Code, Id, Location, RejectReason, Rule, Sku, SkuConfig
from allocator.config import Area, ChannelKind, Label, LocationKind, Name, RejectEffect, RuleKind
from app.store.config import Record

Instant = Annotated[datetime, msgspec.Meta(tz=True, description="RFC 3339, such as 2026-12-24T18:00:00Z.")]
PackSize = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class RuleConfig(Rule, frozen=True, kw_only=True):
    """
    One rule: a kind, a scope and a value, in force while valid_from <= now < valid_until.

    Scope: any of sku or category (not both), with location (safety_stock only) or channel (the other kinds); none of
    them is the global scope. safety_stock, cutoff, max_published have `units`; buffer has `units` and `percent_bp`
    (hundredths of a percent), of which the larger counts.
    """

    id: Code
    note: Name = ""
    valid_from: Instant | None = None
    valid_until: Instant | None = None

    @property
    def scope(self) -> tuple[str, ...]:
        """What it says something of: no two rules of one scope may be in force by the same right."""
        return (self.kind, self.sku, self.category, self.location, self.channel)

    @property
    def has_window(self) -> bool:
        """Whether it is limited in time."""
        return self.valid_from is not None or self.valid_until is not None

    @property
    def window_ms(self) -> tuple[int, int]:
        """From and until, in milliseconds."""
        return to_ms(self.valid_from, 0), to_ms(self.valid_until, FOREVER_MS)

    def is_open(self, now_ms: int) -> bool:
        """Whether now is within its window."""
        start, end = self.window_ms
        return start <= now_ms < end


class Listing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A channel's own id for what it sells: one unit of the listing is `pack_size` units of the sku."""

    channel: Code
    listing: Id
    sku: Sku
    pack_size: PackSize = 1
    active: bool = True


class Zone(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The delivery zone of a country or of "country/region"; locations have costs per zone."""

    area: Area
    zone: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+\Z")]


Item = Location | Channel | SkuConfig | Listing | RuleConfig | Zone | Carrier | RejectReason

FOREVER_MS: Final = 2**62


def to_ms(instant: datetime | None, otherwise: int) -> int:
    """Whole milliseconds since 1970; parts of a millisecond are cut off."""
    if instant is None:
        return otherwise
    since = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000


def from_ms(ms: int | None) -> datetime | None:
    """The instant, in UTC."""
    if ms is None:
        return None
    return datetime.fromtimestamp(ms // 1_000, UTC).replace(microsecond=ms % 1_000 * 1_000)


class Kind(NamedTuple):
    """
    One kind of thing. `name` is its table, its path and its list; `keys` the fields that name one thing.

    `filters` are the fields a list can be narrowed by, with their types.
    """

    name: str
    noun: str
    item: type[Item]
    keys: tuple[str, ...]
    filters: Mapping[str, Any]

    def key_of(self, item: Item) -> str:
        """The key of an item, as text."""
        return "/".join(getattr(item, name) for name in self.keys)

    def to_item(self, record: Mapping[str, Any]) -> Item:
        """What a record says, for people."""
        if self.name == "rules":
            return _rule_item(record)
        return msgspec.convert(record, self.item)

    def to_record(self, item: Item, *, in_force: bool = True) -> Record:
        """The row of an item; of rules it says whether they are in force."""
        if isinstance(item, RuleConfig):
            return _rule_record(item, in_force=in_force)
        record: Record = msgspec.to_builtins(item)
        return record


def _rule_item(record: Mapping[str, Any]) -> RuleConfig:
    said = {name: value for name, value in record.items() if name not in _OF_RECORD}
    return RuleConfig(
        **said, valid_from=from_ms(record["valid_from_ms"]), valid_until=from_ms(record["valid_until_ms"])
    )


def _rule_record(rule: RuleConfig, *, in_force: bool) -> Record:
    said = {name: getattr(rule, name) for name in rule.__struct_fields__ if name not in {"valid_from", "valid_until"}}
    start, end = (instant and to_ms(instant, 0) for instant in (rule.valid_from, rule.valid_until))
    return {**said, "valid_from_ms": start, "valid_until_ms": end, "in_force": in_force}


_OF_RECORD: Final = frozenset({"valid_from_ms", "valid_until_ms", "in_force"})

KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("locations", "location", Location, ("code",), {"kind": LocationKind, "active": bool, "country": Label}),
        Kind("channels", "channel", Channel, ("code",), {"kind": ChannelKind}),
        Kind("skus", "sku", SkuConfig, ("sku",), {"category": Label, "gtin": Label}),
        Kind("listings", "listing", Listing, ("channel", "listing"), {"channel": Code, "sku": Sku, "active": bool}),
        Kind(
            "rules",
            "rule",
            RuleConfig,
            ("id",),
            {"kind": RuleKind, "sku": Sku, "category": Label, "location": Code, "channel": Code, "in_force": bool},
        ),
        Kind("zones", "zone", Zone, ("area",), {"zone": Label}),
        Kind("carriers", "carrier", Carrier, ("code",), {"name": Name}),
        Kind("reasons", "reason", RejectReason, ("code",), {"effect": RejectEffect, "recount": bool}),
    )
}

ORDER: Final = ("zones", "carriers", "reasons", "locations", "channels", "skus", "rules", "listings")
"""Kinds so that what is referred to comes first."""
