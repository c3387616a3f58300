"""
Tries again by itself what was given up (dead), where leaving it would oversell.

A number that is lower than what the channel shows is tried once an hour, and as soon as it falls to nothing. What shows
too few harms nobody: that waits until somebody replays it.
"""

from typing import Final

import structlog

from app.store.given_up import NEVER_MS, Verdict, given_up, judge
from app.store.shown import ShownFacts
from app.times import now_ms

from .numbers import Number, newest
from .pushing import shown_by
from .recording import recording
from .steps import Work

AT_ONCE: Final = 1_000
"""Listings of one look."""

PAUSE_MS: Final = 3_600_000
SOLD_OUT_PAUSE_MS: Final = 60_000
"""
How long after its last try one is tried again; the second where the sku has moved since and nothing is left of it.

Whether it was sold out at the last try already is not known: so one that moves all the time is not tried all the time.
"""

log = structlog.get_logger(__name__)


async def try_again(work: Work) -> bool:
    """Look at what was given up and has changed since, or was tried long ago; whether there may be more."""
    seller, code = work.facts.seller, work.facts.code
    async with work.state.database.reading() as session:
        rows = await given_up(session, seller, code, now_ms=now_ms(), limit=AT_ONCE)
    if not rows:
        return False
    numbers, at_ms = await newest(work, rows), now_ms()
    verdicts = [verdict_of(row, numbers[row.listing], at_ms) for row in rows]
    async with recording(work) as session:
        await judge(session, seller, code, verdicts)
    tried = [verdict.listing for verdict in verdicts if verdict.outcome != "dead"]
    if tried:
        log.info("given_up_tried_again", seller=seller, connection=code, count=len(tried), listings=tried[:10])
    return len(rows) == AT_ONCE


def verdict_of(row: ShownFacts, number: Number, at_ms: int) -> Verdict:
    """Whether one is tried now, later, or not before something changes."""
    if number.why:
        return Verdict(row.listing, row.changes, "dead", at_ms + SOLD_OUT_PAUSE_MS)
    if not _oversells(row, number):
        return Verdict(row.listing, row.changes, "dead", NEVER_MS)
    sold_out = number.units == 0 and number.version != row.version
    from_ms = row.told_ms + (SOLD_OUT_PAUSE_MS if sold_out else PAUSE_MS)
    return Verdict(row.listing, row.changes, "failed" if from_ms <= at_ms else "dead", max(at_ms, from_ms))


def _oversells(row: ShownFacts, number: Number) -> bool:
    """Whether the channel shows more than there is. Where nobody knows what it shows, a number that moved is tried."""
    shown = shown_by(row)
    return number.version != row.version if shown is None else number.units < shown
