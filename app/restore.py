"""`allot restore`: a backup becomes a service again; with `--drill` only to see that it would."""

import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Annotated

import msgspec
import typer
from pydantic import SecretStr
from redis.exceptions import RedisError
from rich.console import Console

from allocator import SellerKeys, make_client
from allocator.rebuilding import NotEmpty as StoreNotEmpty

from .audit import note
from .backup import lines_about, shown, when
from .check import SellerReport, check_all, tell
from .data_folder import PEPPER, FolderInUse, found_folder, write_durably
from .embedded import EmbeddedValkey
from .exchange.progress import RowProgress
from .house import House, Refused, by_user, print_json, run_outside
from .keys_command import AsJson, DataDir
from .opening import database_url
from .rebuild import Report, fill_all
from .recovery.backups import PEPPER as PEPPER_COPY
from .recovery.backups import Backup, BackupDamaged, fill_database, open_backup, restored_generation
from .server_process import ServerFailed
from .settings import Settings
from .store.audit import add_entries
from .store.copying import POSTGRES, CopyFailed, NotEmpty, backend_of, scratch_database
from .store.database import Database, SqlError

Source = Annotated[Path, typer.Argument(help="A folder that `allot backup` made.", metavar="FOLDER")]
Drill = Annotated[bool, typer.Option("--drill", help="Try it in a temporary place, check it, leave nothing behind.")]

BAD: tuple[type[Exception], ...] = (
    *(BackupDamaged, CopyFailed, NotEmpty, StoreNotEmpty, RedisError, ServerFailed, FolderInUse),
    *SqlError,
)
"""What is told in a line."""


class Restored(msgspec.Struct, frozen=True):
    """
    What was restored: the new epoch; until when each seller is complete, in ms; seconds by step.

    checked is what a drill found, None without one.
    """

    epoch: str
    complete_until_ms: dict[str, int]
    seconds: dict[str, float]
    checked: list[SellerReport] | None = None


class _Watch:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = perf_counter()

    def note(self, step: str) -> None:
        now = perf_counter()
        self.seconds[step], self._last = round(now - self._last, 3), now


def restore(source: Source, *, drill: Drill = False, json: AsJson = False, data_dir: DataDir = None) -> None:
    """Put a backup into an empty data folder or database, and fill Valkey from it. The service must not be running."""
    folder = source.expanduser().absolute()
    done = run_outside(lambda: _drill(folder, data_dir) if drill else _restore(folder, _settings(data_dir)))
    if json:
        print_json(done)
    else:
        _tell(done, drill=drill)
    if any(report.counts for report in done.checked or ()):
        raise typer.Exit(1)


def _settings(data_dir: Path | None) -> Settings:
    return Settings() if data_dir is None else Settings(data_dir=data_dir)


async def _restore(folder: Path, settings: Settings) -> Restored:
    watch = _Watch()
    try:
        backup = await _opened(folder)
        watch.note("verify")
        with _place(backup, settings), ExitStack() as stack:
            done, database = await _fill(backup, settings, stack, watch)
            await database.close()
            return done
    except BAD as error:
        raise Refused(str(error)) from error


async def _opened(folder: Path) -> Backup:
    with RowProgress("restore", Console(stderr=True), unit="bytes") as progress:
        backup = await open_backup(folder, shown(progress))
    console = Console(stderr=True, highlight=False)
    for line in lines_about(backup.manifest):
        console.print(line, markup=False, soft_wrap=True)
    return backup


@contextmanager
def _place(backup: Backup, settings: Settings) -> Iterator[None]:
    """
    The data folder, where one is needed, with the pepper if the backup has it. Raises FolderForeign.

    When the block fails, what was put into the folder goes again: it was empty.
    """
    if settings.redis_url is not None and settings.database_url is not None and settings.key_pepper is not None:
        yield
        return
    folder = settings.data_dir.expanduser().absolute()
    found_folder(folder, backup.manifest.dataset)
    try:
        if backup.manifest.pepper and settings.key_pepper is None:
            write_durably(folder / PEPPER, (backup.folder / PEPPER_COPY).read_bytes())
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


