"""A damaged backup is refused, whatever is damaged, and a drill finds what was damaged before it was made."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.recovery.backups import Backup, BackupDamaged, fill_database, make_backup, open_backup
from app.store.database import Database, sqlite_url
from app.store.datasets import ensure_dataset
from app.store.sellers import ensure_seller, mark_begun
from tests.allocator.town import SELLER
from tests.app.checked import Books
from tests.app.commands import allot


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with await Database.open(sqlite_url(tmp_path)) as database:
        async with database.writing() as session:
            await ensure_dataset(session, now_ms=1, id="f" * 16)
            await ensure_seller(session, SELLER, "Shop")
            await mark_begun(session, SELLER)
        yield database


def silent(_what: str, _done: int, _total: int) -> None:
    """Nobody watches."""


@pytest.fixture
async def backup(redis_of_service, database, tmp_path) -> Backup:
    books = await Books(redis_of_service, database).open()
    made = await make_backup(database, tmp_path / "backup", None, silent)
    await books.pipe.close()
    return made


def flip(backup: Backup) -> None:
    """Change one bit in the middle of the copy."""
    middle = backup.copy.stat().st_size // 2
    with backup.copy.open("r+b") as file:
        file.seek(middle)
        byte = file.read(1)
        file.seek(middle)
        file.write(bytes([byte[0] ^ 1]))


def edit(backup: Backup, **changes: object) -> None:
    path = backup.folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


DAMAGES = {
    "was changed since it was made": flip,
    "cannot be read": lambda backup: backup.copy.unlink(),
    "is no backup": lambda backup: (backup.folder / "manifest.json").write_text("{"),
    "format 9": lambda backup: edit(backup, format=9),
    "is of somebody": lambda backup: edit(backup, product="somebody"),
    "copy that is elsewhere": lambda backup: edit(backup, file="../allot.sqlite3"),
}


@pytest.mark.parametrize("says", DAMAGES)
async def test_a_damaged_backup_is_not_opened(backup, says):
    assert await open_backup(backup.folder, silent) == backup
    DAMAGES[says](backup)

    with pytest.raises(BackupDamaged, match=says):
        await open_backup(backup.folder, silent)


async def test_a_manifest_that_says_something_else_than_the_copy_is_refused(backup, tmp_path):
    edit(backup, generation=7)
    opened = await open_backup(backup.folder, silent)
    (tmp_path / "later").mkdir()

    with pytest.raises(BackupDamaged, match="does not say what is in the copy"):
        await fill_database(opened, sqlite_url(tmp_path / "later"), silent)


async def test_a_backup_of_another_kind_of_database_is_refused(backup):
    with pytest.raises(BackupDamaged, match="backup of sqlite"):
        await fill_database(backup, "postgresql://nobody@/nowhere", silent)


async def test_a_backup_that_fails_leaves_nothing(database, tmp_path):
    def fail(_what: str, _done: int, _total: int) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        await make_backup(database, tmp_path / "backups" / "one", None, fail)

    assert list((tmp_path / "backups").iterdir()) == []


def test_the_command_refuses_a_damaged_backup_and_makes_nothing(backup, tmp_path):
    flip(backup)
    target = tmp_path / "later"

    done = allot(tmp_path, "restore", str(backup.folder), "--data-dir", str(target))

    assert done.returncode == 2
    assert "was changed since it was made" in done.stderr
    assert not target.exists()


async def test_a_drill_of_a_ledger_that_was_damaged_before_says_so(redis_of_service, database, tmp_path):
    books = await Books(redis_of_service, database).open()
    await books.sql("UPDATE ledger_entry SET body = :x WHERE number = 2")
    await make_backup(database, tmp_path / "backup", None, silent)
    await books.pipe.close()

    done = allot(tmp_path, "restore", str(tmp_path / "backup"), "--drill", TMPDIR=str(tmp_path))

    assert done.returncode == 1, done.stderr
    assert "entry_damaged entry 2" in done.stdout
    assert "DRILL: this backup is not right" in done.stdout
