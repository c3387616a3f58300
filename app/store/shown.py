"""What each listing of a connection was told and shows, and what is to be pushed."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import Table, and_, bindparam, case, func, select, text, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from .channel_tables import ACCEPTED, DEAD, DRIFT, DUE, TICKET, ConnectionRow, ShownRow
from .comparing import words
from .statements import all_rows, dialect, execute

CHUNK: Final = 500
"""Values of one statement; databases limit its variables."""

SOON_MS: Final = 30_000
"""The longest that a number waits which changed after its push had failed."""

SAYS_MAX: Final = 500
CODE_MAX: Final = 100

UNLISTED: Final = ""
"""The sku of what is no listing of ours."""

BUDGET: Final = "budget"
"""The code of a listing whose change is held back for the sake of the day's budget."""

_TABLE: Final[Table] = ShownRow.__table__  # type: ignore[attr-defined] # SQLModel makes it
_C: Final = _TABLE.c
OURS: Final = _C.sku != UNLISTED
_KEYS: Final = frozenset({"seller", "connection", "listing"})


@dataclass(frozen=True)
class ShownFacts:
    """A listing as it stands; what the fields mean `ShownRow` says."""

    listing: str
    sku: str
    named: str
    refs: Mapping[str, str]
    changes: int
    settled: int
    changed_ms: int
    due_ms: int
    attempts: int
    told: int | None
    told_places: Mapping[str, int]
    told_ms: int
    version: int
    outcome: str
    code: str
    says: str
    ticket: str
    shown: int | None
    shown_places: Mapping[str, int]
    shown_ms: int
    revisions: int
    revisions_day: int
    falling: float
    falling_ms: int


_FIELDS: Final = tuple(ShownFacts.__dataclass_fields__)
_COLUMNS: Final = [_C[name] for name in _FIELDS]

BLANK: Final[dict[str, Any]] = {
    "named": "",
    "refs": {},
    "changes": 0,
    "settled": 0,
    "changed_ms": 0,
    "due_ms": 0,
    "attempts": 0,
    "told": None,
    "told_places": {},
    "told_ms": 0,
    "version": 0,
    "outcome": "",
    "code": "",
    "says": "",
    "ticket": "",
    "shown": None,
    "shown_places": {},
    "shown_ms": 0,
    "revisions": 0,
    "revisions_day": 0,
    "falling": 0.0,
    "falling_ms": 0,
}
"""A listing of which nothing is known yet."""


def mine_of(seller: str, connection: str) -> list[Any]:
    """What is so of the connection's listings."""
    return [_C.seller == seller, _C.connection == words(connection)]


# --- noting ------------------------------------------------------------------------------------------------------


async def move_position(session: AsyncSession, seller: str, code: str, *, before: str, after: str) -> bool:
    """Note that changes up to `after` are noted; False when the position is another one than `before`."""
    mine: list[Any] = [col(ConnectionRow.seller) == seller, col(ConnectionRow.code) == code]
    moved = update(ConnectionRow).where(*mine, col(ConnectionRow.position) == before).values(position=after)
    return bool((await execute(session, moved)).rowcount)


_CHANGED: Final[dict[str, Any]] = {
    "changes": _C.changes + 1,
    "changed_ms": case((_C.changes == _C.settled, bindparam("since_ms")), else_=_C.changed_ms),
    # What has failed keeps some distance; anything else has a new reason to go.
    "due_ms": case(
        (and_(_C.outcome == "failed", _C.due_ms <= bindparam("soon_ms")), _C.due_ms),
        (_C.outcome == "failed", bindparam("soon_ms")),
        else_=bindparam("now_ms"),
    ),
}


def _at(now_ms: int, since_ms: int | None = None) -> dict[str, int]:
    return {"now_ms": now_ms, "soon_ms": now_ms + SOON_MS, "since_ms": now_ms if since_ms is None else since_ms}


async def note_changes(
    session: AsyncSession,
    seller: str,
    connection: str,
    skus: Collection[str] | None,
    *,
    now_ms: int,
    since_ms: int | None = None,
) -> None:
    """The numbers of these skus may be others (None: all of them), since that moment if it was not now."""
    mine = [*mine_of(seller, connection), OURS]
    for some in [None] if skus is None else _chunks(sorted(skus)):
        where = mine if some is None else [*mine, _C.sku.in_(some)]
        await execute(session, update(_TABLE).where(*where).values(_CHANGED), _at(now_ms, since_ms))


async def note_listings(
    session: AsyncSession, seller: str, connection: str, listings: Collection[str], *, now_ms: int
) -> None:
    """The numbers of these listings may be others."""
    for some in _chunks(sorted(listings)):
        where = [*mine_of(seller, connection), OURS, _C.listing.in_(some)]
        await execute(session, update(_TABLE).where(*where).values(_CHANGED), _at(now_ms))


