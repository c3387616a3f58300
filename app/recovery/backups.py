"""
A backup: a folder with a copy of SQL and a manifest that says what is in it and by which sum it is whole.

It appears under its name when it is complete and on the disk, not before.
"""

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from allocator.ledger import last_id, place
from app.data_folder import write_durably
from app.draining.drain import READER, Drain
from app.store.copying import POSTGRES, SQLITE, Facts, SellerCopied, backend_of, copy_to, put_back, read_facts
from app.store.cursors import read_cursor
from app.store.database import Database
from app.store.datasets import DatasetFacts
from app.store.sellers import list_sellers
from app.times import now_ms
from app.version import VERSION

MANIFEST: Final = "manifest.json"
PEPPER: Final = "pepper"
COPIES: Final = {SQLITE: "allot.sqlite3", POSTGRES: "allot.pgdump"}
FORMAT: Final = 1
"""Raised when the files of a backup change their meaning."""

PART: Final = 1 << 20
PAUSE_SECONDS: Final = 0.05

EPOCHS_BEGAN_S: Final = 1_767_225_600
"""The year 2026, from which the generations of restored data sets are counted in seconds."""

Progress = Callable[[str, int, int], None]
"""Hears what is being done, how many bytes or entries of it are done, and of how many (0: nobody knows)."""


class BackupDamaged(Exception):
    """A backup is not what was made, or not one at all."""


class NotDrained(Exception):
    """SQL does not have yet what Valkey's ledger has."""


class Manifest(msgspec.Struct, frozen=True):
    """
    What a backup holds. `sha256` is that of the copy, `schema` the revision of its tables, `allot` who made it.

    sellers say how far each was: everything that happened up to there is in it.
    """

    product: str
    format: int
    made_ms: int
    allot: str
    schema: str
    database: str
    file: str
    bytes: int
    sha256: str
    dataset: str
    generation: int
    epoch: str
    sellers: list[SellerCopied]
    pepper: bool


class Backup(NamedTuple):
    """A backup that was read: where it is, and what it says of itself."""

    folder: Path
    manifest: Manifest

    @property
    def copy(self) -> Path:
        """The copy of SQL."""
        return self.folder / self.manifest.file


async def drain_all(database: Database, client: Redis, seconds: float, progress: Progress) -> None:
    """Wait until SQL has all that the ledgers have now, and drain ourselves if nobody does. Raises NotDrained."""
    async with database.reading() as session:
        sellers = [seller.code for seller in await list_sellers(session) if seller.begun]
    ends = {seller: await last_id(client, seller) for seller in sellers}
    drain = Drain(database, client)
    until = time.monotonic() + seconds
    try:
        while behind := await _behind(database, ends):
            if time.monotonic() > until:
                raise NotDrained(f"after {seconds:g} s SQL does not have all that happened to {', '.join(behind)}")
            entries = (await drain.run()).entries
            progress("draining", entries, 0)
            await asyncio.sleep(0 if entries else PAUSE_SECONDS)
    finally:
        await drain.stop()


async def _behind(database: Database, ends: dict[str, str]) -> list[str]:
    async with database.reading() as session:
        cursors = {seller: await read_cursor(session, seller, READER) for seller in ends}
    positions = {seller: cursor.position if cursor else "0-0" for seller, cursor in cursors.items()}
    return [seller for seller, end in ends.items() if place(positions[seller]) < place(end)]


async def make_backup(database: Database, folder: Path, pepper: bytes | None, progress: Progress) -> Backup:
    """Copy SQL into a new folder. Raises FileExistsError, CopyFailed, OSError."""
    partial = _begin(folder)
    try:
        manifest = await _fill(database, partial, pepper, progress)
        partial.rename(folder)
        _sync(folder.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Backup(folder, manifest)


def refuse_taken(folder: Path) -> None:
    """Raises FileExistsError when a backup cannot get this name."""
    if folder.exists():
        raise FileExistsError(f"{folder} is there already: name a new folder")


def _begin(folder: Path) -> Path:
    refuse_taken(folder)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    return partial


async def _fill(database: Database, folder: Path, pepper: bytes | None, progress: Progress) -> Manifest:
    kind = database.url.get_backend_name()
    copy = folder / COPIES[kind]
    facts = await copy_to(database, READER, copy, lambda done: progress("copying", done, 0))
    copy.chmod(0o600)
    _sync(copy)
    digest = await asyncio.to_thread(_digest, copy, progress)
    if pepper is not None:
        write_durably(folder / PEPPER, pepper)
    manifest = _manifest(facts, kind, copy, digest, pepper=pepper is not None)
    write_durably(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    return manifest


def _manifest(facts: Facts, kind: str, copy: Path, digest: str, *, pepper: bool) -> Manifest:
    return Manifest(
        product="allot",
        format=FORMAT,
        made_ms=now_ms(),
        allot=VERSION,
        schema=facts.schema,
        database=kind,
        file=copy.name,
        bytes=copy.stat().st_size,
        sha256=digest,
        dataset=facts.dataset,
        generation=facts.generation,
        epoch=DatasetFacts(facts.dataset, facts.generation, 0).epoch,
        sellers=facts.sellers,
        pepper=pepper,
    )


async def open_backup(folder: Path, progress: Progress) -> Backup:
    """Read a backup and make sure that its copy is the one that was made. Raises BackupDamaged."""
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise BackupDamaged(f"{folder} is no backup: {error}") from error
    if (manifest.product, manifest.format) != ("allot", FORMAT):
        raise BackupDamaged(f"{path} is of {manifest.product}, format {manifest.format}; this is allot, {FORMAT}")
    if manifest.file != COPIES.get(manifest.database):
        raise BackupDamaged(f"{path} names a copy that is elsewhere: {manifest.file}")
    backup = Backup(folder, manifest)
    try:
        digest = await asyncio.to_thread(_digest, backup.copy, progress)
    except OSError as error:
        raise BackupDamaged(f"the copy cannot be read: {error}") from error
    if digest != manifest.sha256:
        raise BackupDamaged(f"{backup.copy} was changed since it was made: its sum is {digest}, not {manifest.sha256}")
    return backup


async def fill_database(backup: Backup, url: str, progress: Progress) -> Database:
    """Put the copy into an empty database, and open it. Raises BackupDamaged, CopyFailed, NotEmpty, DatabaseAway."""
    if backend_of(url) != backup.manifest.database:
        raise BackupDamaged(f"this is a backup of {backup.manifest.database}; it goes back into nothing else")
    await put_back(backup.copy, url, lambda done: progress("putting back", done, backup.manifest.bytes))
    database = await Database.open(url)
    async with database.reading() as session:
        facts = await read_facts(session, READER)
    said = backup.manifest
    if (facts.dataset, facts.generation, facts.sellers) != (said.dataset, said.generation, said.sellers):
        await database.close()
        raise BackupDamaged("the manifest does not say what is in the copy")
    return database


def restored_generation() -> int:
    """
    The least generation of a restored data set, whose epoch is named after it.

    The data set may have lived on after the backup, with epochs that the backup does not know. So this one is the time:
    none of those can be the same.
    """
    return now_ms() // 1000 - EPOCHS_BEGAN_S


def _digest(path: Path, progress: Progress) -> str:
    size, done = path.stat().st_size, 0
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(PART):
            found.update(part)
            done += len(part)
            progress("adding up", done, size)
    return found.hexdigest()


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
