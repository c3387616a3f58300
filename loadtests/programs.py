"""Starts the programs under test as an operator would, and stops them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from app.server_process import end_with_parent
from app.service_process import OwnService, own_service
from app.stopping import Stop

ROOT = Path(__file__).parents[1]
READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
ADDRESS = re.compile(r"^Hello answers at (http://\S+)", re.MULTILINE)


class HelloFailed(Exception):
    """The yardstick did not start; the message ends with what it said."""


class Hello(NamedTuple):
    """The yardstick: where it answers, and its process."""

    url: str
    pid: int


@contextmanager
def allot(seed: dict[str, Any], stop: Stop, *, drain: bool = True) -> Iterator[OwnService]:
    """
    `allot serve` with its embedded Valkey, durable before it answers, on data that are removed afterwards.

    Raises ServiceFailed; SystemExit when `stop` is asked for while it starts.
    """
    with tempfile.TemporaryDirectory(prefix="allot-load-") as name:
        # JSON is YAML.
        (Path(name) / "seed.yaml").write_text(json.dumps(seed))
        home = Path(name)
        with own_service(home / "service", home / "seed.yaml", drain=drain, stop=stop) as service:
            yield service


def free_port() -> int:
    """A port that nobody has just now, for those who must know their address before they start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def hello() -> Iterator[Hello]:
    """The yardstick, running. Raises HelloFailed."""
    with tempfile.TemporaryDirectory(prefix="allot-load-") as name:
        log = Path(name) / "log"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "loadtests.hello"],
                stdout=output,
                stderr=output,
                env=environment,
                cwd=name,
                # Ctrl-C is for the command, which then stops it.
                start_new_session=True,
                preexec_fn=end_with_parent(),  # noqa: PLW1509 one system call, prepared before the fork
            )
        try:
            yield Hello(_address(process, log), process.pid)
        finally:
            _stop(process)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where it listens; it does so before it says it."""
    until = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < until and process.poll() is None:
        found = ADDRESS.search(log.read_text())
        if found:
            return found[1]
        time.sleep(0.02)
    raise HelloFailed(f"the yardstick did not start:\n{log.read_text()[-2_000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
