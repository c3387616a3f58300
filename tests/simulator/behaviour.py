"""
The behaviour tests of tests/allocator, run here and now on a store of the simulator instead of a server.

A test is a function and the fixtures it asks for by name: those of its module, of tests/allocator/conftest.py, and
`redis`, which is here a client of the store. What a real server is needed for is left to the real servers.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from importlib import import_module
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from tests.allocator import conftest, fixtures, raw, town
from tests.allocator.fixtures import NOW
from tests.simulator.contract import StrictNetwork
from tests.simulator.loop import VirtualLoop
from tests.simulator.mirror import ShimTwins
from tests.simulator.pipe import Client, SimulatedPipe
from tests.simulator.store import Store

FOLDER = Path(conftest.__file__).parent
ELSEWHERE = {
    "test_census",  # Python that reads
    "test_check",  # as test_census
    "test_client",  # how redis-py behaves
    "test_forget_model",  # a long walk with a store of its own for what has left
    "test_headers",  # what the headers of the Lua say
    "test_ledger",  # long walks; `recorded` has its own
    "test_ledger_reading",  # as test_census
    "test_library",  # how the library comes to a server
    "test_model",  # the state machine; `recorded` has it
    "test_oracle_atp",  # drawn by hypothesis; `recorded` has it
    "test_oracle_routing",  # as test_oracle_atp
    "test_races",  # several connections
    "test_ranking",  # Python alone
    "test_retry",  # wires that break
    "test_rules",  # Python alone
    "test_wire",  # wires
}
"""Modules that are not about what a verb of the Lua does."""

NEEDS_A_SERVER = {
    "test_a_call_whose_order_always_leaves_ends_and_nothing_is_done",  # a wire
    "test_an_order_that_leaves_again_at_once_is_fetched_again",  # a wire
    "test_every_start_of_a_server_has_a_name_of_its_own",  # asks for INFO
}

LATER_MS = NOW + 123_456_789_123
"""The store's clock: behind the time that tests give, as the clock of a server is."""

PROVIDED = {"redis", "server_url"}


class BehaviourTest(NamedTuple):
    """One test with one set of parameters."""

    name: str
    module: ModuleType
    test: Callable[..., Any]
    parameters: dict[str, Any]

    def run(self, store: Store, ready: Callable[[], object] = bool) -> None:
        """Raises whatever the test raises; `ready` is called when its fixtures are made."""
        store.reset()
        store.now_ms = LATER_MS
        with _in_this_process(self.module, store):
            if inspect.iscoroutinefunction(self.test):
                loop = VirtualLoop()
                try:
                    loop.run(self._run(store, ready))
                finally:
                    loop.close()
            else:
                self._run_plainly(ready)

    async def _run(self, store: Store, ready: Callable[[], object]) -> None:
        values = {**self.parameters, "redis": Client(StrictNetwork(store)), "server_url": ""}
        async with AsyncExitStack() as stack:
            asked = await _asked(self.test, self.module, values, stack)
            ready()
            await self.test(**asked)

    def _run_plainly(self, ready: Callable[[], object]) -> None:
        """A test without a loop: its twins have one of their own."""
        values = {**self.parameters, "server_url": ""}
        work = self._run_inner(values, ready)
        try:
            work.send(None)
        except StopIteration:
            return
        raise AssertionError(f"{self.name} waits")

    async def _run_inner(self, values: dict[str, Any], ready: Callable[[], object]) -> None:
        async with AsyncExitStack() as stack:
            asked = await _asked(self.test, self.module, values, stack)
            ready()
            self.test(**asked)


@contextmanager
def _in_this_process(module: ModuleType, store: Store) -> Iterator[None]:
    """Where a test or its words open a way to a server, it is one to the store."""
    ways: dict[str, Any] = {
        "Pipe": lambda client: SimulatedPipe(client.network),
        "Twins": lambda _url, config=None: ShimTwins(config, store),
    }
    known = [(place, name) for place in (module, fixtures, raw, town) for name in ways if hasattr(place, name)]
    before = [(place, name, getattr(place, name)) for place, name in known]
    for place, name in known:
        setattr(place, name, ways[name])
    try:
        yield
    finally:
        for place, name, way in before:
            setattr(place, name, way)


async def _asked(
    function: Callable[..., Any], module: ModuleType, values: dict[str, Any], stack: AsyncExitStack
) -> dict[str, Any]:
    """What a test or fixture asks for; each fixture is made once."""
    for name in inspect.signature(function).parameters:
        if name not in values:
            made = _fixture(module, name)
            asked = await _asked(made, module, values, stack)
            values[name] = await _made(partial(made, **asked), made, stack)
    return {name: values[name] for name in inspect.signature(function).parameters}


def _fixture(module: ModuleType, name: str) -> Callable[..., Any]:
    found = getattr(module, name, None) or getattr(conftest, name)
    return inspect.unwrap(found)


async def _made(make: Callable[[], Any], kind: Callable[..., Any], stack: AsyncExitStack) -> Any:
    if inspect.isasyncgenfunction(kind):
        return await stack.enter_async_context(asynccontextmanager(make)())
    if inspect.isgeneratorfunction(kind):
        return stack.enter_context(contextmanager(make)())
    return await make() if inspect.iscoroutinefunction(kind) else make()


# --- finding them --------------------------------------------------------------------------------------------------


def behaviour_tests() -> list[BehaviourTest]:
    """Every test that can run on a store, in the order of the files."""
    names = sorted(file.stem for file in FOLDER.glob("test_*.py") if file.stem not in ELSEWHERE)
    modules = [import_module(f"tests.allocator.{name}") for name in names]
    return [test for module in modules for test in _tests_of(module)]


def _tests_of(module: ModuleType) -> Iterator[BehaviourTest]:
    short = module.__name__.rpartition(".")[2]
    for name, test in vars(module).items():
        if name.startswith("test_") and name not in NEEDS_A_SERVER and _can_run(module, test):
            for number, parameters in enumerate(_parameters(test)):
                label = f"{short}::{name}[{number}]" if parameters else f"{short}::{name}"
                yield BehaviourTest(label, module, test, parameters)


def _can_run(module: ModuleType, test: Callable[..., Any]) -> bool:
    """Whether it needs a store at all, and nothing that is not here."""
    needed = _needed(module, test, _parameters(test)[0])
    return "?" not in needed and bool(needed & PROVIDED)


def _needed(module: ModuleType, function: Callable[..., Any], known: dict[str, Any]) -> set[str]:
    """Everything that a test asks for, by what its fixtures ask for; "?" for what is not known here."""
    needed: set[str] = set()
    for name in inspect.signature(function).parameters:
        if name in PROVIDED or name in known:
            needed.add(name)
        elif getattr(module, name, None) is None and not hasattr(conftest, name):
            needed.add("?")
        else:
            needed |= _needed(module, _fixture(module, name), known)
    return needed


def _parameters(test: Callable[..., Any]) -> list[dict[str, Any]]:
    """The values of each run, from `pytest.mark.parametrize`."""
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    rows = [[_row(mark.args[0], values) for values in mark.args[1]] for mark in marks]
    return [{name: value for row in rows for name, value in row.items()} for rows in product(*rows)]


def _row(names: str | tuple[str, ...], values: Any) -> dict[str, Any]:
    listed = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    values = getattr(values, "values", values) if hasattr(values, "marks") else values
    return dict(zip(listed, [values] if len(listed) == 1 and not hasattr(values, "_fields") else values, strict=True))
