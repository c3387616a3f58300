"""
The newest number of each listing, in the channel's own terms.

published, rounded down to whole listing units; by the channel's places where they are mapped; and where the channel
takes its open orders off by itself (gross), with the units that they wait for.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from allocator import Allocator, errors
from app.events.asking import ask
from app.store.config import find_records
from app.store.open_units import OpenUnits, open_units
from app.store.shown import ShownFacts
from channels.base import Level, Listing

from .steps import Work

AT_ONCE: Final = 100
"""Skus of one look."""

LOOKS_MAX: Final = 3
LOOK_S: Final = 0.1
"""How often and how far apart SQL is looked at that is behind the ledger."""


class Number(NamedTuple):
    """
    What a listing is to be told: units of the listing, by the channel's places where it has them.

    version: the sku's. why: what keeps it from being told, '' for nothing; then the units mean nothing.
    """

    units: int
    places: Mapping[str, int]
    version: int
    why: str = ""


class _Published(NamedTuple):
    """A sku's published number in its own units, by our locations where that is asked for."""

    units: int
    places: Mapping[str, int]
    version: int


UNKNOWN_SKU: Final = "unknown-sku"
UNLISTED: Final = "unlisted"
BEHIND: Final = "ledger-not-in-sql"


async def newest(work: Work, rows: Iterable[ShownFacts]) -> dict[str, Number]:
    """The number of each of these listings as it is now. Raises what the allocator and SQL raise."""
    rows = list(rows)
    packs = await _packs(work, rows)
    skus = sorted({row.sku for row in rows})
    published: dict[str, _Published] = {}
    debts: dict[str, OpenUnits] = {}
    for start in range(0, len(skus), AT_ONCE):
        some = skus[start : start + AT_ONCE]
        if work.facts.counts == "gross":
            found, open_ = await _with_open(work, some)
            published, debts = published | found, debts | open_
        else:
            published |= await _published(work, some)
    return {row.listing: _number(work, row, packs, published, debts) for row in rows}


def _number(
    work: Work,
    row: ShownFacts,
    packs: Mapping[str, int],
    published: Mapping[str, _Published],
    debts: Mapping[str, OpenUnits],
) -> Number:
    if row.listing not in packs:
        return Number(0, {}, 0, UNLISTED)
    of_sku = published.get(row.sku)
    if of_sku is None:
        return Number(0, {}, -1, UNKNOWN_SKU)
    owed = OpenUnits(of_sku.version, {})
    if work.facts.counts == "gross":
        found = debts.get(row.sku)
        if found is None:
            return Number(0, {}, of_sku.version, BEHIND)
        owed = found
    most, pack = work.line.connector.facts.quantity_max, packs[row.listing]
    if not spreads(work):
        return Number(min(most, (of_sku.units + owed.units) // pack), {}, of_sku.version)
    places = _by_place(work.facts.locations, of_sku.places, owed.places)
    packed = {place: min(most, units // pack) for place, units in places.items()}
    return Number(min(most, sum(packed.values())), packed, of_sku.version)


def level_of(work: Work, row: ShownFacts, number: Number) -> Level:
    """What is told, and what it is compared with where the channel compares."""
    facts = work.facts
    return Level(
        listing=Listing(row.listing, row.refs),
        units=number.units,
        places=number.places,
        shown=row.shown,
        shown_places=row.shown_places,
        key=f"{facts.seller}/{facts.code}/{row.listing}/{row.changes}/{row.attempts}",
    )


def spreads(work: Work) -> bool:
    """Whether this channel is told numbers by place."""
    return work.line.connector.facts.spreads and bool(work.facts.locations)


def _by_place(mapped: Mapping[str, str], units: Mapping[str, int], owed: Mapping[str, int]) -> dict[str, int]:
    """
    By the channel's places. What lies where none is mapped is not shown; of two of one location the first has all.

    What orders wait for without a location counts at the first place.
    """
    places: dict[str, int] = {}
    seen: set[str] = set()
    for number, (place, location) in enumerate(sorted(mapped.items())):
        first = location not in seen
        places[place] = (units.get(location, 0) + owed.get(location, 0)) if first else 0
        places[place] += owed.get("", 0) if number == 0 else 0
        seen.add(location)
    return places


async def _packs(work: Work, rows: Iterable[ShownFacts]) -> dict[str, int]:
    """The pack size of each listing that is ours, active, and still of the same sku."""
    facts = work.facts
    async with work.state.database.reading() as session:
        keys = [f"{facts.channel}/{row.listing}" for row in rows]
        found = await find_records(session, facts.seller, "listings", keys)
    skus = {row.listing: row.sku for row in rows}
    records: list[dict[str, Any]] = [stored.record for stored in found.values()]
    return {
        record["listing"]: record["pack_size"]
        for record in records
        if record["active"] and record["sku"] == skus[record["listing"]]
    }


async def _published(work: Work, skus: list[str]) -> dict[str, _Published]:
    """Those of these skus that the store knows."""
    if spreads(work):
        found = await asyncio.gather(*(_explained(work.allocator, sku, work.facts.channel) for sku in skus))
        return {sku: one for sku, one in zip(skus, found, strict=True) if one is not None}
    published: dict[str, _Published] = {}
    async for _, levels in ask(work.allocator, skus, [work.facts.channel]):
        published |= {one.sku: _Published(one.published, {}, one.version) for one in levels if one.version != -1}
    return published


async def _explained(allocator: Allocator, sku: str, channel: str) -> _Published | None:
    try:
        said = await allocator.explain(sku, channel)
    except errors.UnknownSku:
        return None
    except errors.Frozen:
        return _Published(0, {}, -2)
    return _Published(said.published, said.spread, said.version)


async def _with_open(work: Work, skus: list[str]) -> tuple[dict[str, _Published], dict[str, OpenUnits]]:
    """
    Published numbers, and the units of open orders as of the very same versions; left out where there is none.

    SQL follows the ledger a moment later. A sku's version rises with every effect, so where both say the same one, no
    order has come or gone in between.
    """
    published: dict[str, _Published] = {}
    debts: dict[str, OpenUnits] = {}
    left = skus
    for look in range(LOOKS_MAX):
        if look:
            await asyncio.sleep(LOOK_S)
        published |= await _published(work, left)
        async with work.state.database.reading() as session:
            open_ = await open_units(session, work.facts.seller, work.facts.channel, left)
        for sku in published.keys() & set(left):
            # Of what has never moved SQL knows nothing.
            one = open_.get(sku, OpenUnits(0, {}))
            debts |= {sku: one} if one.version == published[sku].version else {}
        left = [sku for sku in left if sku in published and sku not in debts]
        if not left:
            break
    return published, debts
