"""
What a change of rules would do to the numbers, before it is saved.

The rows are judged and compiled as if they were saved; then the allocator computes with those fields in place of its
own. There is one ATP, and this is it.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Final, NamedTuple

from allocator import Allocator, Channel, Level
from allocator.errors import UnknownChannel
from app.store import config as store
from app.store.database import Database

from .engine import Drawn, Engine, Plan
from .kinds import RuleConfig
from .picture import Row

SKUS_MAX: Final = 10_000
"""Most skus that are compared."""

SHOWN_MAX: Final = 500
"""Most differences that are shown."""

CHUNK: Final = 100
"""Skus and channels of one question."""

TRIES_MAX: Final = 5
"""How often a pair of numbers is asked for again, because units moved between the two."""


class Difference(NamedTuple):
    """One number before and after."""

    sku: str
    channel: str
    atp_before: int
    atp_after: int
    published_before: int
    published_after: int

    @property
    def size(self) -> int:
        """How much it changes, the larger of the two."""
        return max(abs(self.atp_after - self.atp_before), abs(self.published_after - self.published_before))


class Preview(NamedTuple):
    """
    The largest differences first.

    skus_compared of skus_touched (those the rules speak of); changed: numbers that differ, shown or not.
    """

    drawn: Drawn
    channels: list[str]
    skus_compared: int
    skus_touched: int
    changed: int
    differences: list[Difference]


class Asked(NamedTuple):
    """What to compare; nothing named means all that the rules speak of."""

    channels: Sequence[str] = ()
    skus: Sequence[str] = ()


async def preview(engine: Engine, plan: Plan, asked: Asked) -> Preview:
    """
    What this change of rules would do now. Nothing is written; a refused row is left out.

    Raises UnknownChannel, and what `Engine.change` raises.
    """
    drawn = await engine.try_out(plan)
    await engine.allocator.reload()
    channels = _channels(engine.allocator, drawn.rows, asked.channels)
    scopes = [entry.item for row in drawn.rows for entry in row.entries if isinstance(entry.item, RuleConfig)]
    skus, touched = await _skus(engine.database, engine.seller, scopes, asked.skus)
    overlay = {**drawn.compiled.fields, **dict.fromkeys(drawn.compiled.removed, b"")}
    found = [
        difference
        for some, shops in product(_chunks(skus), _chunks(channels))
        for difference in await _compare(engine.allocator, some, shops, overlay)
    ]
    found.sort(key=lambda one: (-one.size, one.sku, one.channel))
    return Preview(drawn, channels, len(skus), touched, len(found), found[:SHOWN_MAX])


def _channels(allocator: Allocator, rows: Iterable[Row], asked: Sequence[str]) -> list[str]:
    known = {channel.code: channel for channel in allocator.config.channels}
    unknown = [code for code in asked if code not in known]
    if unknown:
        raise UnknownChannel(facts={"channel": unknown[0]})
    rules = [entry.item for row in rows for entry in row.entries if isinstance(entry.item, RuleConfig)]
    touched = {code for rule in rules for code, channel in known.items() if _speaks_of(rule, channel)}
    return sorted(touched & set(asked) if asked else touched)


def _speaks_of(rule: RuleConfig, channel: Channel) -> bool:
    if rule.location:
        return rule.location in [shelf.code for shelf in channel.locations]
    return rule.channel in ("", channel.code)


async def _skus(
    database: Database, seller: str, rules: Sequence[RuleConfig], asked: Sequence[str]
) -> tuple[list[str], int]:
    """The skus to compare, and how many the rules speak of."""
    if asked:
        skus = sorted(set(asked))
        return skus[:SKUS_MAX], len(skus)
    base = any(not rule.sku and not rule.category for rule in rules)
    categories = None if base else sorted({rule.category for rule in rules if rule.category})
    named = {rule.sku for rule in rules if rule.sku}
    async with database.reading() as session:
        found = await store.skus_of(session, seller, categories, limit=SKUS_MAX)
        touched = await store.count_skus(session, seller, categories, besides=named)
    return sorted(named | set(found))[:SKUS_MAX], touched


async def _compare(
    allocator: Allocator, skus: Sequence[str], channels: Sequence[str], overlay: Mapping[str, bytes]
) -> list[Difference]:
    """The numbers that differ. Two numbers are compared only when no unit of the sku moved between them."""
    left, differences = list(skus), []
    for _ in range(TRIES_MAX):
        before = await allocator.availability(left, channels)
        after = await allocator.availability(left, channels, overlay=overlay)
        pairs = list(zip(before, after, strict=True))
        moved = {old.sku for old, new in pairs if old.version != new.version}
        differences += [_difference(old, new) for old, new in pairs if old.sku not in moved]
        left = [sku for sku in left if sku in moved]
        if not left:
            break
    return [one for one in differences if one.size]


def _difference(old: Level, new: Level) -> Difference:
    return Difference(old.sku, old.channel, old.atp_now, new.atp_now, old.published, new.published)


def _chunks(values: Sequence[str]) -> list[Sequence[str]]:
    return [values[start : start + CHUNK] for start in range(0, len(values), CHUNK)]
