"""`allot rebuild`: a store that was lost is filled again from SQL, and what nobody can know is said."""

from contextlib import ExitStack
from typing import Annotated, NamedTuple

import typer
from redis.asyncio import Redis
from redis.exceptions import RedisError
from rich.console import Console

from allocator import Pipe, SellerKeys, make_client
from allocator.rebuilding import NotEmpty

from .audit import note
from .data_folder import FolderInUse
from .embedded import EmbeddedValkey
from .exchange.progress import RowProgress
from .house import House, Refused, by_user, print_json, run
from .keys_command import AsJson, DataDir
from .recovery.rebuild import Rebuilt, why_shut
from .recovery.rebuild import rebuild as fill
from .server_process import ServerFailed
from .settings import Settings
from .store.audit import add_entries
from .store.database import Database
from .store.datasets import DatasetFacts, next_generation, read_dataset
from .store.sellers import list_sellers

Discard = Annotated[
    bool, typer.Option("--discard", help="Throw away what the store has; without it only an empty store is filled.")
]


Release = Annotated[
    bool, typer.Option("--release", help="Sell at once: what may be lost has been seen to, or cannot have been there.")
]


class Report(NamedTuple):
    """What was done: the new epoch, and what each seller got."""

    epoch: str
    sellers: list[Rebuilt]


class Filling(NamedTuple):
    """How stores are filled: for which data set, over what they have, sold from at once, with how many days."""

    dataset: DatasetFacts
    discard: bool
    release: bool
    days: int


def rebuild(
    *, discard: Discard = False, release: Release = False, json: AsJson = False, data_dir: DataDir = None
) -> None:
    """Fill a lost Valkey again from SQL. The service must be stopped; start it afterwards, and release it."""
    report = run(data_dir, lambda house: _rebuild(house, discard=discard, release=release))
    if json:
        print_json({"epoch": report.epoch, "sellers": [seller._asdict() for seller in report.sellers]})
        return
    console = Console(highlight=False)
    for seller in report.sellers:
        console.print(_says(seller), markup=False, soft_wrap=True)
    next_steps = "Start the service" if release else "Start the service; it sells nothing until `allot release`"
    console.print(f"The epoch is {report.epoch} now. {next_steps}.", markup=False)


async def _rebuild(house: House, *, discard: bool, release: bool) -> Report:
    days = house.settings.answer_days
    try:
        with ExitStack() as stack:
            client = make_client(_url(house.settings, stack))
            try:
                return await fill_all(house.database, client, discard=discard, release=release, days=days)
            finally:
                await client.aclose()
    except FolderInUse as error:
        raise Refused(f"{error}; stop the service first") from error
    except NotEmpty as error:
        raise Refused(f"{error}; with --discard they are thrown away") from error
    except (RedisError, ServerFailed) as error:
        raise Refused(f"the store cannot be reached: {error}") from error


def _url(settings: Settings, stack: ExitStack) -> str:
    """Where the store is; our own is started for this, which a running service does not let happen."""
    return settings.redis_url or stack.enter_context(EmbeddedValkey(settings.data_dir)).url


async def fill_all(
    database: Database, client: Redis, *, discard: bool = False, release: bool = False, at_least: int = 0, days: int = 7
) -> Report:
    """
    Fill the store with all sellers that have begun, under a new epoch of that generation or a later one.

    What may leave the store and is older than `days` stays in SQL alone.
    """
    async with database.reading() as session:
        remembered = await read_dataset(session)
        sellers = [seller.code for seller in await list_sellers(session) if seller.begun]
    if not discard:
        await _refuse_whole(client, sellers, remembered)
    await Pipe(client).install()
    async with database.writing() as session:
        dataset = await next_generation(session, at_least)
    how = Filling(dataset, discard, release, days)
    return Report(dataset.epoch, [await _fill(database, client, one, how) for one in sellers])


async def _refuse_whole(client: Redis, sellers: list[str], remembered: DatasetFacts) -> None:
    for seller in sellers:
        [name] = SellerKeys(seller).named("seller")
        epoch = await client.hget(name, "epoch")
        if epoch == remembered.epoch.encode():
            raise Refused(f"the store has {seller} of epoch {remembered.epoch}, as SQL does: nothing is lost")


async def _fill(database: Database, client: Redis, seller: str, how: Filling) -> Rebuilt:
    with RowProgress(f"seller {seller}", Console(stderr=True)) as progress:
        done: dict[str, int] = {}

        def tell(kind: str, count: int) -> None:
            done[kind] = count
            progress.show(sum(done.values()), 0, 0)

        choices = {"discard": how.discard, "release": how.release}
        rebuilt = await fill(database, client, seller, how.dataset.epoch, **choices, days=how.days, progress=tell)
    async with database.writing() as session:
        detail = {**rebuilt.records, "complete_until_ms": rebuilt.complete_until_ms}
        await add_entries(session, [note(by_user(seller), "store.rebuild", how.dataset.epoch, detail)])
    return rebuilt


def _says(seller: Rebuilt) -> str:
    counts = ", ".join(f"{count:,} {kind}" for kind, count in seller.records.items())
    return f"{seller.seller}: {counts}. It was {why_shut(seller)}."
