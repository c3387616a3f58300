"""Runs `allot` in a process of its own, from another folder, with no settings of ours."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.app.warm import Warm
from tests.servers import ROOT

SECONDS_MAX = 180


def environment() -> dict[str, str]:
    """A caller's environment in which the checkout is installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALLOT_")}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}


def allot(folder: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with these settings alone, in a process that need not import it first."""
    with TemporaryDirectory() as kept:
        out, err = Path(kept, "out"), Path(kept, "err")
        process = Warm(words, cwd=folder, env={**environment(), **settings}, out=out, err=err)
        try:
            code = process.wait(SECONDS_MAX)
        finally:
            process.kill()
        return subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())


def cold(folder: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The same, from the start as people run it; needed too by commands that begin processes of their own."""
    return subprocess.run(
        [sys.executable, "-m", "app", *words],
        cwd=folder,
        env={**environment(), **settings},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


def processes_of(folder: Path) -> list[str]:
    """Command lines of all processes that name the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if str(folder) in words and int(process.name) != os.getpid():
            found.append(words)
    return found
