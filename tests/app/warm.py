"""
Commands of `allot` from a process that has imported them already.

Starting Python and importing the service takes a second of a processor, a test run does it three hundred times, and
only tests of the start itself learn anything from it. What is forked has imported modules and done nothing else.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from app.cli import COMMANDS

MODULES: Final = ["app.serving", "app.scheduler", "app.working", *{f"app.{name}" for name in COMMANDS.values()}]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(MODULES)


class Warm:
    """One `allot …`, with what tests use of `subprocess.Popen`."""

    def __init__(self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], out: Path, err: Path) -> None:
        self._words = words
        self._process = _context.Process(target=_run, args=(list(words), cwd, dict(env), out, err), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises TimeoutExpired."""
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(list(self._words), timeout or 0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, to a process that may have ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(words: list[str], cwd: Path, env: dict[str, str], out: Path, err: Path) -> None:
    """What `python -m app` does, in the forked process."""
    for number, path in ((1, out), (2, err)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["allot", *words]
    from app.cli import main  # noqa: PLC0415 the process that forks has it already

    main()
