"""A small shop whose books are in Valkey and in SQL, for tests that break them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
from redis.asyncio import Redis
from sqlalchemy import text

from allocator import Allocator, AnnounceLine, AnnounceRequest, Pipe, SellerKeys, errors, make_client
from allocator.ledger import read
from allocator.model import AdjustLine, ArrivedLine, HoldRequest, Line, OrderRequest, SentLine, StockLine
from allocator.records import Entry, decode_state
from allocator.repairs import Repair, SkuRepair
from app.audit import By
from app.checking.checking import Checked, check_seller
from app.checking.repairing import Repaired, Repairer
from app.draining.drain import Drain
from app.store.database import Database
from app.store.sellers import ensure_seller
from tests.allocator.town import CUP, EPOCH, PEN, SELLER, TEE, town

REASON = "the disk lied"

pack, unpack = msgspec.msgpack.encode, msgspec.msgpack.decode


class Books:
    """One shop: its store, its database, and what a test does to both."""

    def __init__(self, redis: Redis, database: Database) -> None:
        self.redis, self.database = redis, database
        self.pipe = Pipe(redis)
        self.allocator = Allocator(self.pipe, SELLER, EPOCH)
        self.drain = Drain(database, redis)
        self.keys = {word: SellerKeys(SELLER).named(word)[0] for word in WORDS}

    async def open(self) -> "Books":
        """Ann's hold, orders from a quota, a backorder, a deficit, a transfer on its way; all of it drained."""
        async with self.database.writing() as session:
            await ensure_seller(session, SELLER, "Shop")
        one = self.allocator
        await one.begin()
        await one.configure_all(town())
        arrived = [StockLine(CUP, "oslo", 12), StockLine(CUP, "rome", 5), StockLine(TEE, "rome", 3)]
        await one.receive(arrived, op="delivery")
        await one.unavailable([StockLine(CUP, "rome", 1)], op="drop", reason="damaged", direction="in")
        await one.set_quota(CUP, "oslo", "web", 6, op="fence")
        ann = HoldRequest(hold_id="ann-1", channel="web", owner="ann", ttl_ms=600_000, lines=[Line("1", CUP, 2)])
        await one.hold(ann)
        await one.hold(msgspec.structs.replace(ann, hold_id="bob-1", owner="bob", lines=[Line("1", CUP, 1)]))
        await one.release("bob-1")
        await one.order(OrderRequest(channel="web", external_id="W1", lines=[Line("1", CUP, 3)]))
        await one.order(OrderRequest(channel="web", external_id="W2", lines=[Line("1", CUP, 1)]))
        await one.ship("web", "W2", op="parcel")
        back = AnnounceRequest(revision=1, lines=[AnnounceLine("1", 1)], location="rome", due_ms=1, why="too small")
        await one.announce_return("web", "W2", "R1", back)
        await one.order(OrderRequest(channel="amazon", external_id="A1", lines=[Line("1", TEE, 7)]))
        await one.adjust([AdjustLine(TEE, "rome", -2)], op="count", why="miscount")
        await one.transfer_out("T1", "rome", "lima", [SentLine(CUP, 2)])
        await one.transfer_in("T1", "lima", [ArrivedLine(CUP, 1)], op="truck")
        await self.drain.run()
        return self

    # --- asking ------------------------------------------------------------------------------------------------

    async def check(self) -> Checked:
        return await check_seller(self.database, self.redis, SELLER, EPOCH)

    async def kinds(self) -> set[str]:
        return set((await self.check()).findings.counts)

    async def repair(self) -> Repaired:
        repairer = Repairer(self.database, self.pipe, EPOCH, By(SELLER, "cli:ann"), REASON)
        return await repairer.repair()

    async def repairs(self) -> list[Entry]:
        """The ledger's entries of repairs."""
        return [entry for _, entry in await read(self.redis, SELLER, "0-0", 10_000) if entry.verb == "repair"]

    # --- breaking ----------------------------------------------------------------------------------------------

    async def edit(self, word: str, field: str, change: Callable[[Any], object]) -> None:
        """Change a packed record behind everybody's back."""
        row = unpack(await self.redis.hget(self.keys[word], field))
        change(row)
        await self.redis.hset(self.keys[word], field, pack(row))

    async def sql(self, statement: str) -> int:
        """Run one statement, in which :x is a byte that means nothing; how many rows it touched."""
        values = {"x": b"x"} if ":x" in statement else {}
        async with self.database.writing() as session:
            connection = await session.connection()
            return (await connection.execute(text(statement), values)).rowcount

    async def rows(self, table: str, columns: str = "*") -> list[tuple[object, ...]]:
        """A table's rows, in one and the same order whatever happened to them."""
        async with self.database.reading() as session:
            connection = await session.connection()
            found = await connection.execute(text(f"SELECT {columns} FROM {table}"))
            return sorted((tuple(row) for row in found), key=repr)

    async def book(self, sku: str, *moves: tuple[str, str, str, int]) -> None:
        """Book what no hold or order asked for, in state and ledger alike, as a wrong script would."""
        packed = await self.redis.hget(self.keys["stock"], sku)
        await self.allocator.repair(Repair([SkuRepair(sku, packed, packed, list(moves))]), op="wrong", why="a bug")

    async def state(self, sku: str) -> Any:
        return decode_state(await self.redis.hget(self.keys["stock"], sku))


WORDS = ("seller", "stock", "holds", "orders", "ops", "config", "owners", "deadlines", "waiting", "ledger")


def put(*path: int, value: object):
    def change(row):
        for step in path[:-1]:
            row = row[step]
        row[path[-1]] = value

    return change


async def more_units(books: Books) -> None:
    await books.edit("stock", CUP, put(3, value=99))


class Crowd:
    """Customers who hold, order, release, ship and cancel, until they are told to stop."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.stopped = asyncio.Event()
        self.done = 0

    async def shop(self, name: int) -> None:
        client = make_client(self.url)
        pipe = Pipe(client)
        one = Allocator(pipe, SELLER, EPOCH)
        await one.reload()
        while not self.stopped.is_set():
            # What is refused is remembered too, and changes nothing.
            with suppress(errors.Refusal):
                await self._visit(one, f"{name}-{self.done}")
            self.done += 1
        await pipe.close()

    async def _visit(self, one: Allocator, id: str) -> None:
        sku = (CUP, TEE, PEN)[self.done % 3]
        await one.receive([StockLine(sku, "oslo", 5)], op=f"r{id}")
        lines = [Line("1", sku, 2)]
        await one.hold(HoldRequest(hold_id=f"h{id}", channel="web", owner=f"o{id}", ttl_ms=60_000, lines=lines))
        await one.order(OrderRequest(channel="amazon", external_id=id, lines=[Line("1", sku, 3)]))
        await one.order(OrderRequest(channel="web", external_id=id, hold=f"h{id}", lines=lines))
        await one.ship("web", id, op="s")
        await one.cancel("amazon", id, op="c")
