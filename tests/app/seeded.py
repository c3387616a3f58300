"""Services that have just been filled from their seed, to be copied: that is quicker than to fill each one anew."""

import shutil
from pathlib import Path
from typing import NamedTuple

from redis.asyncio import Redis

from allocator.pipe import run_of
from app.opening import open_service
from app.settings import Settings
from tests.postgres import Postgres

Key = tuple[bytes, int, bytes]


class Original(NamedTuple):
    """What is copied: the keys in a server's run, and the folder or the database that belong to them."""

    run: str
    keys: list[Key]
    place: Path | str


class Seeded:
    """One original for SQLite and one for each PostgreSQL, each made by the first test that needs it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._originals: dict[Postgres | None, Original] = {}

    def database(self, server: Postgres) -> str:
        """The address of a new PostgreSQL database: as it was after the seed, with empty tables before that."""
        original = self._originals.get(server)
        return server.copy(str(original.place)) if original else server.new_migrated()

    async def fill(self, settings: Settings, redis: Redis, postgres: Postgres | None) -> None:
        """Let an empty store and what these settings say be a service's that was seeded and stopped."""
        original, run = self._originals.get(postgres), await run_of(redis)
        if original is None or original.run != run:
            assert original is None or postgres is None, "its database is older than the store"
            async with open_service(settings):
                pass
            self._originals[postgres] = Original(run, await _keys(redis), self._kept(settings, postgres))
            return
        if postgres is None:
            shutil.copytree(original.place, settings.data_dir, dirs_exist_ok=True)
        async with redis.pipeline(transaction=False) as pipe:
            for key, ttl_ms, content in original.keys:
                pipe.restore(key, ttl_ms, content)
            await pipe.execute()

    def _kept(self, settings: Settings, postgres: Postgres | None) -> Path | str:
        if postgres is not None:
            return postgres.keep(str(settings.database_url), "seeded")
        shutil.rmtree(self._folder, ignore_errors=True)
        return shutil.copytree(settings.data_dir, self._folder)


async def _keys(redis: Redis) -> list[Key]:
    return [(key, max(0, await redis.pttl(key)), await redis.dump(key)) async for key in redis.scan_iter()]