async def push_anew(
    session: AsyncSession, seller: str, connection: str, skus: Collection[str] | None, *, now_ms: int, dead: bool
) -> int:
    """Let these skus' numbers go out again, even those that were told; `dead`: what was given up and only that."""
    values = {
        "changes": _C.changes + 1,
        "changed_ms": now_ms,
        "due_ms": now_ms,
        "attempts": 0,
        "outcome": "",
        "code": "",
        "says": "",
        "told": None,
        "shown_ms": 0,
    }
    state = text(DEAD) if dead else _C.outcome != "dead"
    mine, count = [*mine_of(seller, connection), OURS, state, _C.ticket == ""], 0
    for some in [None] if skus is None else _chunks(sorted(skus)):
        where = mine if some is None else [*mine, _C.sku.in_([words(sku) for sku in some])]
        count += (await execute(session, update(_TABLE).where(*where).values(values))).rowcount
    return count


# --- writing -----------------------------------------------------------------------------------------------------


async def change_shown(
    session: AsyncSession,
    seller: str,
    connection: str,
    changes: Mapping[str, Mapping[str, Any]],
    *,
    rows: Mapping[str, ShownFacts] | None = None,
    untold: bool = False,
) -> None:
    """
    Change these fields of these listings; one that is gone stays gone. `changes` is how many more there are.

    `rows` are as they were read: of what has changed since then no `due_ms` puts off what is to be told of that. With
    `untold` only those are changed that were told nothing since.
    """
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for listing, fields in changes.items():
        if fields:
            values = {f"new_{name}": _cut(name, value) for name, value in fields.items()}
            values |= {"of": seller, "by": connection, "one": listing}
            values |= {} if rows is None else {"then": rows[listing].changes, "then_ms": rows[listing].told_ms}
            groups.setdefault(tuple(sorted(fields)), []).append(values)
    for names, group in groups.items():
        await execute(session, _change(names, read=rows is not None, untold=untold), group)


def _cut(name: str, value: Any) -> Any:
    """The value as its column takes it: what channels say may be longer."""
    most = {"says": SAYS_MAX, "code": CODE_MAX}.get(name)
    return words(value)[:most] if most else value


@cache
def _change(names: tuple[str, ...], *, read: bool, untold: bool) -> Any:
    one = [_C.seller == bindparam("of"), _C.connection == bindparam("by"), _C.listing == bindparam("one")]
    if untold:
        one.append(_C.told_ms == bindparam("then_ms"))
    new: dict[str, Any] = {name: bindparam(f"new_{name}", type_=_C[name].type) for name in names}
    if "changes" in new:
        new["changes"] += _C.changes
    if read and "due_ms" in new:
        new["due_ms"] = case((_C.changes == bindparam("then"), new["due_ms"]), else_=_C.due_ms)
    return update(_TABLE).where(*one).values(new)


async def put_listings(
    session: AsyncSession, seller: str, connection: str, skus: Mapping[str, str], *, now_ms: int
) -> None:
    """These listings are of these skus, and are to be pushed."""
    changed = {"changes": 1, "changed_ms": now_ms, "due_ms": now_ms}
    rows = [
        {**BLANK, **_named(seller, connection), "listing": listing, "sku": sku, **changed}
        for listing, sku in skus.items()
    ]
    if rows:
        new = dialect(session).insert(_TABLE)
        # What is known of it as nobody's listing is still so; what was told of another sku is not.
        names = ("sku", "changed_ms", "due_ms", "attempts", "outcome", "code", "says", "told")
        again = {**{name: new.excluded[name] for name in names}, "changes": _C.changes + 1}
        await execute(session, new.on_conflict_do_update(index_elements=sorted(_KEYS), set_=again), rows)


async def let_go(session: AsyncSession, seller: str, connection: str, listings: Collection[str]) -> None:
    """These are no listings of ours any more; what they show is still known."""
    for some in _chunks(sorted(listings)):
        nothing = {"sku": UNLISTED, "settled": _C.changes, "outcome": "", "code": "", "says": "", "ticket": ""}
        mine = [*mine_of(seller, connection), _C.listing.in_(some)]
        await execute(session, update(_TABLE).where(*mine).values(nothing))


