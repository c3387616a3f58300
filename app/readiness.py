"""
Whether orders can be taken, and what is wrong where something is.

Each part is asked for itself and for a second at most: what does not answer is an answer. Only the store and a stop
that has begun make the service unready; with everything else orders go on.
"""

import asyncio
from collections.abc import Awaitable
from typing import Final

from allocator import census, errors
from allocator.gate import CHECKING, FROZEN, OPEN, SHUT, Gate
from allocator.ledger import START

from .answers import Ready, SellerStanding
from .deps import State
from .draining.drain import READER
from .metrics import CLOCK_JUMP, DATABASE_UP, READY, SCHEDULER_UP, STORE_UP
from .store.config_changes import standing
from .store.cursors import Cursor, read_cursor
from .store.database import Database
from .store.revisions import revisions

OK: Final = "ok"
GATES: Final = {
    CHECKING: "skus are compared with the ledger and opened one by one",
    FROZEN: "skus are frozen, /v1/frozen lists them",
    SHUT: "shut",
}
"""What a gate that is not open means."""
WAIT_S: Final = 1.0
NO_SCHEDULER: Final = "no scheduler works: holds do not end, backorders are not served, webhooks are not sent"


async def readiness(state: State, *, draining: bool, verbose: bool = False) -> Ready:
    """Every part's own word; `verbose` adds where each seller stands."""
    store, database = await _said(_ask_store(state)), await _said(_ask_database(state.database))
    both = store == database == OK
    clock = ", ".join(f"{seller} by {jump} ms" for seller, jump in _jumps(state).items())
    ready = Ready(
        ready=store == OK and not draining,
        store=store,
        database=database,
        migrations=await _said(_ask_migrations(state.database)) if database == OK else database,
        config=await _said(_ask_config(state)) if both else "cannot be compared",
        clock=f"paused, it jumped: {clock}" if clock else OK,
        jobs=_jobs(state),
        gate=await _said(_ask_gates(state)),
        drain=await _said(_ask_drain(state)) if database == OK else "cannot be read",
        draining=draining,
        sellers=await _sellers(state) if verbose and both else [],
    )
    _count(state, ready)
    return ready


def _jumps(state: State) -> dict[str, int]:
    """Sellers whose clock is paused, whichever process found out."""
    return state.heard.said.clock_jumps_ms | state.clock_jumps_ms


def _jobs(state: State) -> str:
    """What the jobs of this process and of the scheduler say."""
    failing = sorted((state.heard.said.failing | state.jobs_failing).items())
    wrong = [f"failing: {'; '.join(f'{job}: {says}' for job, says in failing)}"] if failing else []
    if state.heard.is_silent():
        wrong.append(NO_SCHEDULER)
    return ", and ".join(wrong) or OK


def _count(state: State, ready: Ready) -> None:
    state.metrics.set(READY, ready.ready)
    state.metrics.set(STORE_UP, ready.store == OK)
    state.metrics.set(DATABASE_UP, ready.database == OK)
    state.metrics.set(SCHEDULER_UP, not state.heard.is_silent())
    jumps = _jumps(state)
    for seller in state.allocators:
        state.metrics.set(CLOCK_JUMP, jumps.get(seller, 0), seller)


async def _ask_store(state: State) -> str:
    for allocator in state.allocators.values():
        await allocator.reload()
    return OK


async def _ask_gates(state: State) -> str:
    wrong = []
    for seller, allocator in sorted(state.allocators.items()):
        gate = Gate(state.pipe.client, seller, allocator.epoch)
        standing = (await gate.standing()).gate
        if standing != OPEN:
            wrong.append(f"{seller}: {GATES[standing]}")
    return "; ".join(wrong) or OK


async def _ask_database(database: Database) -> str:
    async with database.reading() as session:
        await revisions(session)
    return OK


async def _ask_migrations(database: Database) -> str:
    async with database.reading() as session:
        found = await revisions(session)
    if found.database == found.code:
        return OK
    return f"the database is at {found.database or 'nothing'}, this version of the service at {found.code}"


async def _ask_config(state: State) -> str:
    wrong = [says for row in await _sellers(state) if (says := _differs(row))]
    return "; ".join(wrong) or OK


async def _ask_drain(state: State) -> str:
    """What keeps the drain, in a process of its own, from going on with a ledger; and who is refused because of it."""
    async with state.database.reading() as session:
        cursors = {seller: await read_cursor(session, seller, READER) for seller in sorted(state.allocators)}
    stopped = [f"{seller}: {cursor.failing}" for seller, cursor in cursors.items() if cursor and cursor.failing]
    full = [f"{seller} has {share:.0%} of the limit of its ledger" for seller, share in state.full.items()]
    return "; ".join([*stopped, *full]) or OK


def _differs(row: SellerStanding) -> str:
    if row.config_in_force == row.config_remembered:
        return ""
    half_done = row.config_in_force == row.config_staged
    why = "a change is half done, and the next one finishes it" if half_done else "one of them is of another time"
    return f"{row.seller}: version {row.config_in_force} in force, {row.config_remembered} in the database: {why}"


async def _sellers(state: State) -> list[SellerStanding]:
    rows = []
    async with state.database.reading() as session:
        for seller in sorted(state.allocators):
            there = await census.standing(state.pipe.client, seller)
            remembered = await standing(session, seller)
            drain = await read_cursor(session, seller, READER) or Cursor(START, "", 0)
            rows.append(
                SellerStanding(
                    seller,
                    there.epoch,
                    there.config,
                    remembered.active,
                    remembered.staged,
                    there.ledger_entries,
                    drain.position,
                    drain.failing,
                    drain.failing_since_ms,
                )
            )
    return rows


async def _said(asking: Awaitable[str]) -> str:
    try:
        return await asyncio.wait_for(asking, WAIT_S)
    except errors.NotReady as error:
        return f"{error} It says it is {error.facts.get('epoch_found') or 'nobody'}."
    except Exception as error:  # noqa: BLE001 - whatever is wrong there is the answer
        return f"does not answer: {type(error).__name__}"
