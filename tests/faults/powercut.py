"""Builds powercut.c, puts it into a server, and does to the server's files what a power cut would have done."""

import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from tests.servers import Leg, present

from .compiler import compiler

SOURCE: Final = Path(__file__).with_name("powercut.c")
MANIFEST: Final = "appendonly.aof.manifest"


class Wired(NamedTuple):
    """A kind of server with the library in it, and the file of its notes."""

    leg: Leg
    notes: Path


def wire(home: Path, *, bytes_max: int | None = None) -> Wired:
    """
    A server that notes what it has fsynced, and finds its disk full after `bytes_max` bytes.

    It is a script that starts the real one in its own place: the library comes before the one that `launch` may have
    chosen, and the process is the same. Raises CalledProcessError when the library cannot be built.
    """
    notes, program, leg = home / "powercut.notes", home / "wired-server", present()[0]
    chosen = variables(build(home), notes, bytes_max)
    library = chosen.pop("LD_PRELOAD")
    lines = ["#!/bin/sh", *(f"export {name}={shlex.quote(value)}" for name, value in chosen.items())]
    lines += [f'export LD_PRELOAD={shlex.quote(library)}"${{LD_PRELOAD:+:$LD_PRELOAD}}"']
    lines += [f'exec {shlex.quote(str(leg.binary))} "$@"', ""]
    program.write_text("\n".join(lines))
    program.chmod(0o700)
    return Wired(replace(leg, binary=program), notes)


def build(home: Path) -> Path:
    """The library. Raises CalledProcessError when it cannot be built."""
    library = home / "powercut.so"
    subprocess.run([str(compiler()), "-shared", "-fPIC", "-O1", "-Wall", "-o", library, SOURCE, "-ldl"], check=True)
    return library


def variables(library: Path, notes: Path, bytes_max: int | None = None) -> dict[str, str]:
    """The environment that puts the library into a program and says what it shall do there."""
    limit = {} if bytes_max is None else {"POWERCUT_BYTES": str(bytes_max)}
    return {"LD_PRELOAD": str(library), "POWERCUT_NOTES": str(notes), **limit}


def cut_power(folder: Path, notes: Path) -> int:
    """
    Leave of every append-only file what was fsynced; the number of bytes that are lost.

    A file that never was is removed, unless the manifest names it: with the manifest its folder was fsynced, so its
    name is there and nothing in it.
    """
    synced, lost = _synced(notes), 0
    files = sorted((folder / "appendonlydir").iterdir())
    named = _named(folder / "appendonlydir" / MANIFEST)
    for file in files:
        status = file.stat()
        kept = min(synced.get((status.st_dev, status.st_ino), -1), status.st_size)
        lost += status.st_size - max(kept, 0)
        if kept >= 0 or file.name in named:
            with file.open("rb+") as opened:
                opened.truncate(max(kept, 0))
        else:
            file.unlink()
    return lost


def _named(manifest: Path) -> set[str]:
    """Lines are `file NAME seq NUMBER type LETTER`."""
    return {line.split()[1] for line in manifest.read_text().splitlines()}


def _synced(notes: Path) -> dict[tuple[int, int], int]:
    """Bytes that the last fsync of each file covered."""
    synced: dict[tuple[int, int], int] = {}
    for what, file, size in _events(notes):
        if what == "synced":
            synced[file] = size
        elif what == "cut" and file in synced:
            synced[file] = min(synced[file], size)
        elif what == "gone":
            synced.pop(file, None)
    return synced


def _events(notes: Path) -> Iterator[tuple[str, tuple[int, int], int]]:
    for line in notes.read_text().splitlines():
        what, device, inode, size = line.split()
        yield what, (int(device), int(inode)), int(size)
