"""
Opens everything the service stands on, in order, and closes it in the opposite order.

The data folder and our own Valkey (unless one was given), the check that the server is fit, SQL, the data set's epoch
on both sides. A store that is not the one SQL remembers does not keep the service from starting: every script refuses
it by itself, and the service says why.
"""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog
from redis.asyncio import Redis

from allocator import Allocator, Pipe, errors, make_client, refuse_unsafe

from .data_folder import DataFolder, write_durably
from .deps import State
from .embedded import EmbeddedValkey
from .security import Keys
from .seed import load_seed
from .seeding import apply_seed
from .settings import Settings
from .store.database import Database, sqlite_url
from .store.datasets import DatasetFacts, ensure_dataset
from .store.keys import list_keys, make_key
from .store.sellers import SellerFacts, ensure_seller, list_sellers

SELLER = "main"
"""The one seller there is unless more are made."""

log = structlog.get_logger(__name__)


def now_ms() -> int:
    """The wall clock, for what SQL remembers."""
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[State]:
    """
    The service's state, open until the block ends.

    Blocks while an embedded server starts, and must run in a thread that lives as long as the service. Raises
    Invalid (the seed), FolderForeign, FolderInUse, ServerFailed, UnsafeServer, OtherDataset, NotReady (a new database
    for a store in use), and what SQL and redis-py raise when their server is away.
    """
    seed = load_seed(settings.seed_path) if settings.seed_path else None
    async with AsyncExitStack() as stack:
        folder, redis_url = _open_folder(stack, settings)
        client = make_client(redis_url)
        pipe = Pipe(client)
        stack.push_async_callback(pipe.close)
        await _check(client, settings)
        await pipe.tidy()
        database = await stack.enter_async_context(await Database.open(_database_url(settings)))
        allocators = await _open_dataset(database, pipe, folder)
        ready = await _is_ready(allocators)
        pepper = _pepper(settings, folder)
        if seed and ready:
            await apply_seed(database, allocators[SELLER], seed, now_ms=now_ms())
        yield State(settings, database, Keys(database, pepper), allocators)


def _open_folder(stack: AsyncExitStack, settings: Settings) -> tuple[DataFolder | None, str]:
    """The data folder, if anything is kept there, and the address of the store."""
    if settings.redis_url is None:
        embedded = stack.enter_context(EmbeddedValkey(settings.data_dir))
        log.info(
            "valkey_adopted" if embedded.adopted else "valkey_started", pid=embedded.pid, folder=str(settings.data_dir)
        )
        return embedded.data, embedded.url
    if settings.database_url is None or settings.key_pepper is None:
        return stack.enter_context(DataFolder(settings.data_dir)), settings.redis_url
    return None, settings.redis_url


def _database_url(settings: Settings) -> str:
    return settings.database_url or sqlite_url(settings.data_dir.expanduser().absolute())


def _pepper(settings: Settings, folder: DataFolder | None) -> bytes:
    if settings.key_pepper is not None:
        return settings.key_pepper.get_secret_value().encode()
    assert folder is not None
    return folder.pepper()


async def _check(client: Redis, settings: Settings) -> None:
    for reason in await refuse_unsafe(client, settings.allow_unsafe):
        log.warning("unsafe_server_allowed", reason=reason.name, says=reason.says)


async def _open_dataset(database: Database, pipe: Pipe, folder: DataFolder | None) -> dict[str, Allocator]:
    """
    An allocator for each seller, all of one data set.

    Only a data set that SQL has just made is begun in Valkey, and SQL commits after that: once it remembers a data
    set, an empty Valkey is a loss and never a new beginning.
    """
    started_ms = now_ms()
    async with database.writing() as session:
        dataset = await ensure_dataset(session, now_ms=started_ms, id=folder.dataset_id if folder else None)
        await ensure_seller(session, SELLER, "Main")
        allocators = {seller.code: _allocator(pipe, seller, dataset) for seller in await list_sellers(session)}
        if dataset.created_ms == started_ms:
            await _begin(allocators)
    return allocators


async def _begin(allocators: dict[str, Allocator]) -> None:
    for allocator in allocators.values():
        try:
            await allocator.begin()
        except errors.NotReady as error:
            found = error.facts.get("epoch_found") or "without a name"
            says = f"the database is new, but the store holds data set {found}: use its own database, or an empty store"
            raise errors.NotReady(says, error.facts) from error


def _allocator(pipe: Pipe, seller: SellerFacts, dataset: DatasetFacts) -> Allocator:
    return Allocator(pipe, seller.code, dataset.epoch)


async def _is_ready(allocators: dict[str, Allocator]) -> bool:
    """Whether the store is the one SQL remembers; if it is not, every verb answers so until it is."""
    for allocator in allocators.values():
        try:
            await allocator.reload()
        except errors.NotReady as error:
            found = error.facts.get("epoch_found") or "nothing"
            log.error("store_not_ready", seller=allocator.seller, remembered=allocator.epoch, found=found)  # noqa: TRY400
            return False
    return True


async def make_first_key(state: State, file: Path | None) -> str:
    """
    A key for a seller that has none yet, or ''. It is in the file before SQL knows it, and nowhere else afterwards.

    Raises OSError when the file cannot be written; then there is no key.
    """
    async with state.database.writing() as session:
        if await list_keys(session, seller=SELLER):
            return ""
        made = await make_key(session, seller=SELLER, name="first", pepper=state.keys.pepper, now_ms=now_ms())
        if file is not None:
            write_durably(file, f"{made.plaintext}\n".encode())
    return made.plaintext
