"""
How a process without a port lets others see that it works: a small file it writes again and again.

`allot health` reads it. A file and not a row in SQL, because the question comes every few seconds, must be answered
without a server, and is about the process on this machine. Age is counted by the monotonic clock, which all processes
of a machine share and nobody can set.
"""

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from .embedded import is_alive, refuse_foreign_owner

AGE_SECONDS_MAX: Final = 30.0
"""Older than that, and the process hangs."""

WRITE_SECONDS: Final = 1.0
"""The same news is not written more often."""


class Health(NamedTuple):
    """Whether a role works here, and in one line why not, or what does."""

    is_good: bool
    says: str


class Pulse:
    """The file of one process of a role."""

    def __init__(self, folder: Path | None, role: str) -> None:
        self._folder = folder or default_folder()
        self._file = self._folder / f"{role}-{os.getpid()}.json"
        self._says: str | None = None
        self._next = 0.0

    def open(self) -> None:
        """Make the folder; remove what processes that are gone have left. Raises OSError, ServerFailed."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_foreign_owner(self._folder)
        for file in self._folder.glob("*-*.json"):
            if not _is_there(file):
                file.unlink(missing_ok=True)

    def beat(self, says: str = "") -> None:
        """The process has done a round; `says` is what is wrong, '' for nothing. A full disk must not end it."""
        now = time.monotonic()
        if says == self._says and now < self._next:
            return
        self._says, self._next = says, now + WRITE_SECONDS
        new = self._file.with_suffix(".new")
        try:
            new.write_text(json.dumps({"at": now, "says": says}))
            new.replace(self._file)
        except OSError:
            # Whoever asks finds the file too old, which is what is wrong.
            return

    def close(self) -> None:
        """The process ends in order."""
        self._file.unlink(missing_ok=True)


def default_folder() -> Path:
    """Where heartbeats are unless a folder was named."""
    return Path(tempfile.gettempdir()) / f"allot-run-{os.getuid()}"


def look(folder: Path | None, role: str) -> Health:
    """How the processes of this role on this machine are; the worst of them counts."""
    files = sorted((folder or default_folder()).glob(f"{role}-*.json"))
    found = [_judge(file, role) for file in files if _is_there(file)]
    if not found:
        return Health(False, f"no {role} runs here")
    return min(found, key=lambda health: health.is_good)


def _judge(file: Path, role: str) -> Health:
    name = f"{role} {_pid(file)}"
    try:
        beat = json.loads(file.read_text())
    except FileNotFoundError:
        return Health(False, f"{name} has just ended")
    age = time.monotonic() - beat["at"]
    if age > AGE_SECONDS_MAX:
        return Health(False, f"{name} has shown no sign of life for {age:.0f} s")
    return Health(not beat["says"], f"{name}: {beat['says'] or 'works'}")


def _is_there(file: Path) -> bool:
    """Whether the process that writes this file runs."""
    pid = _pid(file)
    return pid > 0 and is_alive(pid)


def _pid(file: Path) -> int:
    number = file.stem.rpartition("-")[2]
    return int(number) if number.isdigit() else 0