async def add_unmapped(session: AsyncSession, seller: str, connection: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Remember what a channel sells that is no listing of ours: `rows` have listing, named, refs and what it shows."""
    if rows:
        values = [{**BLANK, "sku": UNLISTED, **_named(seller, connection), **row} for row in rows]
        new = dialect(session).insert(_TABLE).on_conflict_do_nothing(index_elements=sorted(_KEYS))
        await execute(session, new, values)


async def drop_unmapped(session: AsyncSession, seller: str, connection: str, *, before_ms: int) -> None:
    """Forget what was nobody's listing and has not been seen on the channel since."""
    gone = _TABLE.delete().where(*mine_of(seller, connection), _C.sku == UNLISTED, _C.shown_ms < before_ms)
    await execute(session, gone)


def _named(seller: str, connection: str) -> dict[str, str]:
    return {"seller": seller, "connection": connection}


async def ask_of_tickets(
    session: AsyncSession, seller: str, connection: str, tickets: Collection[str], *, at_ms: int
) -> None:
    """These bulk pushes are to be asked about then."""
    for some in _chunks(sorted(map(words, tickets))):
        where = [*mine_of(seller, connection), text(TICKET), _C.ticket.in_(some)]
        await execute(session, update(_TABLE).where(*where).values(due_ms=at_ms))


async def look_again_at(session: AsyncSession, seller: str, connection: str, listings: Collection[str]) -> None:
    """These are to be read again, as if they had only been accepted."""
    for some in _chunks(sorted(map(words, listings))):
        where = [*mine_of(seller, connection), _C.listing.in_(some), _C.outcome == "applied"]
        await execute(session, update(_TABLE).where(*where).values(outcome="accepted"))


# --- asking ------------------------------------------------------------------------------------------------------


async def due(session: AsyncSession, seller: str, connection: str, *, now_ms: int, limit: int) -> list[ShownFacts]:
    """What is to be pushed now; first what shows little and may be sold out, last what shows nothing anyway."""
    ready = [text(DUE), OURS, _C.due_ms <= now_ms, _C.outcome != "dead", _C.ticket == ""]
    known = func.coalesce(_C.told, _C.shown)
    order = case((known == 0, 1), else_=0), known, _C.changed_ms
    return await facts_where(session, [*mine_of(seller, connection), *ready], order, limit)


async def unproved(
    session: AsyncSession, seller: str, connection: str, *, told_before_ms: int, limit: int
) -> list[ShownFacts]:
    """What was accepted until then and has not been seen on the channel."""
    waiting = [text(ACCEPTED), OURS, _C.changes == _C.settled, _C.ticket == "", _C.told_ms <= told_before_ms]
    return await facts_where(session, [*mine_of(seller, connection), *waiting], (_C.told_ms,), limit)


async def tickets(session: AsyncSession, seller: str, connection: str, *, now_ms: int) -> dict[str, int]:
    """The bulk pushes that are to be asked about now, and when each was sent."""
    sent, next_ms = func.min(_C.told_ms), func.min(_C.due_ms)
    query = select(_C.ticket, sent).where(*mine_of(seller, connection), text(TICKET)).group_by(_C.ticket)
    return {ticket: int(at_ms) for ticket, at_ms in await all_rows(session, query.having(next_ms <= now_ms))}


async def of_ticket(session: AsyncSession, seller: str, connection: str, ticket: str) -> list[ShownFacts]:
    """The listings that a bulk push carries."""
    where = [*mine_of(seller, connection), text(TICKET), _C.ticket == words(ticket)]
    return await facts_where(session, where, (_C.listing,), None)


async def find_shown(
    session: AsyncSession, seller: str, connection: str, listings: Iterable[str]
) -> dict[str, ShownFacts]:
    """Those of these listings that are known."""
    found: dict[str, ShownFacts] = {}
    for some in _chunks(sorted({words(listing) for listing in listings})):
        where = [*mine_of(seller, connection), _C.listing.in_(some)]
        found |= {one.listing: one for one in await facts_where(session, where, (_C.listing,), None)}
    return found


async def skus_listed(session: AsyncSession, seller: str, connection: str) -> dict[str, str]:
    """Every listing of ours with its sku."""
    query = select(_C.listing, _C.sku).where(*mine_of(seller, connection), OURS)
    return dict(map(tuple, await all_rows(session, query)))


STATES: Final[dict[str, Any]] = {
    "due": text(f"{DUE} AND sku <> '' AND outcome <> 'dead' AND ticket = ''"),
    "dead": text(DEAD),
    "retried": text(f"{DEAD} AND {DUE} AND sku <> '' AND due_ms > 0"),
    "drift": text(f"{DRIFT} AND sku <> ''"),
    "unmapped": text("sku = ''"),
    "held_back": text(f"{DUE} AND sku <> '' AND code = '{BUDGET}'"),
}
"""What a list can be asked for: `due` is everything not pushed yet, now or later."""


async def page_shown(
    session: AsyncSession, seller: str, connection: str, *, state: str, sku: str, after: str, limit: int
) -> list[ShownFacts]:
    """Listings in the order of their ids, from behind `after`; of one state, of one sku ('': of all)."""
    where = [*mine_of(seller, connection), _C.listing > words(after)]
    where += [STATES[state]] if state else []
    where += [_C.sku == words(sku)] if sku else []
    return await facts_where(session, where, (_C.listing,), limit)


async def facts_where(
    session: AsyncSession, where: list[Any], order: tuple[Any, ...], limit: int | None
) -> list[ShownFacts]:
    """The listings of which all this is so, in this order."""
    query = select(*_COLUMNS).where(*where).order_by(*order).limit(limit)
    return [ShownFacts(*row) for row in await all_rows(session, query)]


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
