"""
Opens everything the service stands on, in order, and closes it in the opposite order.

The data folder and our own Valkey (unless one was given), the check that the server is fit, SQL, the data set's epoch
on both sides. A store that is not the one SQL remembers does not keep the service from starting: every script refuses
it by itself, and the service says why.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import structlog
from redis.asyncio import Redis

from allocator import Allocator, Pipe, Unsafe, errors, make_client, refuse_unsafe
from allocator.gate import Gate
from allocator.pipe import run_of

from .arrivals import Arrivals
from .data_folder import DataFolder, write_durably
from .deps import State
from .draining.drain import Drain
from .embedded import EmbeddedValkey
from .keeping import kept_running
from .levels import Levels
from .lines.lines import Lines
from .metrics import Metrics
from .recovery.verifying import Verifier
from .remembering import SqlHistory
from .sealing import sealer_of
from .security import Keys
from .seed import Seed, load_seed
from .seeding import apply_seed
from .settings import Settings
from .signals import listening
from .store.database import Database, sqlite_url
from .store.datasets import ensure_dataset
from .store.durability import refuse_unsafe as refuse_unsafe_database
from .store.keys import list_keys, make_key
from .store.sellers import SellerFacts, ensure_seller, list_sellers, mark_begun, require_seller
from .times import now_ms

SELLER = "main"
"""The one seller there is unless more are made."""

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_service(
    settings: Settings, metrics: Metrics | None = None, *, gated: bool = False
) -> AsyncIterator[State]:
    """
    The service's state, open until the block ends; what happens in it is counted in `metrics`.

    `gated`: a worker checks the store after each of its starts, and until then no sku is sold.

    Blocks while an embedded server starts, and must run in a thread that lives as long as the service. Raises
    Invalid (the seed), FolderForeign, FolderInUse, ServerFailed, UnsafeServer, LevelUnreachable (the service's own
    level), OtherDataset, NotReady (a new database for a store in use), and what SQL and redis-py raise when their
    server is away.
    """
    seed = load_seed(settings.seed_path) if settings.seed_path else None
    async with AsyncExitStack() as stack:
        folder, redis_url = await _open_folder(stack, settings)
        client = make_client(redis_url)
        metrics = metrics or Metrics()
        pipe = Pipe(client, metrics.watch, replicas=settings.replicas)
        stack.push_async_callback(pipe.close)
        server = await _check(client, settings)
        await pipe.tidy()
        database = await stack.enter_async_context(await Database.open(database_url(settings)))
        levels = _levels(settings, client, redis_url, Arrivals(database, client))
        stack.push_async_callback(levels.arrivals.close)
        levels.know_server(server)
        levels.know_database(await check_database(database, settings))
        levels.refuse_forgetful(levels.least)
        epoch, allocators = await _open_dataset(database, pipe, folder)
        if gated:
            pipe.meet = partial(_meet, pipe, allocators, {run := await run_of(client)})
            await pipe.meet(run)
        ready = await _is_ready(allocators)
        pepper = _pepper(settings, folder)
        if seed and ready:
            await _seed(database, client, allocators[SELLER], seed)
        keys = Keys(database, pepper, per_minute=settings.requests_per_minute)
        sealer = sealer_of(settings, pepper)
        lines = Lines(database, client, sealer, allow_private=settings.channels_allow_private)
        stack.push_async_callback(lines.close)
        state = State(settings, database, keys, allocators, pipe, epoch, levels, sealer, lines, metrics=metrics)
        stack.push_async_callback(_write_last, state)
        stack.push_async_callback(state.found.close)
        stack.push_async_callback(state.notes.close)
        await stack.enter_async_context(listening(redis_url, keys.forget, keys.refresh))
        yield state


async def _seed(database: Database, client: Redis, allocator: Allocator, seed: Seed) -> None:
    try:
        await apply_seed(database, allocator, seed, now_ms=now_ms())
    except errors.Checking:
        # Half done when the last service ended. Its units cannot wait for the worker, which comes later.
        await Verifier(database, client, Drain(database, client)).run()
        await apply_seed(database, allocator, seed, now_ms=now_ms())


async def _write_last(state: State) -> None:
    """What was noted since the schedule wrote the last time; a database that is away must not keep us from ending."""
    for write in (partial(state.audit.write, state.database), state.keys.write_used):
        try:
            await write()
        except Exception as error:  # noqa: BLE001 - whatever it is, the rest must be closed too
            log.error("last_notes_lost", says=type(error).__name__)  # noqa: TRY400


async def _open_folder(stack: AsyncExitStack, settings: Settings) -> tuple[DataFolder | None, str]:
    """The data folder, if anything is kept there, and the address of the store; our own is kept running."""
    if settings.redis_url is None:
        embedded = stack.enter_context(EmbeddedValkey(settings.data_dir))
        log.info(
            "valkey_adopted" if embedded.adopted else "valkey_started", pid=embedded.pid, folder=str(settings.data_dir)
        )
        await stack.enter_async_context(kept_running(embedded))
        return embedded.data, embedded.url
    if settings.database_url is None or settings.key_pepper is None:
        return stack.enter_context(DataFolder(settings.data_dir)), settings.redis_url
    return None, settings.redis_url


def database_url(settings: Settings) -> str:
    """The address of the database these settings lead to."""
    return settings.database_url or sqlite_url(settings.data_dir.expanduser().absolute())


def _pepper(settings: Settings, folder: DataFolder | None) -> bytes:
    if settings.key_pepper is not None:
        return settings.key_pepper.get_secret_value().encode()
    assert folder is not None
    return folder.pepper()


async def _check(client: Redis, settings: Settings) -> list[Unsafe]:
    reasons = await refuse_unsafe(client, settings.allow_unsafe)
    for reason in reasons:
        log.warning("unsafe_server_allowed", reason=reason.name, says=reason.says)
    return reasons


def _levels(settings: Settings, client: Redis, url: str, arrivals: Arrivals) -> Levels:
    return Levels(client, url, arrivals, least=settings.acknowledge, replicas=settings.replicas)


async def check_database(database: Database, settings: Settings) -> list[Unsafe]:
    """What was allowed. Raises UnsafeServer for a database that may lose what it said it has."""
    async with database.reading() as session:
        reasons = await refuse_unsafe_database(session, settings.allow_unsafe)
    for reason in reasons:
        log.warning("unsafe_database_allowed", reason=reason.name, says=reason.says)
    return reasons


async def _open_dataset(database: Database, pipe: Pipe, folder: DataFolder | None) -> tuple[str, dict[str, Allocator]]:
    """
    The epoch, and an allocator for each seller that has begun, all of one data set.

    Only a data set that SQL has just made is begun in Valkey here, and SQL commits after that: once it remembers a
    data set, an empty Valkey is a loss and never a new beginning.
    """
    started_ms = now_ms()
    async with database.writing() as session:
        dataset = await ensure_dataset(session, now_ms=started_ms, id=folder.dataset_id if folder else None)
        await ensure_seller(session, SELLER, "Main")
        allocators = {
            seller.code: _allocator(database, pipe, seller.code, dataset.epoch)
            for seller in await list_sellers(session)
        }
        if dataset.created_ms == started_ms:
            for allocator in allocators.values():
                await _begin(allocator)
                await _meet_first(pipe.client, allocator)
                await mark_begun(session, allocator.seller)
        begun = {seller.code for seller in await list_sellers(session) if seller.begun}
    return dataset.epoch, {code: allocator for code, allocator in allocators.items() if code in begun}


def _allocator(database: Database, pipe: Pipe, seller: str, epoch: str) -> Allocator:
    return Allocator(pipe, seller, epoch, history=SqlHistory(database, seller))


async def _begin(allocator: Allocator) -> None:
    try:
        await allocator.begin()
    except errors.NotReady as error:
        found = error.facts.get("epoch_found") or "without a name"
        says = f"the database is new, but the store holds data set {found}: use its own database, or an empty store"
        raise errors.NotReady(says, error.facts) from error


async def _meet_first(client: Redis, allocator: Allocator) -> None:
    """What was begun just now has nothing that could be wrong."""
    gate, run = Gate(client, allocator.seller, allocator.epoch), await run_of(client)
    await gate.meet(run)
    await gate.open(run, last=True)


async def _meet(pipe: Pipe, allocators: dict[str, Allocator], known: set[str], run: str) -> None:
    """
    Close every sku of a server that was started anew; one not `known` yet gets our verbs, its own may be damaged.

    Raises what redis-py raises: then nothing is asked of it.
    """
    if run not in known:
        await pipe.install()
        known.add(run)
    for allocator in list(allocators.values()):
        # One of another data set is refused by its epoch, whatever is asked.
        with suppress(errors.NotReady):
            await Gate(pipe.client, allocator.seller, allocator.epoch).meet(run)


async def open_sellers(state: State) -> None:
    """
    Open the sellers made since the last look; one that has not begun yet begins in Valkey first.

    Only in the store that SQL remembers: in any other one a seller's empty keys mean nothing. Raises NotReady,
    Unanswered, and what SQL raises, for the last one that failed; the next look tries again.
    """
    async with state.database.reading() as session:
        new = [seller for seller in await list_sellers(session) if seller.code not in state.allocators]
    if new:
        await state.allocators[SELLER].reload()
    failed: errors.AllocatorError | None = None
    for seller in new:
        try:
            await _open_seller(state, seller)
        except errors.AllocatorError as error:
            failed = error
    if failed is not None:
        raise failed


async def _open_seller(state: State, seller: SellerFacts) -> None:
    allocator = _allocator(state.database, state.pipe, seller.code, state.epoch)
    if not seller.begun:
        await allocator.begin()
        await _meet_first(state.pipe.client, allocator)
        async with state.database.writing() as session:
            await mark_begun(session, seller.code)
    await allocator.reload()
    state.allocators[seller.code] = allocator
    log.info("seller_opened", seller=seller.code)


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
        # Services that start together make one first key between them.
        await require_seller(session, SELLER, lock=True)
        if await list_keys(session, seller=SELLER, limit=1):
            return ""
        pepper = state.keys.pepper
        made = await make_key(session, seller=SELLER, name="first", role="admin", pepper=pepper, now_ms=now_ms())
        if file is not None:
            write_durably(file, f"{made.plaintext}\n".encode())
    return made.plaintext
