"""A place with SQL that is judged too: the API drains nothing, workers of our own do, and are broken."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx
from redis.asyncio import Redis
from sqlmodel import update

from allocator import make_client
from allocator.ledger import last_id, place
from allocator.reading import Books
from app.draining.drain import READER
from app.store.cursors import Cursor, read_cursor
from app.store.database import Database, DatabaseAway, sqlite_url
from app.store.tables import LedgerCursor
from tests.app.commands import allot
from tests.postgres import Postgres
from tests.servers import ROOT

from .places import WithApi
from .remembered import caught_up, judge_sql, read_with_sql
from .shop import SELLER
from .verdict import Fault

CATCH_UP_SECONDS_MAX: Final = 45.0
"""A lease of a dead worker and a use case on a dead wire end before that."""

START_SECONDS_MAX: Final = 60.0
LOOK_S: Final = 0.5
"""A worker that drains writes more often than this, as long as there are orders."""

FREEZE_SECONDS_MAX: Final = 30.0
FREE_S: Final = 0.2
"""How long a row may be held that is free; well above what an update takes."""

PROGRAM: Final = ("-m", "app", "worker")


def environment(variables: dict[str, str]) -> dict[str, str]:
    """What a process of ours is started with: these settings and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALLOT_")}
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


class Worker:
    """A process of `allot worker`."""

    def __init__(self, home: Path, program: tuple[str, ...], variables: dict[str, str]) -> None:
        self.log = home / f"worker-{secrets.token_hex(4)}.log"
        with self.log.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, *program, "--data-dir", home / "data"],
                cwd=home,
                env=environment(variables),
                stdout=said,
                stderr=said,
            )

    def freeze(self) -> None:
        """Let it stand still, whatever it is doing."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash would, even if it stands still."""
        self.process.kill()
        self.process.wait()


