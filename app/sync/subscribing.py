"""Keeps webhooks coming: makes them for a new connection or a new address of ours, and looks after them hourly."""

from typing import Final

import structlog

from app.lines.lines import which
from app.lines.mended import keep
from app.store.connections import change_connection, find_connection
from app.times import now_ms
from channels.errors import ChannelError

from .recording import recording
from .steps import Work
from .words import webhook_path

EVERY_MS: Final = 3_600_000
"""Vendors switch off, without a word, what failed for some hours."""

AGAIN_MS: Final = 300_000
"""When it failed; orders are looked for meanwhile."""

log = structlog.get_logger(__name__)


async def keep_subscribed(work: Work) -> bool:
    """Look after them, if it is time. Raises ChannelError, NotOurs, DatabaseAway."""
    public, mine = work.state.settings.public_url, (work.facts.seller, work.facts.code)
    if public is None:
        return False
    url = public + webhook_path(*mine)
    async with work.state.database.reading() as session:
        facts = await find_connection(session, *mine)
    if facts is None or facts.paused:
        return False
    is_known = facts.subscribed_url == url
    if now_ms() < facts.subscribed_ms + (EVERY_MS if is_known else AGAIN_MS):
        return False
    try:
        mended = await work.line.engine.run(work.line.connector.subscribe(url))
    except ChannelError:
        await _note(work, "")
        raise
    await _note(work, url)
    await keep(work.state.pipe.client, *mine, mended)
    if mended:
        log.warning("webhooks_mended" if is_known else "webhooks_made", connection=facts.code, times=mended)
    return False


async def _note(work: Work, url: str) -> None:
    mine = work.facts.seller, work.facts.code
    async with recording(work) as session:
        facts = await find_connection(session, *mine)
        # What was changed or made again meanwhile has its own webhooks to make, and at once.
        if facts is not None and which(facts) == which(work.facts):
            await change_connection(session, *mine, subscribed_ms=now_ms(), subscribed_url=url)
