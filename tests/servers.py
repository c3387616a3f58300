"""
The real servers tests run against: which are here, how to start one, and what the report says about the others.

A leg is one kind of server. Which legs are present is decided before collection, so a test exists once for each
present leg and a missing one is named in the report instead of being passed over in silence.
"""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.server_process import answers, launch, server_binary

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
READY_SECONDS_MAX = 10.0


@dataclass(frozen=True)
class Leg:
    """A kind of server: `name` is what ALLOT_TEST_REQUIRE asks for, `id` what test ids show."""

    name: str
    title: str
    id: str
    binary: Path | None
    version: str

    @property
    def says(self) -> str:
        if self.binary is None:
            return f"{self.title}: did not run, no {self.id}-server on PATH"
        return f"{self.title} {self.version}"


@cache
def legs() -> tuple[Leg, ...]:
    """Every kind of server the product supports, present or not."""
    return (_valkey(), _redis())


def present() -> tuple[Leg, ...]:
    return tuple(leg for leg in legs() if leg.binary is not None)


def _valkey() -> Leg:
    binary = server_binary()
    return Leg("valkey", "Valkey", "valkey", binary, _version(binary) or "of unknown version")


def _redis() -> Leg:
    found = shutil.which("redis-server")
    # Some systems ship Valkey under this name; that would be the same leg twice.
    version = _version(Path(found), "Redis") if found else None
    if found is None or version is None:
        return Leg("redis", "Redis 7", "redis", None, "")
    return Leg("redis", "Redis", f"redis{version.split('.')[0]}", Path(found), version)


def _version(binary: Path, maker: str = r"\w+") -> str | None:
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(rf"^{maker} server v=(\S+)", said)
    return found[1] if found else None


class Server:
    """One running server in a folder of its own, reached through a unix socket; durable as in production."""

    def __init__(self, leg: Leg, folder: Path | None = None, settings: Mapping[str, str] | None = None) -> None:
        self.leg = leg
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="allot-"))
        self.socket = self.folder / "server.sock"
        self.url = f"unix://{self.socket}"
        self._settings = {"enable-debug-command": "local", **(settings or {})}
        try:
            self.start()
        except RuntimeError:
            self.stop()
            raise

    def start(self) -> None:
        """Start, or start again after `kill` with the data that reached the disk."""
        assert self.leg.binary is not None, self.leg.says
        self.process = launch(self.leg.binary, self.folder, self.socket, settings=self._settings)
        until = time.monotonic() + READY_SECONDS_MAX
        while not answers(self.socket):
            if self.process.poll() is not None or time.monotonic() > until:
                self.kill()
                log = (self.folder / "valkey.log").read_text(errors="replace")[-2000:]
                message = f"{self.leg.says} did not start:\n{log}"
                raise RuntimeError(message)
            time.sleep(0.01)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it in order, and remove its folder if it was made here."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(READY_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.kill()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def shared_data(name: str = "") -> Path | None:
    """A file of the order data beside the checkout, or None where it is not there."""
    path = SHARED / name
    return path if path.exists() else None
