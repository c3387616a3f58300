"""
Rolls a seller's config back to an earlier version, as one new change that undoes all later ones.

The history keeps everything: what was undone, and that it was.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from app.store import config as store
from app.store.config_changes import ACTIVE, RowFacts, find_change, rows_after

from .engine import ROWS_MAX, Engine, Plan, Verdict, read_entry
from .errors import ChangeUnknown, TooMuch
from .judging import ABSENT, Thing, Wish
from .kinds import ORDER, Item
from .picture import entry_of

ROWS_READ_MAX: Final = 20_000
"""Most rows of history that one roll back looks at."""


class Undone(NamedTuple):
    """What one thing was at the version to return to; None: it was not there."""

    kind: str
    key: str
    item: Item | None


async def roll_back(engine: Engine, to_version: int, *, actor: str, note: str = "", dry_run: bool = False) -> Verdict:
    """
    Make everything what it was at a version, all or nothing.

    Raises ChangeUnknown, TooMuch (with the nearest version that fits), NotReady, Unanswered, and what `Engine.change`
    raises. The verdict's outcomes say why it is refused, such as a sku with units that did not exist then.
    """
    await engine.finish()
    wishes = await _wishes(engine, to_version)
    note = note or f"back to version {to_version}"
    plan = Plan(wishes, actor, note, together=True, dry_run=dry_run, rolls_back_to=to_version)
    return await engine.change(plan)


async def _wishes(engine: Engine, to_version: int) -> list[Wish]:
    async with engine.database.reading() as session:
        change = await find_change(session, engine.seller, to_version) if to_version else None
        if to_version and (change is None or change.state != ACTIVE):
            raise ChangeUnknown(f"the config was never at version {to_version}", version=to_version)
        rows = await rows_after(session, engine.seller, to_version, limit=ROWS_READ_MAX + 1)
        there: dict[Thing, store.Stored] = {}
        for kind in store.KINDS:
            keys = {row.key for _, row in rows if row.kind == kind}
            found = await store.find_records(session, engine.seller, kind, keys)
            there |= {(kind, key): stored for key, stored in found.items()}
    return sorted(_net(rows, there, to_version), key=_place)


def _net(rows: Sequence[tuple[int, RowFacts]], there: Mapping[Thing, store.Stored], to_version: int) -> list[Wish]:
    """
    What must be wished for so that none of these rows, which come newest first, has had an effect. Raises TooMuch.

    Things that are by now what they were need no wish, so the way back is walked to its end to know how long it is.
    """
    net: dict[Thing, Wish] = {}
    farthest = None
    for number, (version, row) in enumerate(rows[:ROWS_READ_MAX]):
        thing = (row.kind, row.key)
        wish = _wish(_undone(row), there.get(thing))
        if wish is None:
            net.pop(thing, None)
        else:
            net[thing] = wish
        older = rows[number + 1][0] if number + 1 < len(rows) else to_version
        if older != version and len(net) <= ROWS_MAX:
            farthest = older
    if farthest not in (None, to_version) or len(net) > ROWS_MAX:
        says = f"more than {ROWS_MAX} things changed since; the farthest one roll back reaches is version {farthest}"
        raise TooMuch(says, nearest=farthest)
    return list(net.values())


def _undone(row: RowFacts) -> Undone:
    entry = read_entry(row.kind, row.before, ABSENT)
    return Undone(row.kind, row.key, entry.item if entry else None)


def _wish(undone: Undone, stored: store.Stored | None) -> Wish | None:
    """The wish for what was; None when it is so already."""
    entry = entry_of(undone.kind, stored) if stored else None
    if undone.item == (entry.item if entry else None):
        return None
    return Wish(undone.kind, undone.key, undone.item, entry.version if entry else ABSENT)


def _place(wish: Wish) -> tuple[int, str]:
    return ORDER.index(wish.kind), wish.key
