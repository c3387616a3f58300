"""`allot release`: a store whose gate is shut is compared with SQL once more and sells again."""

from contextlib import ExitStack
from typing import Annotated

import typer
from redis.asyncio import Redis
from redis.exceptions import RedisError

from allocator import make_client
from allocator.errors import NotReady
from allocator.gate import SHUT, Gate
from allocator.pipe import run_of

from .audit import note
from .data_folder import FolderInUse
from .embedded import EmbeddedValkey
from .house import House, Refused, by_user, run
from .keys_command import DataDir
from .server_process import ServerFailed
from .store.audit import add_entries
from .store.datasets import read_dataset
from .store.sellers import list_sellers

Seller = Annotated[str, typer.Option("--seller", help="Only this seller.")]


def release(*, seller: Seller = "", data_dir: DataDir = None) -> None:
    """Let a store that was shut sell again: what was lost is known, and channels have sent it again."""
    released = run(data_dir, lambda house: _release(house, seller))
    print("\n".join(released) or "Nothing was shut.")  # noqa: T201 a command's answer


async def _release(house: House, seller: str) -> list[str]:
    with ExitStack() as stack:
        client = make_client(_url(house, stack))
        try:
            return await _release_all(house, client, seller)
        except (RedisError, NotReady) as error:
            raise Refused(f"the store cannot be released: {error}") from error
        finally:
            await client.aclose()


def _url(house: House, stack: ExitStack) -> str:
    """Where the store is; our own is started if no service runs."""
    if house.settings.redis_url:
        return house.settings.redis_url
    embedded = EmbeddedValkey(house.settings.data_dir)
    try:
        stack.enter_context(embedded)
    except FolderInUse:
        return embedded.url
    except ServerFailed as error:
        raise Refused(f"the store cannot be reached: {error}") from error
    return embedded.url


async def _release_all(house: House, client: Redis, wanted: str) -> list[str]:
    async with house.database.reading() as session:
        epoch = (await read_dataset(session)).epoch
        sellers = [seller.code for seller in await list_sellers(session) if wanted in {"", seller.code}]
    if not sellers:
        raise Refused(f"there is no seller {wanted}")
    run = await run_of(client)
    released = []
    for seller in sellers:
        gate = Gate(client, seller, epoch)
        standing = await gate.standing()
        if standing.gate == SHUT:
            await _write_down(house, seller, standing.why)
            await gate.shut(run, "")
            released.append(f"{seller}: released. A running worker compares its skus with SQL and opens them.")
    return released


async def _write_down(house: House, seller: str, why: str) -> None:
    """Before it is done: who released what, and what was known then."""
    async with house.database.writing() as session:
        await add_entries(session, [note(by_user(seller), "store.release", seller, {"why_shut": why})])
