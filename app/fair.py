"""All sandboxes served on this machine for the length of a block, each on a door (a bound socket) of its own."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from random import Random
from typing import Final, NamedTuple

import httpx
import structlog
import uvicorn

from channels.sandbox.market import NAMES, Market, Stall

from .broken_answers import Breakable
from .times import now_ms

HOST: Final = "127.0.0.1"
SKUS: Final = ("CITY-28-BLACK", "HELMET-M", "LOCK-U", "TYRE-28-TOUR", "TUBE-28")
"""Of the shop that `allot demo` and `allot serve --seed app/demo_shop.yaml` have, which lists them on every channel."""

DELIVER_SECONDS: Final = 0.5
SECONDS_MAX: Final = 5.0

log = structlog.get_logger(__name__)


class Goods(NamedTuple):
    """What the sandboxes sell, and where tills and Amazon's notifications send to, '' for nowhere; ids from `after`."""

    skus: Sequence[str]
    service: str = ""
    key: str = ""
    after: int = 0


class Fair(NamedTuple):
    """The sandboxes while they are served, and where each answers, by name."""

    stalls: Sequence[Stall]
    urls: Mapping[str, str]


@contextmanager
def doors(first: int = 0) -> Iterator[dict[str, socket.socket]]:
    """A door for each sandbox: on this port and those that follow, or for 0 on free ones. Raises OSError."""
    with ExitStack() as until:
        yield {name: until.enter_context(_bound(first and first + number)) for number, name in enumerate(NAMES)}


@asynccontextmanager
async def fair(
    through: Mapping[str, socket.socket], goods: Goods, chance: Random, *, delivers: bool = True
) -> AsyncIterator[Fair]:
    """Serve all sandboxes; what happens there is told at once, unless somebody else `delivers` it."""
    urls = {name: f"http://{HOST}:{door.getsockname()[1]}" for name, door in through.items()}
    async with httpx.AsyncClient(timeout=SECONDS_MAX, trust_env=False) as http:
        stalls = Market(goods.skus, urls, now_ms, http, chance, goods.service, goods.key, goods.after).stalls()
        servers = {stall.name: _Server(_config(stall)) for stall in stalls}
        serving = [asyncio.create_task(server.serve(sockets=[through[name]])) for name, server in servers.items()]
        telling = [asyncio.create_task(_deliver(stall)) for stall in stalls if delivers]
        try:
            yield Fair(stalls, urls)
        finally:
            for task in telling:
                task.cancel()
            await asyncio.gather(*telling, return_exceptions=True)
            for server in servers.values():
                server.should_exit = True
            await asyncio.gather(*serving)


async def _deliver(stall: Stall) -> None:
    while True:
        await asyncio.sleep(DELIVER_SECONDS)
        try:
            await stall.sandbox.deliver()
        except Exception:
            log.exception("sandbox_tells_nothing", name=stall.name)


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise OSError(f"{HOST}:{port}: {error.strerror}") from error
    return listener


class _Server(uvicorn.Server):
    """One of several in a process: signals are for the command, which ends all of them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None."""
        yield


def _config(stall: Stall) -> uvicorn.Config:
    return uvicorn.Config(
        stall.sandbox.app,
        http=Breakable,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
