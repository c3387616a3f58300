"""
What each row of a change would do to the config, and why not.

Rows are judged against the config as it would be after them: all together when they stand or fall together, else one
after the other, each on top of the good ones before it. Nothing is read here; the picture has what is needed.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from allocator import Carrier, Channel, Location, SkuConfig
from allocator.errors import Invalid
from allocator.rules import Known, check_carrier, check_channel, check_location, check_rule, check_sku

from .errors import ConfigRefused, InUse, ItemUnknown, RuleClash, VersionDiffers, VersionMissing
from .kinds import Item, Listing, RuleConfig, Zone
from .picture import Entry, Picture, Row

ABSENT: Final = 0
"""The version of what does not exist: wished for by those who only want to create."""

ANY: Final = -1
"""Any version: for those who decide what is there, a seed or a roll back."""

NAMED_MAX: Final = 10
"""How many of those that refer to a thing are named."""

Thing = tuple[str, str]
"""Kind and key."""

Refused = ConfigRefused | Invalid


class Wish(NamedTuple):
    """
    What shall become of one thing; no item: it shall go.

    version: what the caller thinks is there: a version, ABSENT, ANY, or None when it was not said. again: write it even
    when nothing changes but whether it is in force.
    """

    kind: str
    key: str
    item: Item | None
    version: int | None = None
    again: bool = False

    @property
    def thing(self) -> Thing:
        """What it is about."""
        return self.kind, self.key


class Outcome(NamedTuple):
    """What became of a wish: created, replaced, unchanged, deleted or refused; `why` says whose fault it was."""

    wish: Wish
    word: str
    row: Row | None = None
    why: Refused | None = None


class Bench(NamedTuple):
    """What wishes are judged by: the picture, what depends on what, and the version and time of the change."""

    picture: Picture
    busy: Mapping[Thing, str]
    """What still depends on a thing in the store."""
    version: int
    now_ms: int


def judge(bench: Bench, wishes: Sequence[Wish], *, together: bool) -> list[Outcome]:
    """
    The outcomes, in order; the picture then shows what the good ones make of the config.

    Together: one refusal refuses all, and only those at fault say why. Apart, the wishes are of one kind.
    """
    seen: set[Thing] = set()
    if together:
        return _judge_group(bench, wishes, seen, None)
    view = _View.of(bench.picture)
    return [outcome for wish in wishes for outcome in _judge_group(bench, [wish], seen, view)]


class _View(NamedTuple):
    """What may be named, and who names what."""

    known: Known
    users: Mapping[Thing, list[str]]

    @classmethod
    def of(cls, picture: Picture) -> "_View":
        zones = set(picture.zones.values())
        places = (picture.keys("locations"), picture.keys("channels"), picture.keys("skus"))
        known = Known(*places, zones, picture.keys("carriers"))
        return cls(known, _users(picture))


def _judge_group(bench: Bench, wishes: Sequence[Wish], seen: set[Thing], view: _View | None) -> list[Outcome]:
    planned = [_plan(bench, wish, seen) for wish in wishes]
    view = view or _View.of(bench.picture)
    outcomes = [_checked(bench, outcome, view) for outcome in planned]
    if not any(outcome.why for outcome in outcomes):
        return outcomes
    for outcome in planned:
        if outcome.row:
            bench.picture.put(outcome.row.kind, outcome.row.key, outcome.row.before)
    return [outcome if outcome.why else Outcome(outcome.wish, "refused") for outcome in outcomes]


def _plan(bench: Bench, wish: Wish, seen: set[Thing]) -> Outcome:
    """What the wish makes of what is there; it is in the picture then."""
    before = bench.picture.get(*wish.thing)
    why = _twice(wish, seen) or _missing(wish, before)
    if why is None and _is_there_already(wish, before):
        return Outcome(wish, "unchanged")
    why = why or _differs(wish, before)
    if why:
        return Outcome(wish, "refused", why=why)
    row = Row(wish.kind, wish.key, before, _entry(bench, wish.item))
    bench.picture.put(wish.kind, wish.key, row.after)
    return Outcome(wish, "deleted" if wish.item is None else "replaced" if before else "created", row)


def _twice(wish: Wish, seen: set[Thing]) -> Refused | None:
    if wish.thing in seen:
        return Invalid(f"an earlier row is for {wish.key!r} too", {"value": wish.key})
    seen.add(wish.thing)
    return None


def _missing(wish: Wish, before: Entry | None) -> Refused | None:
    if wish.item is None and before is None:
        return ItemUnknown(f"{wish.kind} has no {wish.key!r}", kind=wish.kind, key=wish.key)
    return None


def _is_there_already(wish: Wish, before: Entry | None) -> bool:
    return wish.item is not None and before is not None and wish.item == before.item and not wish.again


def _differs(wish: Wish, before: Entry | None) -> Refused | None:
    """Whether the caller knows what is replaced. Creating needs no knowledge."""
    found = before.version if before else ABSENT
    if wish.version in (found, ANY) or (wish.version is None and before is None):
        return None
    facts = {"kind": wish.kind, "key": wish.key, "version": found}
    if wish.version is None:
        return VersionMissing(f"{wish.key!r} exists at version {found}: say that this is what you replace", **facts)
    there = f"is at version {found}" if before else "does not exist"
    asked = "none" if wish.version == ABSENT else f"version {wish.version}"
    return VersionDiffers(f"{wish.key!r} {there}, the request expects {asked}", **facts)


def _entry(bench: Bench, item: Item | None) -> Entry | None:
    if item is None:
        return None
    in_force = item.is_open(bench.now_ms) if isinstance(item, RuleConfig) else True
    return Entry(bench.version, item, in_force)


# --- what a row must keep ----------------------------------------------------------------------------------------


def _checked(bench: Bench, outcome: Outcome, view: _View) -> Outcome:
    if outcome.row is None:
        return outcome
    try:
        _check(bench, outcome.row, view)
    except ConfigRefused as error:
        return Outcome(outcome.wish, "refused", why=error)
    except Invalid as error:
        return Outcome(outcome.wish, "refused", why=_with_pointer(error))
    return outcome


def _check(bench: Bench, row: Row, view: _View) -> None:
    busy = bench.busy.get((row.kind, row.key))
    if busy:
        raise InUse(f"{row.key!r} {busy}", kind=row.kind, key=row.key)
    if row.before and isinstance(row.before.item, Zone):
        _check_zone_left(bench.picture, row.before.item.zone)
    if row.after is None:
        _check_users(row, view.users)
    else:
        _check_item(bench.picture, row.after.item, view.known)


def _check_item(picture: Picture, item: Item, known: Known) -> None:
    if isinstance(item, Location):
        check_location("", item, known)
    elif isinstance(item, Channel):
        check_channel("", item, known)
    elif isinstance(item, SkuConfig):
        check_sku("", item)
    elif isinstance(item, Carrier):
        check_carrier("", item)
    elif isinstance(item, Listing):
        _check_listing(item, known)
    elif isinstance(item, RuleConfig):
        check_rule("", item, known)
        _check_window(item)
        _check_clash(picture, item)


def _check_listing(listing: Listing, known: Known) -> None:
    for field, value, there in (("channel", listing.channel, known.channels), ("sku", listing.sku, known.skus)):
        if value not in there:
            raise Invalid(f".{field}: no such {field}: {value!r}", {"where": f".{field}", "value": value})


def _check_window(rule: RuleConfig) -> None:
    start, end = rule.window_ms
    if start >= end:
        raise Invalid(".valid_until: the window ends before it begins", {"where": ".valid_until"})


def _check_clash(picture: Picture, rule: RuleConfig) -> None:
    """A scope has one rule without a window, and beside it rules whose windows do not overlap."""
    for other in picture.rules_of(rule.scope):
        if other.id != rule.id and other.has_window == rule.has_window and _overlap(rule, other):
            says = "windows that overlap" if rule.has_window else "no window either"
            raise RuleClash(f"rule {other.id!r} has the same kind and scope, and {says}", rule=other.id)


def _overlap(rule: RuleConfig, other: RuleConfig) -> bool:
    (start, end), (other_start, other_end) = rule.window_ms, other.window_ms
    return start < other_end and other_start < end


def _check_zone_left(picture: Picture, zone: str) -> None:
    """The last area of a zone stays while a location has a cost for the zone."""
    if zone in picture.zones.values():
        return
    users = [f"locations/{location.code}" for location in picture.locations if zone in location.costs]
    if users:
        raise InUse(f"{', '.join(users[:NAMED_MAX])} has a cost for {zone!r}", users=users[:NAMED_MAX])


def _check_users(row: Row, users: Mapping[Thing, list[str]]) -> None:
    named = sorted(users.get((row.kind, row.key), []))
    if named:
        more = f" and {len(named) - NAMED_MAX} more" if len(named) > NAMED_MAX else ""
        says = f"{row.key!r} is named by {', '.join(named[:NAMED_MAX])}{more}"
        raise InUse(says, kind=row.kind, key=row.key, users=named[:NAMED_MAX])


def _users(picture: Picture) -> dict[Thing, list[str]]:
    users: defaultdict[Thing, list[str]] = defaultdict(list)
    for kind in ("locations", "channels", "rules", "listings"):
        for key, item in picture.items(kind):
            for thing in _names(item):
                users[thing].append(f"{kind}/{key}")
    return users


def _names(item: Item) -> set[Thing]:
    if isinstance(item, Location):
        return {("carriers", code) for code in item.carriers}
    if isinstance(item, Channel):
        return {("locations", shelf.code) for shelf in item.locations}
    if isinstance(item, RuleConfig):
        named = {("skus", item.sku), ("locations", item.location), ("channels", item.channel)}
        return {thing for thing in named if thing[1]}
    return {("skus", item.sku), ("channels", item.channel)} if isinstance(item, Listing) else set()


def _with_pointer(error: Invalid) -> Invalid:
    """The same refusal with its place as a pointer: .locations[2].code becomes /locations/2/code."""
    where = str(error.facts.get("where", ""))
    pointer = re.sub(r"[.\[\]]+", "/", where).rstrip("/")
    return Invalid(str(error).removeprefix(f"{where}: "), {**error.facts, "where": pointer})
