"""The service as an operator runs it: a process of its own, started with `allot serve` and stopped with signals."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import httpx

from tests.servers import ROOT

READY_SECONDS_MAX = 30.0
KEY = re.compile(r"^API key.*: (allot_live_\w{12}_\S{43})$", re.MULTILINE)
ADDRESS = re.compile(r"^Allot answers at http://([\d.]+):(\d+) ", re.MULTILINE)

_numbers = count(1)


class Service:
    """One `allot serve`; what it prints is in `said` (standard output) and `logged` (standard error)."""

    def __init__(self, home: Path, *options: object, **variables: str) -> None:
        self.home = home
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ALLOT_")}
        environment |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **variables}
        number = next(_numbers)
        self._out, self._err = home / f"stdout-{number}", home / f"stderr-{number}"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app", "serve", "--data-dir", home / "data", "--port", "0", *map(str, options)],
                cwd=home,
                env=environment,
                stdout=out,
                stderr=err,
            )

    @property
    def said(self) -> str:
        return self._out.read_text()

    @property
    def logged(self) -> str:
        return self._err.read_text()

    @property
    def key(self) -> str | None:
        found = KEY.search(self.said)
        return found[1] if found else None

    @property
    def address(self) -> tuple[str, int]:
        found = ADDRESS.search(self.said)
        assert found, self.said
        return found[1], int(found[2])

    def wait_until_ready(self) -> "Service":
        until = time.monotonic() + READY_SECONDS_MAX
        while not ADDRESS.search(self.said):
            assert self.process.poll() is None, self.logged
            assert time.monotonic() < until, self.logged
            time.sleep(0.02)
        while self._is_checking():
            assert time.monotonic() < until, self.logged
            time.sleep(0.05)
        return self

    def _is_checking(self) -> bool:
        """Whether its worker has yet to compare a store that was there before."""
        with self.client() as client:
            return "one by one" in client.get("/readyz").json()["gate"]

    def client(self, key: str | None = None) -> httpx.Client:
        host, port = self.address
        headers = {"Authorization": f"Bearer {key or self.key}"}
        return httpx.Client(base_url=f"http://{host}:{port}", headers=headers)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=10)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to end; its exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        return self.process.wait(READY_SECONDS_MAX)

    def valkey_pid(self) -> int:
        """The process of its embedded server, from the log."""
        found = re.search(r'"pid": (\d+)', self.logged)
        assert found, self.logged
        return int(found[1])


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