async def _fill(backup: Backup, settings: Settings, stack: ExitStack, watch: _Watch) -> tuple[Restored, Database]:
    url = settings.redis_url or stack.enter_context(EmbeddedValkey(settings.data_dir)).url
    client = make_client(url, timeout_s=30.0)
    try:
        keys = [key for one in backup.manifest.sellers for key in SellerKeys(one.seller).all()]
        if keys and await client.exists(*keys):
            raise StoreNotEmpty("the store has data of these sellers already: give an empty one")
        with RowProgress("restore", Console(stderr=True), unit="bytes") as progress:
            database = await fill_database(backup, database_url(settings), shown(progress))
        watch.note("database")
        try:
            report = await fill_all(database, client, at_least=restored_generation(), days=settings.answer_days)
            await _note(database, backup, report)
        except BaseException:
            await database.close()
            raise
    finally:
        await client.aclose()
    watch.note("rebuild")
    until = {one.seller: one.complete_until_ms for one in report.sellers}
    return Restored(report.epoch, until, watch.seconds), database


async def _note(database: Database, backup: Backup, report: Report) -> None:
    said = backup.manifest
    detail = {"epoch_before": said.epoch, "made_ms": said.made_ms, "sha256": said.sha256}
    async with database.writing() as session:
        for one in report.sellers:
            await add_entries(session, [note(by_user(one.seller), "store.restore", report.epoch, detail)])


# --- a drill -----------------------------------------------------------------------------------------------------


async def _drill(folder: Path, data_dir: Path | None) -> Restored:
    watch = _Watch()
    try:
        backup = await _opened(folder)
        watch.note("verify")
        with tempfile.TemporaryDirectory(prefix="allot-drill-") as scratch:
            async with _drill_settings(backup, Path(scratch) / "data", data_dir) as settings:
                return await _drill_in(backup, settings, watch)
    except BAD as error:
        raise Refused(str(error)) from error


@asynccontextmanager
async def _drill_settings(backup: Backup, folder: Path, data_dir: Path | None) -> AsyncIterator[Settings]:
    """Settings that lead to nothing but a temporary folder, and a database of its own for a backup of PostgreSQL."""
    if backup.manifest.database != POSTGRES:
        yield _apart(folder, None)
        return
    usual = _settings(data_dir).database_url
    if usual is None or backend_of(usual) != POSTGRES:
        raise Refused("a backup of PostgreSQL needs ALLOT_DATABASE_URL: the drill makes a database on that server")
    async with scratch_database(usual, f"allot_drill_{secrets.token_hex(4)}") as url:
        yield _apart(folder, url)


def _apart(folder: Path, url: str | None) -> Settings:
    # No key is used here, and none could be: a pepper of its own is as good as any.
    pepper = SecretStr(secrets.token_hex(32))
    return Settings(data_dir=folder, redis_url=None, database_url=url, key_pepper=pepper, seed_path=None)


async def _drill_in(backup: Backup, settings: Settings, watch: _Watch) -> Restored:
    with _place(backup, settings), ExitStack() as stack:
        done, database = await _fill(backup, settings, stack, watch)
        async with database:
            url = EmbeddedValkey(settings.data_dir).url
            checked = await check_all(House(settings, database, b""), url)
    watch.note("check")
    return msgspec.structs.replace(done, seconds=watch.seconds, checked=checked)


def _tell(done: Restored, *, drill: bool) -> None:
    console = Console(highlight=False)
    if done.checked is not None:
        tell(done.checked)
    for seller, ms in done.complete_until_ms.items():
        lost = "What was accepted after that is not in it"
        again = "send the orders of your channels since then again: the same id has one effect"
        console.print(f"{seller}: complete until {when(ms)}. {lost}; {again}.", markup=False, soft_wrap=True)
    steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in done.seconds.items())
    console.print(steps, markup=False)
    if drill:
        right = not any(report.counts for report in done.checked or ())
        console.print(f"DRILL: {'this backup can be restored' if right else 'this backup is not right'}.", markup=False)
    else:
        console.print(
            f"The epoch is {done.epoch} now. Start the service; it sells nothing until `allot release`.", markup=False
        )
