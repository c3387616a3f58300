"""Answers, holds and orders as Valkey had them, by name: for what has left it, and to see what may leave."""

from collections.abc import Collection, Iterable
from typing import Any, Final, NamedTuple

from sqlalchemy import select, tuple_
from sqlmodel import SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

from .ledger_tables import HoldRow, LedgerEntryRow, OpAnswerRow, OrderRow
from .statements import dialect, execute

ASK_MAX: Final = 500
"""Most names one query asks for: databases limit the variables of a statement."""


class Known(NamedTuple):
    """A record as Valkey had it, and when it became so."""

    packed: bytes
    at_ms: int


async def answers_of(session: AsyncSession, seller: str, ops: Collection[str]) -> dict[str, bytes]:
    """What these ops were answered, packed; one that is not here has none. At most ASK_MAX ops."""
    query = select(col(OpAnswerRow.op), col(OpAnswerRow.answer)).where(
        col(OpAnswerRow.seller) == seller, col(OpAnswerRow.op).in_(ops)
    )
    return {str(op): bytes(answer) for op, answer in await execute(session, query)}


async def records_of(session: AsyncSession, seller: str, kind: str, ids: Collection[str]) -> dict[str, Known]:
    """These holds or orders (`kind`), packed, with when they changed last. At most ASK_MAX ids."""
    columns, table = _record(kind)
    keys = [tuple(id.split(":", 1)) for id in ids] if kind == "order" else [(id,) for id in ids]
    entry = (col(LedgerEntryRow.seller) == seller) & (col(LedgerEntryRow.number) == col(table.number))
    query = select(*columns, col(table.record), col(LedgerEntryRow.at_ms)).join(LedgerEntryRow, entry)
    found = await execute(session, query.where(col(table.seller) == seller, tuple_(*columns).in_(keys)))
    return {":".join(key): Known(bytes(packed), at_ms) for *key, packed, at_ms in found}


def _record(kind: str) -> tuple[list[Any], Any]:
    """The columns of a record's key, and its table."""
    if kind == "order":
        return [col(OrderRow.channel), col(OrderRow.external_id)], OrderRow
    return [col(HoldRow.hold_id)], HoldRow


async def add_answers(session: AsyncSession, seller: str, answers: Iterable[tuple[str, int, bytes]]) -> None:
    """Keep what ops were answered: (op, at_ms, packed). One that is here already stays as it is."""
    rows = [{"seller": seller, "op": op, "at_ms": at_ms, "answer": packed} for op, at_ms, packed in answers]
    shape: type[SQLModel] = OpAnswerRow
    statement = dialect(session).insert(shape.__table__).on_conflict_do_nothing()  # type: ignore[attr-defined] # SQLModel makes it
    if rows:
        await execute(session, statement, rows)
