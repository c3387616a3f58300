"""
What was decided of the lines of counts, and the differences that are booked because of it.

A difference stands here with its op before it is booked, and its place is busy until the ledger in SQL has that op.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlmodel import SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

from .count_tables import CountedPlaceRow, CountLineRow, CountShadowRow
from .counting import BOOKED
from .counts import CountFacts
from .ledger_tables import LedgerEntryRow
from .recounts import confirm
from .statements import all_rows, dialect, execute

APPLYING, APPLIED = "applying", "applied"

_LINE = CountLineRow
_ENTRY = LedgerEntryRow


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What became of a line; `state` applying has a difference to book."""

    number: int
    sku: str
    location: str
    counted: int
    as_of_ms: int | None
    state: str
    why: str = ""
    measured: int | None = None
    difference: int | None = None
    version: int | None = None
    entry: int = 0


@dataclass(frozen=True)
class Booking:
    """A difference that is to be booked, under its op."""

    number: int
    sku: str
    location: str
    difference: int
    op: str


async def write_decided(
    session: AsyncSession, count: CountFacts, decided: Sequence[Decided], op: str, *, now_ms: int
) -> None:
    """What was decided; differences are to be booked under `op`."""
    await _write_lines(session, count, decided, op)
    booking = [line for line in decided if line.state == APPLYING]
    same = [line for line in decided if line.state == "unchanged"]
    await _know_places(session, count, same)
    if same:
        # No entry will tell the drain of these.
        closed = {"entry": same[0].entry, "now": now_ms, "by_op": f"{BOOKED}:{op}", "by": count.actor}
        await confirm(session, count.seller, [(line.sku, line.location, line.version) for line in same], closed)
    await _put(session, CountedPlaceRow, [{**_place(count, line), "op": op} for line in booking], ("op",))


async def _write_lines(session: AsyncSession, count: CountFacts, decided: Sequence[Decided], op: str) -> None:
    values = ("state", "why", "measured", "difference", "version", "entry", "op")
    statement = (
        update(_LINE)
        .where(
            col(_LINE.seller) == bindparam("of"),
            col(_LINE.count_id) == bindparam("count"),
            col(_LINE.number) == bindparam("line"),
        )
        .values({name: bindparam(f"new_{name}") for name in values})
    )
    rows = [
        {
            "of": count.seller,
            "count": count.id,
            "line": line.number,
            **{f"new_{name}": getattr(line, name) for name in values if name != "op"},
            "new_op": op if line.state == APPLYING else "",
        }
        for line in decided
    ]
    if rows:
        await execute(session, statement, rows)


async def bookings(session: AsyncSession, count: CountFacts) -> list[Booking]:
    """Differences that are to be booked and not known to be in the ledger, in the order of their lines."""
    names = ("number", "sku", "location", "difference", "op")
    query = select(*(col(getattr(_LINE, name)) for name in names)).where(*_applying(count))
    return [Booking(*row) for row in await all_rows(session, query.order_by(col(_LINE.number)))]


async def is_booked(session: AsyncSession, count: CountFacts, op: str) -> bool:
    """Whether the ledger in SQL has this op."""
    mine = col(_ENTRY.seller) == count.seller, col(_ENTRY.op) == f"{BOOKED}:{op}"
    return bool(await all_rows(session, select(col(_ENTRY.number)).where(*mine).limit(1)))


async def finish_booking(session: AsyncSession, count: CountFacts, op: str) -> None:
    """These differences are in the ledger: they are applied, and their places are free again."""
    columns = ("number", "sku", "location", "counted", "as_of_ms", "version", "entry")
    mine = *_applying(count), col(_LINE.op) == op
    rows = await execute(session, select(*(col(getattr(_LINE, name)) for name in columns)).where(*mine))
    done = [Decided(**row, state=APPLIED) for row in rows.mappings()]
    await execute(session, update(_LINE).where(*mine).values(state=APPLIED))
    await _know_places(session, count, done)


async def refuse_booking(
    session: AsyncSession, count: CountFacts, op: str, refused: Collection[int], *, why: str, again: str
) -> None:
    """The allocator refused an op because of these lines; the others are to be booked under the op `again`."""
    mine = *_applying(count), col(_LINE.op) == op
    places = select(col(_LINE.sku), col(_LINE.location), col(_LINE.number)).where(*mine)
    rows = [
        {"seller": count.seller, "sku": sku, "location": location, "op": "" if number in refused else again}
        for sku, location, number in await all_rows(session, places)
    ]
    await _put(session, CountedPlaceRow, rows, ("op",))
    bad = col(_LINE.number).in_(sorted(refused))
    await execute(session, update(_LINE).where(*mine, bad).values(state="refused", why=why, difference=None, op=""))
    await execute(session, update(_LINE).where(*mine).values(op=again))


def _applying(count: CountFacts) -> tuple[Any, ...]:
    return col(_LINE.seller) == count.seller, col(_LINE.count_id) == count.id, col(_LINE.state) == APPLYING


async def _know_places(session: AsyncSession, count: CountFacts, lines: Sequence[Decided]) -> None:
    """These counts of places are the last ones now, and this is what their source said."""
    places = [{**_place(count, line), "version": line.version, "as_of_ms": line.as_of_ms, "op": ""} for line in lines]
    await _put(session, CountedPlaceRow, places, ("version", "as_of_ms", "op"), kept=("version", "as_of_ms"))
    said = {"source": count.source, "meaning": count.meaning}
    shadows = [{**_place(count, line), **said, "units": line.counted, "entry": line.entry} for line in lines]
    await _put(session, CountShadowRow, shadows, ("units", "entry"))


def _place(count: CountFacts, line: Decided) -> dict[str, Any]:
    return {"seller": count.seller, "sku": line.sku, "location": line.location}


async def _put(
    session: AsyncSession,
    table: type[SQLModel],
    rows: Sequence[dict[str, Any]],
    names: Sequence[str],
    *,
    kept: Collection[str] = (),
) -> None:
    """Add rows, or change these columns of those there are; of `kept` what was there stays where nothing is said."""
    if not rows:
        return
    shape: Any = table.__table__  # type: ignore[attr-defined] # SQLModel makes it
    statement = dialect(session).insert(shape)
    new = {
        name: func.coalesce(statement.excluded[name], shape.c[name]) if name in kept else statement.excluded[name]
        for name in names
    }
    keys = [column.name for column in shape.primary_key]
    await execute(session, statement.on_conflict_do_update(index_elements=keys, set_=new), rows)
