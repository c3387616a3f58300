"""
A service of one's own for the length of a command: `allot serve` in a process and a data folder of its own.

It is started as an operator would start it and reached over HTTP alone. None of the caller's ALLOT_ settings reach it:
a replay or a demo must not write into the shop that those settings lead to.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from .embedded import EmbeddedValkey
from .readiness import OK
from .server_process import end_with_parent
from .stopping import Stop

READY_SECONDS_MAX: Final = 120.0
"""A big seed takes a few seconds, a slow machine more."""

STOP_SECONDS_MAX: Final = 60.0
POLL_SECONDS: Final = 0.05
ADDRESS: Final = re.compile(r"^Allot answers at (http://\S+)", re.MULTILINE)


class ServiceFailed(Exception):
    """The service did not start; the message ends with what it said."""


class OwnService(NamedTuple):
    """A running service: where it answers, the key that opens it, and where its store listens."""

    url: str
    key: str
    store_url: str
    pid: int


@contextmanager
def own_service(
    folder: Path,
    seed: Path,
    *,
    port: int = 0,
    drain: bool = True,
    stop: Stop | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[OwnService]:
    """
    Start `allot serve` on the data in `folder`, yield it when it is ready, and stop it in order.

    Port 0 takes a free one; without `drain` nothing is copied into SQL beside it. `settings` are more of them.

    Raises ServiceFailed; SystemExit when `stop` is asked for while it starts.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_file, log = folder / "api-key", folder / "serve.log"
    process = _start(folder, seed, key_file, log, port, {"ALLOT_DRAIN": str(drain), **(settings or {})})
    try:
        url = _wait_until_ready(process, log, stop or Stop())
        store_url = EmbeddedValkey(folder / "data").url
        yield OwnService(url, key_file.read_text().strip(), store_url, process.pid)
    finally:
        _stop(process)


def _start(  # noqa: PLR0917 what a process is started with
    folder: Path, seed: Path, key_file: Path, log: Path, port: int, settings: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    options = {"--data-dir": folder / "data", "--port": port, "--seed": seed.absolute(), "--key-file": key_file}
    words = [str(word) for option in options.items() for word in option]
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 our own program, no shell
            [sys.executable, "-m", "app", "serve", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**_environment(), **settings},
            # An .env file in the caller's folder is a setting as well.
            cwd=folder,
            # Ctrl-C is for the command, which then stops the service.
            start_new_session=True,
            preexec_fn=end_with_parent(),  # noqa: PLW1509 one system call, prepared before the fork
        )


def _environment() -> dict[str, str]:
    """The caller's, without settings, and with the way to this package: a checkout need not be installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALLOT_")}
    paths = [str(Path(__file__).parents[1]), kept.get("PYTHONPATH", "")]
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path, stop: Stop) -> str:
    until = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < until:
        stop.leave_if_asked()
        if process.poll() is not None:
            raise ServiceFailed(f"the service ended with code {process.returncode}:\n{_end_of(log)}")
        found = ADDRESS.search(log.read_text("utf-8", "replace"))
        if found and _is_ready(found[1]):
            return found[1]
        time.sleep(POLL_SECONDS)
    raise ServiceFailed(f"the service was not ready after {READY_SECONDS_MAX:g} s:\n{_end_of(log)}")


def _is_ready(url: str) -> bool:
    try:
        said = httpx.get(f"{url}/readyz", timeout=2, trust_env=False)
    except httpx.TransportError:
        return False
    # A store that was there before is compared with the ledger first.
    return said.status_code == httpx.codes.OK and said.json()["gate"] == OK


def _end_of(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-2_000:]


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
