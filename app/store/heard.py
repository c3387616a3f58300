"""Orders as channels tell them, the newest picture of each and what became of it; and webhooks that were heard."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import delete, func, or_, select, tuple_, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from .channel_tables import HeardNewsRow, HeardOrderRow
from .comparing import number, words
from .ledger_tables import OrderRow
from .statements import all_rows, dialect, execute

WAITING: Final = "waiting"
TAKEN: Final = "taken"
PARKED: Final = "parked"

ROWS_MAX: Final = 100
"""Rows of one statement: databases limit its values."""

HeardKey = tuple[int, str]
"""When an order was heard and its id: how lists are sorted, newest first."""


@dataclass(frozen=True)
class HeardFacts:
    """
    An order of a channel. picture: as it told it last, as JSON; '' when it only named it.

    revision: of the newest picture, -1 for none; taken: the newest that our order follows, -1 for none. followed: what
    was made of it so far, as JSON. ask: the channel is to be asked for it. state: waiting (from due_ms on), taken or
    parked (since due_ms; code and says tell why). via: hook, poll, pull or ask.
    """

    external_id: str
    revision: int
    taken: int
    picture: str
    followed: str
    ask: bool
    state: str
    code: str
    says: str
    attempts: int
    due_ms: int
    via: str
    placed_ms: int
    heard_ms: int
    taken_ms: int


class Told(NamedTuple):
    """An order as a channel has just told it; picture as JSON."""

    external_id: str
    revision: int
    placed_ms: int
    picture: str


class WaitingOrders(NamedTuple):
    """How many orders of a seller wait and how many are parked, and when the oldest that waits was heard, 0: none."""

    waiting: int
    parked: int
    oldest_ms: int


_HEARD: Final = [col(getattr(HeardOrderRow, name)) for name in HeardFacts.__dataclass_fields__]
_AFRESH: Final = {"state": WAITING, "code": "", "says": "", "attempts": 0}
"""What a row is when there is something new to be done with it."""


def _mine(seller: str, connection: str) -> list[Any]:
    return [col(HeardOrderRow.seller) == seller, col(HeardOrderRow.connection) == words(connection)]


# --- what is heard -------------------------------------------------------------------------------------------------


async def note_news(
    session: AsyncSession, seller: str, connection: str, topics: Mapping[str, str], *, now_ms: int
) -> set[str]:
    """Remember webhooks, with their topics by id; those that have not been heard before."""
    mine, ids, new = {"seller": seller, "connection": connection, "at_ms": now_ms}, sorted(topics), set[str]()
    for start in range(0, len(ids), ROWS_MAX):
        rows = [{**mine, "id": id, "topic": topics[id]} for id in ids[start : start + ROWS_MAX]]
        insert = dialect(session).insert(HeardNewsRow).values(rows).on_conflict_do_nothing()
        # Not by how many rows: drivers do not say that of every insert.
        new |= {str(id) for (id,) in await execute(session, insert.returning(col(HeardNewsRow.id)))}
    return new


async def drop_news(session: AsyncSession, *, before_ms: int) -> int:
    """Forget webhooks that were heard before then; how many there were."""
    return int((await execute(session, delete(HeardNewsRow).where(col(HeardNewsRow.at_ms) < before_ms))).rowcount)


async def note_told(
    session: AsyncSession, seller: str, connection: str, told: Sequence[Told], *, via: str, now_ms: int
) -> None:
    """
    Remember whole pictures, each if it is newer than what is known; those wait to be taken.

    Of a picture with the same revision and other content nobody knows which is newer: the channel is to be asked.
    """
    # Of one id named twice the newest: one statement may not touch a row twice.
    newest = list({one.external_id: one for one in sorted(told, key=lambda one: one.revision)}.values())
    for start in range(0, len(newest), ROWS_MAX):
        some = newest[start : start + ROWS_MAX]
        rows = [
            {**_new(seller, connection, one.external_id, via, now_ms), **one._asdict(), "ask": False} for one in some
        ]
        insert = dialect(session).insert(HeardOrderRow).values(rows)
        fresh = {name: insert.excluded[name] for name in ("revision", "picture", "placed_ms", "due_ms", "via")}
        fresh |= {"ask": False, "heard_ms": now_ms, **_AFRESH}
        keys = ["seller", "connection", "external_id"]
        newer = insert.excluded.revision > col(HeardOrderRow.revision)
        await execute(session, insert.on_conflict_do_update(index_elements=keys, set_=fresh, where=newer))
        await _ask_for_unlike(session, seller, connection, some, now_ms)


async def _ask_for_unlike(
    session: AsyncSession, seller: str, connection: str, told: Sequence[Told], now_ms: int
) -> None:
    same = tuple_(col(HeardOrderRow.external_id), col(HeardOrderRow.revision))
    query = select(col(HeardOrderRow.external_id), col(HeardOrderRow.picture)).where(
        *_mine(seller, connection), same.in_([(one.external_id, one.revision) for one in told])
    )
    known = {str(id): str(picture) for id, picture in await all_rows(session, query)}
    unlike = [one.external_id for one in told if known.get(one.external_id, one.picture) != one.picture]
    if unlike:
        await note_named(session, seller, connection, unlike, via="ask", now_ms=now_ms)


async def note_named(
    session: AsyncSession, seller: str, connection: str, ids: Collection[str], *, via: str, now_ms: int
) -> None:
    """Remember orders that were only named: the channel is to be asked for them."""
    named = sorted({*ids})
    for start in range(0, len(named), ROWS_MAX):
        rows = [_new(seller, connection, id, via, now_ms) for id in named[start : start + ROWS_MAX]]
        insert = dialect(session).insert(HeardOrderRow).values(rows)
        again = {"ask": True, "due_ms": now_ms, **_AFRESH}
        keys = ["seller", "connection", "external_id"]
        await execute(session, insert.on_conflict_do_update(index_elements=keys, set_=again))


async def note_odd(
    session: AsyncSession, seller: str, connection: str, external_id: str, says: str, *, via: str, now_ms: int
) -> None:
    """Park an order that cannot be understood; whoever takes it again asks the channel for it."""
    parked = {"ask": True, "state": PARKED, "code": "odd", "says": says[:500], "due_ms": now_ms}
    row = {**_new(seller, connection, external_id, via, now_ms), **parked}
    insert = dialect(session).insert(HeardOrderRow).values(row)
    keys = ["seller", "connection", "external_id"]
    other = or_(col(HeardOrderRow.state) != PARKED, col(HeardOrderRow.says) != says[:500])
    await execute(session, insert.on_conflict_do_update(index_elements=keys, set_=parked, where=other))


def _new(seller: str, connection: str, external_id: str, via: str, now_ms: int) -> dict[str, Any]:
    keys = {"seller": seller, "connection": connection, "external_id": external_id}
    blank = {"revision": -1, "taken": -1, "picture": "", "followed": "", "ask": True, "placed_ms": 0, "taken_ms": 0}
    return {**keys, **blank, **_AFRESH, "due_ms": now_ms, "via": via, "heard_ms": now_ms}


# --- what becomes of it --------------------------------------------------------------------------------------------


async def due_orders(
    session: AsyncSession, seller: str, connection: str, *, now_ms: int, limit: int
) -> list[HeardFacts]:
    """Orders that may be taken now, those that wait longest first."""
    query = select(*_HEARD).where(
        *_mine(seller, connection), col(HeardOrderRow.state) == WAITING, col(HeardOrderRow.due_ms) <= now_ms
    )
    ordered = query.order_by(col(HeardOrderRow.due_ms), col(HeardOrderRow.external_id)).limit(limit)
    return [HeardFacts(*row) for row in await all_rows(session, ordered)]


async def find_heard(session: AsyncSession, seller: str, connection: str, external_id: str) -> HeardFacts | None:
    """One order, or None."""
    query = select(*_HEARD).where(*_mine(seller, connection), col(HeardOrderRow.external_id) == words(external_id))
    row = (await execute(session, query)).first()
    return None if row is None else HeardFacts(*row)


async def settle(session: AsyncSession, seller: str, connection: str, seen: HeardFacts, **changes: Any) -> bool:
    """Write what became of an order as it was seen; False when something newer has been heard of it since."""
    same = (
        col(HeardOrderRow.external_id) == seen.external_id,
        col(HeardOrderRow.revision) == seen.revision,
        col(HeardOrderRow.ask) == seen.ask,
        col(HeardOrderRow.state) == WAITING,
        col(HeardOrderRow.due_ms) == seen.due_ms,
    )
    changed = update(HeardOrderRow).where(*_mine(seller, connection), *same).values(**changes)
    return bool((await execute(session, changed)).rowcount)


async def note_asked(session: AsyncSession, seller: str, connection: str, seen: HeardFacts, told: Told) -> bool:
    """What the channel answered when it was asked for an order; False when more has been heard of it meanwhile."""
    newest = told._asdict() if told.revision >= seen.revision else {}
    return await settle(session, seller, connection, seen, **{**newest, "ask": False})


async def keep_followed(session: AsyncSession, seller: str, connection: str, external_id: str, followed: str) -> None:
    """Write down what is being made of an order, before it is made."""
    this = update(HeardOrderRow).where(*_mine(seller, connection), col(HeardOrderRow.external_id) == external_id)
    await execute(session, this.values(followed=followed))


async def is_parked(
    session: AsyncSession, seller: str, connection: str, *, codes: Collection[str], before_ms: int
) -> bool:
    """Whether an order was parked for one of these codes before then."""
    query = select(col(HeardOrderRow.external_id)).where(
        *_mine(seller, connection),
        col(HeardOrderRow.state) == PARKED,
        col(HeardOrderRow.due_ms) < before_ms,
        col(HeardOrderRow.code).in_(sorted(codes)),
    )
    return (await execute(session, query.limit(1))).first() is not None


async def wake(
    session: AsyncSession,
    seller: str,
    connection: str,
    *,
    now_ms: int,
    ids: Collection[str] | None = None,
    codes: Collection[str] | None = None,
    parked_before_ms: int | None = None,
    state: str = PARKED,
    **changes: Any,
) -> int:
    """Let orders be tried again that are parked: these, those with these codes or parked before then; how many."""
    parked = [*_mine(seller, connection), col(HeardOrderRow.state) == state]
    if ids is not None:
        parked.append(col(HeardOrderRow.external_id).in_([words(id) for id in ids]))
    if codes is not None:
        parked.append(col(HeardOrderRow.code).in_(sorted(codes)))
    if parked_before_ms is not None:
        parked.append(col(HeardOrderRow.due_ms) < parked_before_ms)
    again = update(HeardOrderRow).where(*parked).values(state=WAITING, attempts=0, due_ms=now_ms, **changes)
    return int((await execute(session, again)).rowcount)


async def wake_lost(
    session: AsyncSession,
    seller: str,
    connection: str,
    channel: str,
    *,
    now_ms: int,
    window: tuple[int, int],
    limit: int,
) -> list[str]:
    """Let orders wait again that were taken in this time (ms) and that SQL does not have; which, at most so many."""
    there = select(col(OrderRow.seller)).where(
        col(OrderRow.seller) == seller,
        col(OrderRow.channel) == channel,
        col(OrderRow.external_id) == col(HeardOrderRow.external_id),
    )
    query = select(col(HeardOrderRow.external_id)).where(
        *_mine(seller, connection),
        col(HeardOrderRow.state) == TAKEN,
        col(HeardOrderRow.code) == "",
        col(HeardOrderRow.due_ms).between(*window),
        ~there.exists(),
    )
    lost = [str(id) for (id,) in await all_rows(session, query.order_by(col(HeardOrderRow.due_ms)).limit(limit))]
    for start in range(0, len(lost), ROWS_MAX):
        some = col(HeardOrderRow.external_id).in_(lost[start : start + ROWS_MAX])
        again = update(HeardOrderRow).where(*_mine(seller, connection), some, col(HeardOrderRow.state) == TAKEN)
        await execute(session, again.values(state=WAITING, attempts=0, due_ms=now_ms))
    return lost


# --- for people ----------------------------------------------------------------------------------------------------


async def page_heard(
    session: AsyncSession, seller: str, connection: str, *, state: str, before: HeardKey | None, limit: int
) -> list[HeardFacts]:
    """Orders of one state or of all (''), the newest heard first; `before`: the key of the last one seen."""
    query = select(*_HEARD).where(*_mine(seller, connection))
    key = col(HeardOrderRow.heard_ms), col(HeardOrderRow.external_id)
    if state:
        query = query.where(col(HeardOrderRow.state) == state)
    if before is not None:
        query = query.where(tuple_(*key) < tuple_(number(before[0]), words(before[1])))
    ordered = query.order_by(*(column.desc() for column in key)).limit(limit)
    return [HeardFacts(*row) for row in await all_rows(session, ordered)]


async def waiting_orders(session: AsyncSession, seller: str) -> WaitingOrders:
    """What of this seller's orders from channels is not taken."""
    open_ones = col(HeardOrderRow.state).in_([WAITING, PARKED])
    query = (
        select(col(HeardOrderRow.state), func.count(), func.min(col(HeardOrderRow.heard_ms)))
        .where(col(HeardOrderRow.seller) == seller, open_ones)
        .group_by(col(HeardOrderRow.state))
    )
    found = {state: (count, oldest) for state, count, oldest in await all_rows(session, query)}
    waiting, oldest_ms = found.get(WAITING, (0, 0))
    return WaitingOrders(waiting, found.get(PARKED, (0, 0))[0], oldest_ms)
