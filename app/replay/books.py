"""
The books at the end of a replay: what the service says lies on the shelves, against what the replay sent and was told.

The replay knows every unit that came and every unit that left, so each article's shelves must hold the difference.
Whoever owns the store besides has its records checked by `allocator.check`.
"""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from redis.exceptions import RedisError

from allocator.check import Report as StoreReport
from allocator.check import check
from allocator.client import make_client

from .calls import Caller
from .play import OK, Job, run_jobs
from .tally import Tally

SELLER: Final = "main"
SKUS_A_QUESTION: Final = 1_000
QUIET_SECONDS: Final = 2.5
"""Backorders are served every second; when nothing moved for so long, nothing will."""

SETTLE_SECONDS_MAX: Final = 90.0
WITNESS: Final = "shop"
"""The channel that sees every location."""

SHOWN_MAX: Final = 5


class Shelves(msgspec.Struct):
    """All shelves of all articles together, with on_hand and oversold article by article."""

    on_hand: Counter[str] = msgspec.field(default_factory=Counter)
    oversold: Counter[str] = msgspec.field(default_factory=Counter)
    committed: int = 0
    backordered: int = 0
    conflict: int = 0
    deficits: int = 0

    def add(self, explained: dict[str, Any]) -> None:
        """Add one article, as `explain` tells it."""
        self.backordered += explained["backordered"]
        self.conflict += explained["conflict"]
        self.deficits += explained["deficits"]
        for shelf in explained["shelves"]:
            promised = shelf["held"] + shelf["committed"] + shelf["unavailable"]
            self.committed += shelf["committed"]
            self.on_hand[explained["sku"]] += shelf["on_hand"]
            self.oversold[explained["sku"]] += max(0, promised - shelf["on_hand"] - shelf["deficit"])


class Check(msgspec.Struct, frozen=True):
    """One promise: kept, broken, or None where it could not be looked at."""

    name: str
    kept: bool | None
    found: str


async def settle(caller: Caller, skus: Sequence[str]) -> bool:
    """Wait until backorders are served and nothing moves any more; False if it never stopped."""
    before: list[int] = []
    for _ in range(int(SETTLE_SECONDS_MAX / QUIET_SECONDS)):
        versions = await _versions(caller, skus)
        if versions == before:
            return True
        before = versions
        await asyncio.sleep(QUIET_SECONDS)
    return False


async def _versions(caller: Caller, skus: Sequence[str]) -> list[int]:
    versions = []
    for start in range(0, len(skus), SKUS_A_QUESTION):
        answer = await caller.levels(skus[start : start + SKUS_A_QUESTION], [WITNESS])
        versions += [level["version"] for level in answer.body.get("levels", [])]
    return versions


async def read_shelves(caller: Caller, skus: Sequence[str], tally: Tally, in_flight: int) -> Shelves:
    """Every shelf of these articles."""
    shelves = Shelves()

    async def read(sku: str) -> None:
        answer = await caller.explain(sku, WITNESS)
        if answer.status == OK:
            shelves.add(answer.body)
        else:
            tally.failed(f"explain {sku}: {answer.status} {answer.body.get('detail', '')}")

    def jobs() -> Iterator[Job]:
        for sku in skus:
            yield lambda sku=sku: read(sku)  # type: ignore[misc] # mypy does not follow defaults of lambdas

    await run_jobs(jobs(), in_flight)
    return shelves


async def check_store(url: str) -> tuple[StoreReport | None, str]:
    """The store's own records checked, and which server keeps them; None when it cannot be read."""
    client = make_client(url)
    try:
        info: dict[str, Any] = await client.info("server")
        name = "Valkey" if "valkey_version" in info else "Redis"
        version = info.get("valkey_version", info.get("redis_version", ""))
        return await check(client, SELLER), f"{name} {version}"
    except (RedisError, OSError):
        return None, "unknown"
    finally:
        await client.aclose()


def judge(tally: Tally, shelves: Shelves, store: StoreReport | None, *, settled: bool) -> list[Check]:
    """Every promise, and whether it was kept."""
    oversold = shelves.oversold.total() + (store.oversold if store else 0)
    return [
        _none("answers that are errors", tally.errors, tally.samples),
        _none("units oversold", oversold, [sku for sku, units in shelves.oversold.items() if units]),
        _none("repeated orders answered otherwise than the first time", tally.resent - tally.resent_same),
        _none("order lines whose units do not add up", tally.lines_wrong),
        _unaccounted(tally, shelves),
        _committed(tally, shelves),
        _store(store),
        Check("the books came to rest", settled, "yes" if settled else f"not in {SETTLE_SECONDS_MAX:g} s"),
    ]


def _none(name: str, count: int, examples: Sequence[str] = ()) -> Check:
    shown = ": " + "; ".join(examples[:SHOWN_MAX]) if count and examples else ""
    return Check(name, count == 0, f"{count}{shown}")


def _unaccounted(tally: Tally, shelves: Shelves) -> Check:
    """Received, kept returns and what counts found, less what was shipped, lies on the shelves: article by article."""
    expected = tally.received.copy()
    expected.update(tally.kept)
    expected.update(tally.counted)
    expected.subtract(tally.shipped())
    skus = expected.keys() | shelves.on_hand.keys()
    wrong = {sku: shelves.on_hand[sku] - expected[sku] for sku in skus if shelves.on_hand[sku] != expected[sku]}
    examples = [f"{sku} {units:+}" for sku, units in sorted(wrong.items())]
    return _none("units unaccounted for", sum(map(abs, wrong.values())), examples)


def _committed(tally: Tally, shelves: Shelves) -> Check:
    """Units that were accepted, less what was shipped, are committed or wait: none of them was lost."""
    expected = tally.wanted() - tally.shipped().total()
    found = shelves.committed + shelves.backordered + shelves.conflict
    return _none("accepted units lost or invented", abs(found - expected))


def _store(store: StoreReport | None) -> Check:
    name = "faults in the store's records (invariants 1, 2, 3 and 5)"
    if store is None:
        return Check(name, None, "not looked at: the store is not ours")
    return _none(name, len(store.violations), [str(violation) for violation in store.violations])


async def judge_desk(caller: Caller, shelves: Shelves) -> Check:
    """What is in conflict is listed where somebody can decide about it, once SQL has it."""
    listed = await caller.conflicts()
    for _ in range(int(SETTLE_SECONDS_MAX / QUIET_SECONDS)):
        if listed == shelves.conflict:
            break
        await asyncio.sleep(QUIET_SECONDS)
        listed = await caller.conflicts()
    return _none("units in conflict that the desk does not list", abs(listed - shelves.conflict))


async def judge_all(data: Path | None) -> Check:
    """`allot check` on the replay's own service: Valkey, its ledger and SQL, against each other."""
    name = "findings of allot check"
    if data is None:
        return Check(name, None, "not looked at: the store is not ours")
    kept = {word: value for word, value in os.environ.items() if not word.startswith("ALLOT_")}
    words = [sys.executable, "-m", "app", "check", "--json", "--data-dir", str(data)]
    process = await asyncio.create_subprocess_exec(
        *words, env=kept, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, said = await process.communicate()
    if process.returncode not in {0, 1}:
        return Check(name, None, said.decode(errors="replace").strip()[-200:])
    reports = msgspec.json.decode(out)
    kinds = [f"{count} {kind}" for report in reports for kind, count in report["counts"].items()]
    return _none(name, sum(sum(report["counts"].values()) for report in reports), kinds)
