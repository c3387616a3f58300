"""A seller with a past, and what of it is in SQL."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from sqlmodel import select

from allocator import SellerKeys
from allocator.model import ArrivedLine, SentLine, StockLine
from allocator.reading import Books, read_books
from app.draining.drain import Drain
from app.store.announced_tables import AnnouncedReturnRow
from app.store.database import Database
from app.store.ledger_tables import (
    BalancePlaceRow,
    BalanceRow,
    HoldLineRow,
    HoldRow,
    LedgerEntryRow,
    LedgerMoveRow,
    LedgerSubjectRow,
    OpAnswerRow,
    OrderLineRow,
    OrderRow,
    OrderTakeRow,
    ShipmentLineRow,
    ShipmentRow,
    TransferLineRow,
    TransferRow,
    TransferStepRow,
)
from app.store.sellers import ensure_seller
from tests.allocator.town import CUP, SELLER
from tests.allocator.twins import Twins
from tests.allocator.walk import Walk

STEPS = 400
LEDGER = SellerKeys(SELLER).named("ledger")[0]


def a_past(url: str) -> Iterator[Twins]:
    """A long walk through all verbs."""
    both = Twins(url, agree=False)
    walk = Walk(both, 7)
    for _ in range(STEPS):
        walk.step()
    send_some(both)
    yield both
    both.close()


def send_some(past: Twins) -> None:
    """A transfer that is on its way, one that has arrived in part, and one that is over."""
    allocator = past.allocator
    past.ask(allocator.receive([StockLine(CUP, "oslo", 50)], op="enough to send"))
    for id in ("on its way", "in part", "over"):
        past.ask(allocator.transfer_out(id, "oslo", "rome", [SentLine(CUP, 2)]))
    for id, arrived, lost in (("in part", 1, 0), ("over", 1, 1)):
        past.ask(allocator.transfer_in(id, "rome", [ArrivedLine(CUP, arrived, lost)], op=id))


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """A database that knows the seller."""
    async with await Database.open(url) as database:
        async with database.writing() as session:
            await ensure_seller(session, SELLER, "Shop")
        yield database


def another(database: Database, client: Redis) -> Drain:
    """What another process has."""
    return Drain(database, client)


async def rows(database: Database, table: type) -> list:
    async with database.reading() as session:
        return list((await session.exec(select(table))).all())


async def everything(database: Database) -> dict[str, list]:
    """All that was drained, times of recording aside."""
    tables = (LedgerEntryRow, LedgerMoveRow, LedgerSubjectRow, OrderRow, OrderLineRow, OrderTakeRow)
    found = {}
    more = (ShipmentRow, ShipmentLineRow, HoldRow, HoldLineRow, BalanceRow, BalancePlaceRow, OpAnswerRow)
    more += (TransferRow, TransferLineRow, TransferStepRow, AnnouncedReturnRow)
    for table in (*tables, *more):
        dumped = [row.model_dump(exclude={"recorded_ms"}) for row in await rows(database, table)]
        found[table.__tablename__] = sorted(dumped, key=repr)
    return found


async def books_of(client: Redis) -> Books:
    return await read_books(client, SELLER, every_op=True)