class WithWorkers(WithApi):
    """
    A store, a database, the API, and workers. `database` leads straight to SQL, whatever wire the workers have.

    A worker has the API's variables, and `worker_variables` above them. `program` is what it runs.
    """

    def __init__(
        self,
        home: Path,
        *,
        postgres: Postgres | None = None,
        workers: int = 1,
        program: tuple[str, ...] = PROGRAM,
        **settings: str,
    ) -> None:
        super().__init__(home, **settings)
        self.postgres = postgres
        self.database_url = postgres.new_migrated() if postgres else sqlite_url(home)
        self.api.variables |= {"ALLOT_DATABASE_URL": self.database_url, "ALLOT_DRAIN": "false"}
        self.worker_variables: dict[str, str] = {}
        self._program = program
        self.workers: list[Worker] = []
        self._count = workers
        self._opened = False

    async def open(self, store_url: str = "") -> None:
        await super().open(store_url)
        self.database = await Database.open(self.database_url)
        self._opened = True
        for _ in range(self._count):
            self.start_worker()
        assert await self.moves(START_SECONDS_MAX), self._last_words()

    def start_worker(self) -> Worker:
        """One more. It is started in this thread: what it starts shall live as long."""
        worker = Worker(self.home, self._program, self.api.variables | self.worker_variables)
        self.workers.append(worker)
        return worker

    def kill_worker(self, worker: Worker) -> None:
        """End one as a crash would; nobody starts it again."""
        worker.kill()
        self.workers.remove(worker)
        self.done["workers killed"] += 1

    async def cursor(self) -> Cursor | None:
        """How far the drain is."""
        async with self.database.reading() as session:
            return await read_cursor(session, SELLER, READER)

    async def moves(self, seconds_max: float) -> bool:
        """Whether the drain gets further in this time."""
        before, until = await self.cursor(), time.monotonic() + seconds_max
        while time.monotonic() < until:
            await asyncio.sleep(0.02)
            now = await self.cursor()
            if now is not None and (before is None or now.position != before.position):
                return True
        return False

    async def sql_is_ahead_of(self, store_url: str) -> None:
        """Wait until SQL has what comes after all that this store has now: only by that can the two be told apart."""
        async with make_client(store_url) as client:
            last = place(await last_id(client, SELLER))
        async with asyncio.timeout(START_SECONDS_MAX):
            while (cursor := await self.cursor()) is None or place(cursor.position) <= last:
                await asyncio.sleep(0.02)

    async def freeze_who_drains(self) -> Worker:
        """Freeze the worker that drains, between two transactions; the others go on, and wait for its lease to end."""
        worker = await self._who_drains(FREEZE_SECONDS_MAX)
        until = time.monotonic() + FREEZE_SECONDS_MAX
        while not await self._is_free():
            # He stands still in the middle of a transaction, and would keep the others from theirs.
            self.done["frozen in a transaction"] += 1
            assert time.monotonic() < until, f"never between two transactions: {self._last_words()}"
            worker.thaw()
            await asyncio.sleep(FREE_S * secrets.randbelow(100) / 100)
            worker.freeze()
        self.done["workers frozen"] += 1
        return worker

    async def _who_drains(self, seconds_max: float) -> Worker:
        """Who drains; he stands still."""
        until = time.monotonic() + seconds_max
        while time.monotonic() < until:
            for worker in self.workers:
                worker.freeze()
                if not await self.moves(LOOK_S):
                    return worker
                worker.thaw()
        raise AssertionError(f"nobody drains: {self._last_words()}")

    async def _is_free(self) -> bool:
        """Whether no transaction holds the cursor's row."""
        with suppress(DatabaseAway, TimeoutError):
            async with asyncio.timeout(FREE_S), self.database.writing() as session:
                await session.exec(update(LedgerCursor).values(lease_until_ms=LedgerCursor.lease_until_ms))
                return True
        return False

    async def end_lease(self) -> None:
        """As if ten seconds had passed without a word of whoever drains. Not while he holds the row just now."""
        with suppress(DatabaseAway, TimeoutError):
            async with asyncio.timeout(1.0), self.database.writing() as session:
                await session.exec(update(LedgerCursor).values(lease_until_ms=0))

    # --- what operators do -------------------------------------------------------------------------------------

    def asking(self) -> httpx.AsyncClient:
        """A client with every right."""
        headers = {"Authorization": f"Bearer {self.api.key}"}
        return httpx.AsyncClient(base_url=self.api.urls()[0], headers=headers, trust_env=False)

    async def run(self, *words: str) -> str:
        """What `allot` says to these words; it must go well."""
        return await asyncio.to_thread(self._command, *words)

    async def rebuild(self, *options: str) -> int:
        """Stop the API, rebuild the store, start the API, release it; until when it is said to be complete, in ms."""
        for service in self.api.services:
            if service.process.poll() is None:
                await asyncio.to_thread(service.end)
        told = await self.run("rebuild", "--json", *options)
        await self.api.start()
        await self.run("release")
        self.done["rebuilds"] += 1
        return json.loads(told)["sellers"][0]["complete_until_ms"]

    def _command(self, *words: str) -> str:
        done = allot(self.home, *words, "--data-dir", str(self.home / "data"), **self.api.variables)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # --- what is judged ----------------------------------------------------------------------------------------

    async def books(self, client: Redis) -> Books:
        """The store's books with the ledger of SQL, as soon as the drain has caught up."""
        await caught_up(self.database, client, CATCH_UP_SECONDS_MAX)
        books = await read_with_sql(self.database, client)
        self.done["entries in SQL"] = len(books.ledger)
        return books

    async def examine(self, client: Redis) -> list[Fault]:
        """Every way in which SQL is not what the store has."""
        faults = await judge_sql(self.database, client, CATCH_UP_SECONDS_MAX)
        return [replace(fault, says=f"{fault.says}; {self._last_words()}") for fault in faults]

    def _last_words(self) -> str:
        return "; ".join(worker.log.read_text()[-300:] for worker in self.workers)

    async def close(self) -> None:
        for worker in self.workers:
            worker.kill()
        if self._opened:
            await self.database.close()
        await super().close()
        if self.postgres:
            self.postgres.stop()
