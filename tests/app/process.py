"""The service as an operator runs it: processes of their own, one or one for each role, stopped with signals."""

import os
import re
import signal
import socket
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Self

import httpx

from tests.app.warm import Warm
from tests.servers import ROOT

READY_SECONDS_MAX = 30.0
KEY = re.compile(r"^API key.*: (allot_live_\w{12}_\S{43})$", re.MULTILINE)
ADDRESS = re.compile(r"^Allot answers at http://([\d.]+):(\d+) ", re.MULTILINE)

_numbers = count(1)


class Program:
    """One `allot …`; what it prints is in `said` (standard output) and `logged` (standard error)."""

    def __init__(self, home: Path, *words: object, **variables: str) -> None:
        self.home = home
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ALLOT_")}
        environment |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **variables}
        number = next(_numbers)
        self._out, self._err = home / f"stdout-{number}", home / f"stderr-{number}"
        for path in (self._out, self._err):
            path.touch()
        self.process = Warm([*map(str, words)], cwd=home, env=environment, out=self._out, err=self._err)

    @property
    def said(self) -> str:
        return self._out.read_text()

    @property
    def logged(self) -> str:
        return self._err.read_text()

    @property
    def address(self) -> tuple[str, int]:
        found = ADDRESS.search(self.said)
        assert found, self.said
        return found[1], int(found[2])

    def wait_until_ready(self) -> Self:
        """Until it answers HTTP, and its store is open."""
        self.wait_until(lambda: ADDRESS.search(self.said))
        self.wait_until(lambda: not self._is_checking())
        return self

    def wait_until_logged(self, event: str) -> Self:
        self.wait_until(lambda: f'"event": "{event}"' in self.logged)
        return self

    def wait_until(self, happened: Callable[[], object]) -> None:
        until = time.monotonic() + READY_SECONDS_MAX
        while not happened():
            assert self.process.poll() is None, self.logged
            assert time.monotonic() < until, self.logged
            time.sleep(0.02)

    def _is_checking(self) -> bool:
        """Whether a worker has yet to compare a store that was there before."""
        host, port = self.address
        return "one by one" in httpx.get(f"http://{host}:{port}/readyz", timeout=10).json()["gate"]

    def client(self, key: str) -> httpx.Client:
        host, port = self.address
        return httpx.Client(base_url=f"http://{host}:{port}", headers={"Authorization": f"Bearer {key}"})

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to end; its exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        return self.process.wait(READY_SECONDS_MAX)


class Service(Program):
    """One `allot serve`."""

    def __init__(self, home: Path, *options: object, **variables: str) -> None:
        super().__init__(home, "serve", "--data-dir", home / "data", "--port", "0", *options, **variables)

    @property
    def key(self) -> str | None:
        found = KEY.search(self.said)
        return found[1] if found else None

    def client(self, key: str | None = None) -> httpx.Client:
        return super().client(key or str(self.key))

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=10)

    def valkey_pid(self) -> int:
        """The process of its embedded server that was started last, from the log."""
        found = re.findall(r'"pid": (\d+)[^\n]*"event": "valkey_(?:started|adopted|started_again)"', self.logged)
        assert found, self.logged
        return int(found[-1])


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
