"""
`make recovery`: how long a shop is away after a restart, and after all that Valkey had was lost.

A service with its own Valkey and SQLite is filled past HTTP, as for the benchmark, and its worker copies it all into
SQL. Then it is stopped and started again, and timed from its start until it answers, until the first sku may be
promised and until all have been compared with the ledger; then Valkey's files are removed and filled again from SQL.
"""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer
from rich.console import Console
from rich.table import Table

from app.readiness import OK
from app.service_process import OwnService, own_service

from .fill import fill, open_store, settle
from .processes import machine
from .shop import CODES, make_seed, sku_name

UNITS: Final = 10
POLL_SECONDS: Final = 0.05
SECONDS_MAX: Final = 1_800.0

WANTED: Final = {"first sku, s": 10.0, "all verified, s": 60.0, "rebuild, s": 60.0}
"""What a million skus should take at most, on two cores."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class TooSlow(Exception):
    """It did not happen in half an hour."""


@app.command()
def recovery(
    *,
    skus: Annotated[int, typer.Option(help="Skus, each at four locations.", min=100)] = 1_000_000,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON, for machines.")] = False,
) -> None:
    """Measure a restart and a rebuild; exit code 1 when a sku was not what it had been."""
    notes = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="allot-recovery-") as name:
        home = Path(name)
        (home / "seed.yaml").write_text(json.dumps(make_seed(1)))
        figures = _measure(home, skus, notes)
    if as_json:
        print(json.dumps({**machine(), "skus": skus, "locations": len(CODES), **figures}))
    else:
        _show(figures, skus)
    raise typer.Exit(0 if figures["units found again"] else 1)


def _measure(home: Path, skus: int, notes: Console) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    with own_service(home / "service", home / "seed.yaml") as service:
        with _timed(figures, "filling, s"):
            asyncio.run(_fill(service.store_url, skus, notes))
        notes.print("copying the ledger into SQL …")
        with _timed(figures, "copying the rest into SQL, s"):
            _until(lambda: _is_drained(service), "everything is in SQL")
        before = _promises(service, skus)
    notes.print("starting again …")
    figures |= _restart(home, skus)
    notes.print("losing Valkey's files, and filling it again from SQL …")
    figures |= _lose_and_rebuild(home)
    with own_service(home / "service", home / "seed.yaml") as service:
        figures["units found again"] = before == _promises(service, skus)
    return figures


async def _fill(url: str, skus: int, notes: Console) -> None:
    async with open_store(url) as store:
        await fill(store.allocator, skus, UNITS, notes)
        await settle(store.client)


def _restart(home: Path, skus: int) -> dict[str, float]:
    """From the start of `allot serve` until each step, by asking every 50 ms."""
    folder, started, seen = home / "service", time.monotonic(), dict[str, float]()
    key = (folder / "api-key").read_text().strip()
    with _served(folder) as url, httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}) as client:
        seen["answers, s"] = time.monotonic() - started
        _until(lambda: _may_promise(client, sku_name(skus - 1)), "the last sku may be promised")
        seen["first sku, s"] = time.monotonic() - started
        _until(lambda: client.get("/readyz").json()["gate"] == OK, "all is verified")
        seen["all verified, s"] = time.monotonic() - started
    return {step: round(seconds, 1) for step, seconds in seen.items()}


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The service as soon as it has an address, not only when it is through with its check."""
    log = folder / "restart.log"
    with log.open("wb") as output:
        words = [sys.executable, "-m", "app", "serve", "--data-dir", str(folder / "data"), "--port", "0"]
        process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT)
    try:
        _until(lambda: "Allot answers at " in log.read_text(), "the service answers")
        yield log.read_text().partition("Allot answers at ")[2].split()[0]
    finally:
        process.terminate()
        process.wait(60)


def _lose_and_rebuild(home: Path) -> dict[str, float]:
    data, figures = home / "service" / "data", dict[str, float]()
    for lost in (data / "valkey").glob("appendonly*"):
        shutil.rmtree(lost)
    words = [sys.executable, "-m", "app", "rebuild", "--release", "--json", "--data-dir", str(data)]
    with _timed(figures, "rebuild, s"):
        subprocess.run(words, check=True, capture_output=True)
    return figures


@contextmanager
def _timed(figures: dict[str, Any], name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    figures[name] = round(time.monotonic() - started, 1)


def _until(happened: Callable[[], object], what: str) -> None:
    end = time.monotonic() + SECONDS_MAX
    while not happened():
        if time.monotonic() > end:
            raise TooSlow(f"{what}: not within {SECONDS_MAX:g} s")
        time.sleep(POLL_SECONDS)


def _is_drained(service: OwnService) -> bool:
    rows = httpx.get(f"{service.url}/metrics").text.splitlines()
    left = [float(row.split()[-1]) for row in rows if row.startswith("allot_undrained_entries{")]
    return bool(left) and not any(left)


def _may_promise(client: httpx.Client, sku: str) -> bool:
    return client.get(f"/v1/availability/{sku}?channel=shop").status_code == httpx.codes.OK


def _promises(service: OwnService, skus: int) -> list[Any]:
    """What may be promised of some skus, the first and the last among them."""
    asked = [sku_name(number) for number in {*range(0, skus, max(1, skus // 97)), skus - 1}]
    body = {"skus": asked, "channels": ["shop", "amazon"]}
    headers = {"Authorization": f"Bearer {service.key}"}
    found: list[Any] = httpx.post(f"{service.url}/v1/availability", json=body, headers=headers).json()["levels"]
    return found


def _show(figures: dict[str, Any], skus: int) -> None:
    console, on = Console(highlight=False), machine()
    console.print(
        f"{skus:,} skus at {len(CODES)} locations · {on['cores']} cores · load {on['load_before']} at the end"
    )
    table = Table("", "measured", "wanted of a million")
    for name, value in figures.items():
        wanted = WANTED.get(name)
        table.add_row(name, str(value), f"≤ {wanted:g}" if wanted else "")
    console.print(table)


if __name__ == "__main__":
    app()
