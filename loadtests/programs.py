"""Starts the programs under test as an operator would, and stops them."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0


class Service(NamedTuple):
    """A running service and the key that opens it."""

    url: str
    key: str


@contextmanager
def allot(seed: dict[str, Any]) -> Iterator[Service]:
    """`allot serve` with its embedded Valkey, durable before it answers, on data that are removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="allot-bench-") as name:
        folder = Path(name)
        # JSON is YAML.
        (folder / "seed.yaml").write_text(json.dumps(seed))
        words = f"-m app serve --data-dir {folder}/data --port 0 --seed {folder}/seed.yaml --key-file {folder}/key"
        with _program(words.split(), folder / "log", "Allot answers at") as url:
            _wait_until_ready(f"{url}/readyz")
            yield Service(url, (folder / "key").read_text().strip())


@contextmanager
def hello() -> Iterator[str]:
    """The yardstick; its address."""
    with (
        tempfile.TemporaryDirectory(prefix="allot-bench-") as name,
        _program(["-m", "loadtests.hello"], Path(name) / "log", "Hello answers at") as url,
    ):
        _wait_until_ready(f"{url}/hello")
        yield url


@contextmanager
def _program(words: list[str], log: Path, says: str) -> Iterator[str]:
    # Settings of the caller's own shop must not reach the benchmark.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALLOT_")}
    environment = {**kept, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), kept.get("PYTHONPATH")]))}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *words], stdout=output, stderr=output, env=environment, cwd=log.parent
        )
    try:
        yield _address(process, log, says)
    finally:
        _stop(process)


def _address(process: subprocess.Popen[bytes], log: Path, says: str) -> str:
    until = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < until and process.poll() is None:
        found = re.search(rf"{says} (http://\S+)", log.read_text())
        if found:
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"it did not start:\n{log.read_text()[-2_000:]}")


def _wait_until_ready(url: str) -> None:
    until = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except urllib.error.URLError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"{url} did not get ready")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
