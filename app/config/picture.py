"""
The part of a seller's config that a change needs to see, as it is and as it would be.

Locations, channels, zones, carriers and reasons are few and all here; of skus, rules and listings only those that the
change touches or that decide together with them. A million skus cost a change of one rule nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from allocator import Carrier, Channel, Location, RejectReason, SkuConfig
from app.store import config as store
from app.store.database import Session

from .kinds import KINDS, Item, Listing, RuleConfig, Zone

SMALL: Final = ("locations", "channels", "zones", "carriers", "reasons")

USERS: Final = {"locations": (("rules", "location"),), "channels": (("rules", "channel"), ("listings", "channel"))}
"""Who may name a thing, beside channels (all are here) and what a sku's sheet needs anyway."""

USERS_MAX: Final = 1_011
"""How many users of a place are looked at: one more than a change can remove and a refusal names."""


class Entry(NamedTuple):
    """One thing: the config version that changed it last, and whether it is in force (only rules may be not)."""

    version: int
    item: Item
    in_force: bool = True


class Row(NamedTuple):
    """One thing that a change changes; None where there was or will be nothing."""

    kind: str
    key: str
    before: Entry | None
    after: Entry | None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What there was and what there will be."""
        return tuple(entry for entry in (self.before, self.after) if entry is not None)


class Picture:
    """Entries by kind and key; `put` changes the picture and nothing else."""

    def __init__(self, entries: dict[str, dict[str, Entry]]) -> None:
        self._entries = entries
        self._scopes: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        for key, entry in entries["rules"].items():
            self._file(key, entry)

    def get(self, kind: str, key: str) -> Entry | None:
        """The entry, or None."""
        return self._entries[kind].get(key)

    def put(self, kind: str, key: str, entry: Entry | None) -> None:
        """Let it be this entry; None removes it."""
        before = self._entries[kind].pop(key, None)
        if before is not None and isinstance(before.item, RuleConfig):
            self._scopes[before.item.scope].discard(key)
        if entry is not None:
            self._entries[kind][key] = entry
            self._file(key, entry)

    def _file(self, key: str, entry: Entry) -> None:
        if isinstance(entry.item, RuleConfig):
            self._scopes[entry.item.scope].add(key)

    def keys(self, kind: str) -> Collection[str]:
        """Every key of a kind that is here."""
        return self._entries[kind].keys()

    def items(self, kind: str) -> Iterable[tuple[str, Item]]:
        """Every key of a kind that is here, with its item."""
        return ((key, entry.item) for key, entry in self._entries[kind].items())

    def rules_of(self, scope: tuple[str, ...]) -> list[RuleConfig]:
        """The rules of one kind and scope."""
        found = [self._entries["rules"][key].item for key in sorted(self._scopes.get(scope, ()))]
        return [item for item in found if isinstance(item, RuleConfig)]

    @property
    def locations(self) -> list[Location]:
        """By code."""
        return [item for _, item in self._sorted("locations") if isinstance(item, Location)]

    @property
    def channels(self) -> list[Channel]:
        """By code."""
        return [item for _, item in self._sorted("channels") if isinstance(item, Channel)]

    @property
    def skus(self) -> list[SkuConfig]:
        """By sku."""
        return [item for _, item in self._sorted("skus") if isinstance(item, SkuConfig)]

    @property
    def zones(self) -> dict[str, str]:
        """Area -> zone."""
        return {area: item.zone for area, item in self._sorted("zones") if isinstance(item, Zone)}

    @property
    def carriers(self) -> list[Carrier]:
        """By code."""
        return [item for _, item in self._sorted("carriers") if isinstance(item, Carrier)]

    @property
    def reasons(self) -> list[RejectReason]:
        """By code."""
        return [item for _, item in self._sorted("reasons") if isinstance(item, RejectReason)]

    @property
    def rules(self) -> list[tuple[RuleConfig, bool]]:
        """By id; with whether it is in force."""
        entries = sorted(self._entries["rules"].items())
        return [(entry.item, entry.in_force) for _, entry in entries if isinstance(entry.item, RuleConfig)]

    def _sorted(self, kind: str) -> list[tuple[str, Item]]:
        return sorted(self.items(kind), key=itemgetter(0))


class Touched(NamedTuple):
    """What a change is about: (kind, key) of each row, the items it brings, and what it takes away."""

    things: Sequence[tuple[str, str]]
    items: Sequence[Item]
    deleted: Sequence[tuple[str, str]]


async def load_picture(session: Session, seller: str, touched: Touched) -> Picture:
    """What is needed to judge and compile a change."""
    found = {kind: await store.all_records(session, seller, kind) for kind in SMALL}
    for kind in ("skus", "rules", "listings"):
        keys = {key for of, key in touched.things if of == kind}
        found[kind] = await store.find_records(session, seller, kind, keys)
    picture = Picture({kind: _entries(kind, rows) for kind, rows in found.items()})
    await _Loader(session, seller, picture).load_beside(touched)
    return picture


class _Loader(NamedTuple):
    """Adds what decides together with the changed things."""

    session: Session
    seller: str
    picture: Picture

    async def load_beside(self, touched: Touched) -> None:
        rules = [*(item for item in touched.items if isinstance(item, RuleConfig)), *(r for r, _ in self.picture.rules)]
        own = {key for kind, key in touched.things if kind == "skus"} | {rule.sku for rule in rules if rule.sku}
        listed = {item.sku for item in touched.items if isinstance(item, Listing)}
        skus = (own | listed) - set(self.picture.keys("skus"))
        self._add("skus", await store.find_records(self.session, self.seller, "skus", skus))
        await self._add_rules(own, rules)
        await self._add_users(touched.deleted)

    async def _add_rules(self, skus: set[str], rules: list[RuleConfig]) -> None:
        categories = {rule.category for rule in rules if rule.category}
        base = any(not rule.sku and not rule.category for rule in rules)
        found = await store.rules_of_scopes(self.session, self.seller, skus=skus, categories=categories, base=base)
        self._add("rules", found)

    async def _add_users(self, deleted: Sequence[tuple[str, str]]) -> None:
        """Who names what goes. The rules of a sku are here already; of places there are few, so each is asked for."""
        skus = [key for kind, key in deleted if kind == "skus"]
        self._add("listings", await store.naming(self.session, self.seller, "listings", "sku", skus))
        for kind, key in deleted:
            for of, column in USERS.get(kind, ()):
                self._add(of, await store.naming(self.session, self.seller, of, column, [key], limit=USERS_MAX))

    def _add(self, kind: str, found: dict[str, store.Stored]) -> None:
        for key, entry in _entries(kind, found).items():
            self.picture.put(kind, key, entry)


def entry_of(kind: str, stored: store.Stored) -> Entry:
    """A record as an entry."""
    return Entry(stored.version, KINDS[kind].to_item(stored.record), stored.record.get("in_force", True))


def _entries(kind: str, found: dict[str, store.Stored]) -> dict[str, Entry]:
    return {key: entry_of(kind, stored) for key, stored in found.items()}
