"""
Looks for orders that no webhook has told of: those that changed since the last look, and a little before it.

What a page has is written down before the next one is asked for, and how far the orders are known moves on after the
last one. So whatever goes wrong in between, the next look begins where this one did.
"""

from typing import Final

from app.store.connections import ConnectionFacts, change_connection, find_connection, move_watermark
from app.store.heard import TAKEN, note_odd, note_told, wake
from app.times import now_ms
from channels.base import Page, Window
from channels.errors import ChannelError

from .pictures import told_of
from .steps import Work
from .verdicts import PLACED_BEFORE

WINDOW_MS_MAX: Final = 86_400_000
"""Longest time asked for at once: what was missed in weeks comes day by day, and a failure costs one day."""

POLL: Final = "poll"
PULL: Final = "pull"
"""Found because somebody had orders looked for from before the connection was made."""


async def pull(work: Work) -> bool:
    """Look once, if it is time; whether there is more to look for at once. Raises ChannelError, DatabaseAway."""
    async with work.state.database.reading() as session:
        facts = await find_connection(session, work.facts.seller, work.facts.code)
    if facts is None or facts.paused or now_ms() < facts.pulled_ms + 1_000 * work.line.connector.facts.poll_s:
        return False
    try:
        return await _look(work, facts)
    except ChannelError:
        # Not again before its time, or a channel that is down would be asked without a pause.
        await _note_pulled(work)
        raise


async def _look(work: Work, facts: ConnectionFacts) -> bool:
    window = _window(facts, work.line.connector.facts.overlap_s)
    reached_ms, cursor = window.until_ms, ""
    while True:
        page: Page = await work.line.engine.run(work.line.connector.orders(window, cursor))
        if not work.still_ours():
            return False
        await _write_down(work, page, PULL if facts.watermark_ms < facts.created_ms else POLL)
        if page.watermark_ms is not None:
            reached_ms = min(reached_ms, page.watermark_ms)
        cursor = page.cursor
        if not cursor:
            break
    more = window.until_ms == facts.watermark_ms + WINDOW_MS_MAX
    async with work.state.database.writing() as session:
        before, after = facts.watermark_ms, max(facts.watermark_ms, reached_ms)
        moved = await move_watermark(session, facts.seller, facts.code, before=before, after=after)
        if moved and not more:
            await change_connection(session, facts.seller, facts.code, pulled_ms=now_ms())
    return more or not moved


def _window(facts: ConnectionFacts, overlap_s: int) -> Window:
    since_ms = max(0, facts.watermark_ms - 1_000 * overlap_s)
    return Window(since_ms, min(now_ms(), facts.watermark_ms + WINDOW_MS_MAX))


async def _write_down(work: Work, page: Page, via: str) -> None:
    at_ms, mine = now_ms(), (work.facts.seller, work.facts.code)
    if not page.orders and not page.odd:
        return
    async with work.state.database.writing() as session:
        await note_told(session, *mine, [told_of(order) for order in page.orders], via=via, now_ms=at_ms)
        if via == PULL:
            ids = [order.external_id for order in page.orders]
            await wake(session, *mine, now_ms=at_ms, ids=ids, codes=(PLACED_BEFORE,), state=TAKEN, via=PULL)
        for one in page.odd:
            await note_odd(session, *mine, one.external_id, one.says, via=via, now_ms=at_ms)


async def _note_pulled(work: Work) -> None:
    async with work.state.database.writing() as session:
        await change_connection(session, work.facts.seller, work.facts.code, pulled_ms=now_ms())
