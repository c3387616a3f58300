"""
Tells a channel the numbers that may have changed, most urgent first.

    push      what is due: drop what the channel shows already, hold back what is not worth a revision, send the rest
    send      one push: look first where nobody knows what became of the last one, read the newest numbers, tell them

Before a push leaves, what was told is forgotten; what came of it is written after. So whoever dies in between, or never
hears the answer, leaves a listing that is due and of which nobody believes anything.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import structlog

from app.lines.lag import keep
from app.store.shown import ShownFacts, change_shown, due
from app.store.sold import doubt_told
from app.times import now_ms
from channels.base import Listing, Pushed
from channels.errors import Refused, Unclear

from . import lag, outcomes
from .bulk import push_bulk
from .choosing import Wish, in_order, is_worth, sells_out
from .numbers import BEHIND, Number, level_of, newest
from .outcomes import ALONE, UNCLEAR, Fields
from .recording import recording, write_down
from .steps import Work

DUE_MAX: Final = 5_000
"""Listings that are looked at together; of more, those that show the smallest numbers come first."""

BUSY_S: Final = 2.0
"""After so long what is due is looked at anew: something may have been sold out meanwhile."""

log = structlog.get_logger(__name__)


class Sorted(NamedTuple):
    """Listings that are due: what to tell, most urgent first, and what becomes of those that are not told."""

    wishes: list[Wish]
    rest: dict[str, Fields]


async def push(work: Work) -> bool:
    """Tell what is due, for a while; whether something is left."""
    until = time.monotonic() + BUSY_S
    rows = await _due(work)
    if not rows:
        return False
    numbers = await newest(work, rows.values())
    found = sort(work, rows, numbers, now_ms())
    await write_down(work, found.rest, rows.values())
    facts = work.line.connector.facts
    many = [rows[wish.listing] for wish in found.wishes if not sells_out(wish) and rows[wish.listing].code != ALONE]
    if facts.bulk and len(many) >= facts.bulk_from and await push_bulk(work, many[: facts.bulk]):
        carried = {row.listing for row in many[: facts.bulk]}
        found = found._replace(wishes=[wish for wish in found.wishes if wish.listing not in carried])
    for start in range(0, len(found.wishes), facts.batch):
        if time.monotonic() > until or not work.still_ours():
            return True
        await send(work, [rows[wish.listing] for wish in found.wishes[start : start + facts.batch]])
    return len(rows) == DUE_MAX


async def _due(work: Work) -> dict[str, ShownFacts]:
    async with work.state.database.reading() as session:
        found = await due(session, work.facts.seller, work.facts.code, now_ms=now_ms(), limit=DUE_MAX)
    return {row.listing: row for row in found}


def sort(work: Work, rows: Mapping[str, ShownFacts], numbers: Mapping[str, Number], at_ms: int) -> Sorted:
    """What of this is to be told now."""
    facts = work.line.connector.facts
    wishes: list[Wish] = []
    rest: dict[str, Fields] = {}
    for row in rows.values():
        number, most = numbers[row.listing], facts.revisions_per_day
        wish = Wish(row.listing, number.units, shown_by(row), row.told_ms, row.falling)
        left = outcomes.left_today(row, facts, at_ms) if most is not None else 1
        if number.why:
            wait_ms = outcomes.BEHIND_MS if number.why == BEHIND else outcomes.UNTELLABLE_MS
            rest[row.listing] = outcomes.cannot_be_told(row, number.why, at_ms, wait_ms=wait_ms)
        elif row.code != UNCLEAR and outcomes.is_told(row, number):
            rest[row.listing] = outcomes.nothing_to_tell(row, number)
        elif most is not None and not is_worth(wish, left, most):
            rest[row.listing] = outcomes.held_back(facts, left, at_ms)
        else:
            wishes.append(wish)
    return Sorted(in_order(wishes, at_ms), rest)


def shown_by(row: ShownFacts) -> int | None:
    """What the channel shows, as far as anybody knows."""
    if row.told is None or row.shown_ms >= row.told_ms:
        return row.shown
    return row.told


# --- one push ----------------------------------------------------------------------------------------------------


async def send(work: Work, rows: Sequence[ShownFacts]) -> None:
    """One push of these, at most a batch, with the numbers they have now. Raises ChannelError."""
    rows = await _looked_at(work, rows)
    await _wait_for_room(work)
    known = {row.listing: row for row in rows}
    numbers = await newest(work, rows)
    found = sort(work, known, numbers, now_ms())
    going = [known[wish.listing] for wish in found.wishes]
    await write_down(work, {**found.rest, **{row.listing: outcomes.on_its_way(now_ms()) for row in going}}, rows)
    if going:
        await _tell(work, going, numbers)


async def _wait_for_room(work: Work) -> None:
    """Numbers that are read after the wait do not grow old in it."""
    rates = work.line.connector.facts.rates
    bucket = "push" if "push" in rates else next(iter(rates), "")
    if bucket:
        await work.line.engine.reserve(bucket)


async def _tell(work: Work, rows: Sequence[ShownFacts], numbers: Mapping[str, Number]) -> None:
    levels = [level_of(work, row, numbers[row.listing]) for row in rows]
    try:
        said = await work.line.engine.run(work.line.connector.push(levels))
    except Refused as error:
        await _refused(work, rows, numbers, error)
        return
    except Unclear as error:
        await write_down(work, {row.listing: outcomes.failed(row, UNCLEAR, str(error), now_ms()) for row in rows}, rows)
        return
    await take(work, rows, numbers, said)


async def _refused(work: Work, rows: Sequence[ShownFacts], numbers: Mapping[str, Number], error: Refused) -> None:
    """The push as a whole was refused: by halves it is found out whose fault that is."""
    if len(rows) > 1:
        half = len(rows) // 2
        for part in (rows[:half], rows[half:]):
            await _tell(work, part, numbers)
        return
    refused = Pushed(rows[0].listing, "refused", code=error.code or str(error.status), says=str(error))
    await take(work, rows, numbers, [refused])


async def take(work: Work, rows: Sequence[ShownFacts], numbers: Mapping[str, Number], said: Sequence[Pushed]) -> None:
    """Write down what a channel said of each."""
    facts, at_ms = work.line.connector.facts, now_ms()
    known, results = {row.listing: row for row in rows}, {one.listing: one for one in said}
    changes = {
        row.listing: outcomes.pushed(row, numbers[row.listing], results[row.listing], facts, at_ms)
        for row in rows
        if row.listing in results
    }
    changes = {one: {**became, "changed_ms": lag.since_ms(known[one])} for one, became in changes.items()}
    async with recording(work) as session:
        mine = work.facts.seller, work.facts.code
        await change_shown(session, *mine, changes, rows=known)
        await doubt_told(session, *mine, {listing: known[listing].changes for listing in changes})
    arrivals = [one for listing, became in changes.items() for one in lag.of_push(known[listing], became, at_ms)]
    await keep(work.state.pipe.client, work.facts.seller, work.facts.code, arrivals)
    for listing, one in results.items():
        if one.outcome != "accepted":
            names = {"seller": work.facts.seller, "connection": work.facts.code, "listing": listing}
            log.warning("push_not_accepted", **names, outcome=one.outcome, code=one.code, says=one.says)


async def _looked_at(work: Work, rows: Sequence[ShownFacts]) -> list[ShownFacts]:
    """
    The same, with what the channel shows of those whose last push nobody knows the end of. Raises ChannelError.

    Only once all that was ever told is shown by then: else it may still show what it did before, and those go again.
    """
    shown_ms = now_ms() - 1_000 * work.line.connector.facts.shown_after_s
    unclear = [row for row in rows if row.code == UNCLEAR and row.told_ms <= shown_ms]
    if not unclear or not work.line.connector.reads_back:
        return list(rows)
    listings = [Listing(row.listing, row.refs) for row in unclear]
    said = {one.listing: one for one in await work.line.engine.run(work.line.connector.read(listings))}
    at_ms = now_ms()
    shown = {listing: outcomes.looked(one, at_ms) for listing, one in said.items() if one.units is not None}
    await write_down(work, shown, rows)
    return [replace(row, **shown.get(row.listing, {})) for row in rows]
