"""
What time does to config: rules whose window opens or closes, and changes that somebody left half done.

Run every second by every process that has a schedule; they may meet, and one of them makes the change.
"""

from typing import Final

from app.store import config as store

from .engine import ROWS_MAX, Engine, Plan, Verdict
from .judging import Wish
from .picture import entry_of

ACTOR: Final = "schedule"


async def turn_windows(engine: Engine) -> Verdict | None:
    """
    Put rules in force whose window has opened, and out of force whose window has closed; at most 1,000 at once.

    None when there is nothing to do. Raises NotReady, Unanswered.
    """
    async with engine.database.reading() as session:
        due = await store.due_rules(session, engine.seller, now_ms=engine.now_ms, limit=ROWS_MAX)
    entries = {key: entry_of("rules", stored) for key, stored in due.items()}
    if not entries:
        return None
    # A rule that changed since it was read is refused, and looked at again a second later.
    wishes = [Wish("rules", key, entry.item, entry.version, again=True) for key, entry in entries.items()]
    return await engine.change(Plan(wishes, ACTOR, "rules whose window opened or closed"))
