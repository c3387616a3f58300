"""
The folder that holds everything an embedded service must not lose: stock, ledger, database, pepper.

A marker file makes it recognisable, so that nobody's home folder is filled or emptied by mistake.
A lock keeps a second service out; the kernel drops it with the process, however the process ends.
"""

import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import Self

MARKER = "allot.json"
LOCK = "allot.lock"
PEPPER = "pepper"
PRODUCT = "allot"
LAYOUT = 1
"""Raised when the files in the folder change their meaning."""


class FolderForeign(Exception):
    """The folder holds files of somebody else."""


class FolderInUse(Exception):
    """Another service works on this folder; `pid` is its process, None if it did not say."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        self.pid = pid
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"{folder} is in use by {who}. Stop it first, or choose another folder with ALLOT_DATA_DIR.")


class DataFolder:
    """One data folder; `claim` before use, `release` after. Its `dataset_id` is made once and stays."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.dataset_id = ""
        self._lock: int | None = None

    def claim(self) -> Self:
        """
        Make the folder if it is missing, lock it and read or write its marker.

        Raises FolderForeign for a folder with files but no marker, FolderInUse while another process holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._refuse_foreign()
        self._lock = self._take_lock()
        try:
            self.dataset_id = self._read_marker() or self._write_marker()
        except BaseException:
            self.release()
            raise
        return self

    def release(self) -> None:
        """Let the next service have the folder; harmless when it is not held."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def pepper(self) -> bytes:
        """
        The secret mixed into stored API keys, made at the first call.

        Raises FolderForeign for a file that others may read or that was cut short: keys would be checked with it.
        """
        path = self.path / PEPPER
        if not path.exists():
            write_durably(path, secrets.token_hex(32).encode())
        pepper = path.read_bytes()
        if len(pepper) < 64 or path.stat().st_mode & 0o077:
            message = f"{path} must be the 64 bytes that were written, readable by its owner alone"
            raise FolderForeign(message)
        return pepper

    def __enter__(self) -> Self:
        return self.claim()

    def __exit__(self, *_: object) -> None:
        self.release()

    def _refuse_foreign(self) -> None:
        names = {path.name for path in self.path.iterdir()}
        # A crash between lock and marker leaves the lock alone: still ours.
        if MARKER in names or names <= {LOCK, f"{MARKER}.new"}:
            return
        some = ", ".join(sorted(names)[:3])
        message = f"{self.path} has files ({some}) but no {MARKER}: choose an empty folder with ALLOT_DATA_DIR."
        raise FolderForeign(message)

    def _take_lock(self) -> int:
        lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(lock, 32).decode().strip()
            os.close(lock)
            raise FolderInUse(self.path, int(pid) if pid.isdigit() else None) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return lock

    def _read_marker(self) -> str | None:
        path = self.path / MARKER
        if not path.exists():
            return None
        try:
            marker = json.loads(path.read_bytes())
            product, layout, dataset_id = marker["product"], marker["layout"], str(marker["dataset_id"])
        except (ValueError, KeyError, TypeError) as error:
            message = f"{path} cannot be read ({error!r}); restore it from a backup of the folder."
            raise FolderForeign(message) from error
        if (product, layout) != (PRODUCT, LAYOUT):
            message = f"{path} belongs to {product} layout {layout}; this is {PRODUCT} layout {LAYOUT}."
            raise FolderForeign(message)
        return dataset_id

    def _write_marker(self) -> str:
        dataset_id = secrets.token_hex(8)
        write_durably(self.path / MARKER, _marker(dataset_id))
        return dataset_id


def found_folder(path: Path, dataset_id: str) -> None:
    """Make a new data folder for a data set that is there already. Raises FolderForeign when it has files."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(path.iterdir()):
        raise FolderForeign(f"{path} has files already: choose a new folder")
    write_durably(path / MARKER, _marker(dataset_id))


def _marker(dataset_id: str) -> bytes:
    return json.dumps({"product": PRODUCT, "layout": LAYOUT, "dataset_id": dataset_id}).encode()


def write_durably(path: Path, content: bytes) -> None:
    """Write a small private file so that after a power cut it is there whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
