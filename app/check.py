"""`allot check`: whether Valkey, its ledger and SQL agree; what does not is told, and put right if asked for."""

from contextlib import ExitStack
from functools import partial
from time import perf_counter
from typing import Annotated, Any, Final

import msgspec
import typer
from redis.exceptions import RedisError
from rich.console import Console

from allocator import Pipe, make_client
from allocator.errors import AllocatorError

from .checking.checking import check_seller
from .checking.findings import Finding
from .checking.repairing import Repaired, Repairer
from .exchange.progress import RowProgress
from .house import House, NoHouse, Refused, by_user, print_json, run, store_url
from .keys_command import AsJson, DataDir
from .server_process import ServerFailed
from .store.database import SqlError
from .store.datasets import read_dataset
from .store.sellers import list_sellers, require_seller

SHOWN_MAX: Final = 50
"""Most findings of a seller that are told as text; --json has more."""

TIMEOUT_S: Final = 30.0
"""A page of a large store takes longer than a verb, on a busy machine much longer."""

OnlySeller = Annotated[str | None, typer.Option("--seller", help="Whose books; without it everybody's.")]
DoRepair = Annotated[bool, typer.Option("--repair", help="Put right what can be, with an entry in the ledger.")]
Reason = Annotated[str, typer.Option(help="Why it is repaired, for the ledger and the audit.")]


class SellerReport(msgspec.Struct, frozen=True):
    """
    What was found of a seller. counts has all findings by kind, `findings` at most some thousand of each.

    repaired: how many things were put right; left: what a last check still found then; thawed: skus that were frozen
    and are not any more.
    """

    seller: str
    entries: int
    skus: int
    seconds: float
    counts: dict[str, int]
    findings: list[Finding]
    repaired: int
    left: list[Finding]
    thawed: list[str]


def check(
    *,
    seller: OnlySeller = None,
    repair: DoRepair = False,
    reason: Reason = "",
    json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Compare Valkey, its ledger and SQL; the service may be running. Exit code 1: something is wrong, 2: unknown."""
    reports = run(data_dir, partial(_check, seller=seller, repair=repair, reason=reason))
    if json:
        print_json(reports)
    else:
        tell(reports)
    if any(report.left for report in reports):
        raise typer.Exit(1)


async def _check(house: House, *, seller: str | None, repair: bool, reason: str) -> list[SellerReport]:
    if repair and not reason.strip():
        raise Refused("--repair needs --reason, which the ledger and the audit will keep")
    with ExitStack() as stack:
        try:
            return await check_all(house, store_url(house.settings, stack), seller, reason if repair else "")
        except (RedisError, ServerFailed, AllocatorError) as error:
            raise Refused(f"the store cannot be read: {error}") from error
        except SqlError as error:
            raise Refused(f"the database cannot be read: {error}") from error


async def check_all(house: House, url: str, only: str | None = None, reason: str = "") -> list[SellerReport]:
    """Check one seller or all that have begun, and repair them for this reason. Raises SellerUnknown, NoHouse."""
    async with house.database.reading() as session:
        epoch = (await read_dataset(session)).epoch
        if only is not None:
            await require_seller(session, only)
        sellers = [one.code for one in await list_sellers(session) if one.begun and only in {None, one.code}]
    if not sellers:
        raise NoHouse("there is no seller yet whose stock could be checked")
    pipe = Pipe(make_client(url, timeout_s=TIMEOUT_S))
    try:
        return [await _check_one(house, pipe, one, epoch, reason) for one in sellers]
    finally:
        await pipe.close()


async def _check_one(house: House, pipe: Pipe, seller: str, epoch: str, reason: str) -> SellerReport:
    began = perf_counter()
    with RowProgress(f"check of {seller}", Console(stderr=True)) as progress:
        rows = 0

        def tell_more(more: int) -> None:
            nonlocal rows
            rows += more
            progress.show(rows, 0, 0)

        if reason:
            repairer = Repairer(house.database, pipe, epoch, by_user(seller), reason)
            first, last, repaired, thawed = await repairer.repair(tell_more)
        else:
            first = last = await check_seller(house.database, pipe.client, seller, epoch, tell_more)
            repaired, thawed = 0, []
    return _report(Repaired(first, last, repaired, thawed), perf_counter() - began)


def _report(done: Repaired, seconds: float) -> SellerReport:
    first, last, repaired, thawed = done
    found, left = ([finding for finding, _ in checked.findings.kept] for checked in (first, last))
    counts = dict(sorted(first.findings.counts.items()))
    sizes = first.seller, first.entries, first.skus, round(seconds, 3)
    return SellerReport(*sizes, counts, found, repaired, left, thawed)


def tell(reports: list[SellerReport]) -> None:
    """The reports in words."""
    console = Console(highlight=False)
    say: Any = partial(console.print, markup=False, soft_wrap=True)
    for report in reports:
        for finding in report.findings[:SHOWN_MAX]:
            _tell_finding(say, finding)
        if len(report.findings) > SHOWN_MAX:
            say(f"… and {sum(report.counts.values()) - SHOWN_MAX:,} more; --json has them")
        say(_summary(report))


def _tell_finding(say: Any, finding: Finding) -> None:
    say(f"{finding.seller}: {finding.kind} {finding.what}: {finding.means}")
    say(f"  found {finding.found}, expected {finding.expected}")
    say(f"  --repair: {finding.repair or 'nothing, this has to be decided by somebody'}")


def _summary(report: SellerReport) -> str:
    size = f"{report.seller}: {report.skus:,} skus, {report.entries:,} ledger entries in SQL, {report.seconds:.1f} s: "
    if not report.counts:
        return f"{size}nothing is wrong."
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in report.counts.items())
    if not report.repaired:
        return f"{size}{kinds}."
    thawed = f" Not frozen any more: {', '.join(report.thawed)}." if report.thawed else ""
    return f"{size}{kinds}; {report.repaired:,} things put right, {len(report.left):,} findings left.{thawed}"
