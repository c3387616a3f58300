"""The library that loses what was not fsynced does just that, and its disk is full when it should be."""

import subprocess
import sys
from pathlib import Path

import pytest

from .powercut import MANIFEST, build, cut_power, variables

pytestmark = pytest.mark.needs_compiler

NEW = "fd = os.open('{}', os.O_WRONLY | os.O_CREAT | os.O_APPEND)"
BEGIN = f"import os; os.chdir('appendonlydir'); fd = os.open('{MANIFEST}', os.O_RDONLY); os.fsync(fd)"


@pytest.fixture
def folder(short_home) -> Path:
    """Where a server keeps its files, with a manifest that names one of them."""
    (short_home / "appendonlydir").mkdir()
    (short_home / "appendonlydir" / MANIFEST).write_text("file named seq 1 type i\n")
    return short_home


def run(folder: Path, *lines: str, bytes_max: int | None = None) -> str:
    """What a program says that works in the folder with the library in it."""
    chosen = variables(build(folder), folder / "notes", bytes_max)
    command = [sys.executable, "-c", "\n".join([BEGIN, *lines])]
    return subprocess.run(command, cwd=folder, env=chosen, check=True, capture_output=True, text=True).stdout


def left(folder: Path) -> dict[str, str]:
    files = (folder / "appendonlydir").iterdir()
    return {file.name: file.read_text() for file in files if file.name != MANIFEST}


@pytest.mark.parametrize("sync", ["os.fsync(fd)", "os.fdatasync(fd)"])
def test_what_was_written_after_the_last_fsync_is_lost(folder, sync: str):
    run(folder, NEW.format("a"), "os.write(fd, b'kept')", sync, "os.write(fd, b'lost!')")

    lost = cut_power(folder, folder / "notes")

    assert left(folder) == {"a": "kept"}
    assert lost == len("lost!")


def test_a_file_that_was_never_fsynced_is_gone_and_empty_when_the_manifest_names_it(folder):
    run(folder, NEW.format("a"), "os.write(fd, b'lost')", NEW.format("named"), "os.write(fd, b'lost')")

    cut_power(folder, folder / "notes")

    assert left(folder) == {"named": ""}


def test_a_file_keeps_what_was_fsynced_under_another_name(folder):
    run(folder, NEW.format("new"), "os.write(fd, b'kept')", "os.fsync(fd)", "os.rename('new', 'a')")

    cut_power(folder, folder / "notes")

    assert left(folder) == {"a": "kept"}


@pytest.mark.parametrize("end", ["os.unlink('old')", "os.rename('other', 'old')"])
def test_a_new_file_does_not_inherit_the_fsync_of_one_that_is_gone(folder, end: str):
    old = [NEW.format("old"), "os.write(fd, b'kept')", "os.fsync(fd)", "os.close(fd)", "open('other', 'w').close()"]
    # File systems give the number of a removed file to the next one.
    new = ["for n in range(20):", "    fd = os.open(f'new-{n}', os.O_WRONLY | os.O_CREAT)", "    os.write(fd, b'lost')"]
    run(folder, *old, end, *new)

    cut_power(folder, folder / "notes")

    assert not [name for name in left(folder) if name.startswith("new-")]


def test_what_was_cut_off_after_an_fsync_does_not_come_back(folder):
    first = [NEW.format("a"), "os.write(fd, b'kept, cut')", "os.fsync(fd)", "os.ftruncate(fd, 4)"]
    run(folder, *first, "os.write(fd, b'lost!')")

    cut_power(folder, folder / "notes")

    assert left(folder) == {"a": "kept"}


def test_a_full_disk_takes_the_part_that_fits_and_then_nothing(folder):
    told = run(
        folder,
        NEW.format("a"),
        "print(os.write(fd, b'1234'), os.write(fd, b'5678'))",
        "try: os.write(fd, b'9')",
        "except OSError as error: print(error.strerror)",
        bytes_max=6,
    )

    assert told == "4 2\nNo space left on device\n"
    assert left(folder) == {"a": "123456"}
