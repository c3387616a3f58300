"""The benchmark behind `allot bench`: starts what is measured, fills it, runs the rounds, stops it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import uvloop
from redis.exceptions import RedisError
from rich.console import Console

from allocator.errors import AllocatorError
from app.service_process import OwnService, ServiceFailed
from app.stopping import Stop

from .fill import SELLER, NeverSettled, fill, open_store, settle
from .http import Broken, build, connect
from .measure import Target, Wrong
from .memory import memory_of, read_memory
from .processes import machine
from .programs import Hello, HelloFailed, allot, hello
from .report import WIDTH, show, write_json
from .result import Options, Result, make_rows
from .rounds import AnyScenario, Place, Rounds
from .scenarios import RAW, SCENARIOS, Scenario, Shop
from .shop import make_seed

PLENTY: Final = 1_000_000
"""Units of each sku at each location: nothing runs short but what shall."""

SETTINGS: Final = (
    "1 API process, its own Valkey with appendfsync always; keys, rules, quotas, rankings on; no drain beside it"
)

FAILURES: Final = (AllocatorError, Broken, HelloFailed, NeverSettled, OSError, RedisError, ServiceFailed, Wrong)
"""Told in a line, without a traceback."""


def bench(options: Options, json: Path | None) -> int:
    """Measure, print, and write JSON if asked; the exit code: 1 when a burst was not exact, 2 when it failed."""
    notes, console = Console(stderr=True), Console(highlight=False)
    try:
        with Stop() as stop:
            result = run(options, notes, stop)
        if json:
            write_json(result, json)
    except FAILURES as error:
        notes.print(f"allot cannot measure: {error}", markup=False, highlight=False, soft_wrap=True)
        return 2
    show(result, console if console.is_terminal else Console(highlight=False, width=WIDTH))
    return 0 if result.is_exact else 1


def run(options: Options, notes: Console, stop: Stop) -> Result:
    """Start what is needed, measure, stop it. Raises ServiceFailed, Wrong, Broken; SystemExit when it shall stop."""
    result = Result(machine(), SETTINGS, options)
    with ExitStack() as stack:
        yardstick = stack.enter_context(hello())
        seed = make_seed(options.rounds)
        services = [stack.enter_context(allot(seed, stop, drain=False)) for _ in options.sizes]
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        try:
            return runner.run(_until_asked(_run(result, yardstick, services, notes), stop))
        except asyncio.CancelledError:
            stop.leave_if_asked()
            raise


async def _until_asked(work: Awaitable[Result], stop: Stop) -> Result:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    with stop.telling(lambda: loop.call_soon_threadsafe(task.cancel)):
        return await work


async def _run(result: Result, yardstick: Hello, services: list[OwnService], notes: Console) -> Result:
    options = result.options
    async with AsyncExitStack() as stack:
        opening = [_open(service, skus, notes) for service, skus in zip(services, options.sizes, strict=True)]
        places = [await stack.enter_async_context(one) for one in opening]
        chosen, result.left_out = await _choose(options, places[0].target.url)
        result.machine["server"] = places[0].server
        rounds = Rounds(options, Target(yardstick.url, Shop(0), yardstick.pid), places, chosen)
        await rounds.run(notes)
    result.memory = [place.memory for place in places]
    result.rows = make_rows(rounds.samples, {scenario.name: scenario.lines for scenario in chosen})
    result.bursts = rounds.bursts
    return result


@asynccontextmanager
async def _open(service: OwnService, skus: int, notes: Console) -> AsyncIterator[Place]:
    """The service's shop, filled; the memory is read before and after."""
    async with open_store(service.store_url) as store:
        before = await read_memory(store.client, SELLER)
        await fill(store.allocator, skus, PLENTY, notes)
        await settle(store.client)
        memory = memory_of(before, await read_memory(store.client, SELLER), skus)
        info: dict[str, Any] = await store.client.info("server")
        target = Target(service.url, Shop(skus, service.key), service.pid, int(info["process_id"]))
        yield Place(target, store.allocator, memory, f"Valkey {info['valkey_version']}")


async def _choose(options: Options, url: str) -> tuple[list[AnyScenario], list[str]]:
    """The scenarios asked for that this service can do, and which it cannot."""
    [connection] = await connect(url, 1)
    document = (await connection.ask(build("GET", "/openapi.json"))).body
    await connection.close()
    asked: list[AnyScenario] = [one for one in (*SCENARIOS, *RAW) if options.wants(one.name)]
    missing = {one.name: one.needs for one in asked if isinstance(one, Scenario) and not _has(document, one.needs)}
    chosen = [one for one in asked if one.name not in missing]
    return chosen, [f"{name}: this service has no {path}" for name, path in missing.items()]


def _has(document: bytes, path: str) -> bool:
    return not path or f'"{path}"'.encode() in document
