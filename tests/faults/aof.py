"""The append-only file of a server that is not running: its commands, and one byte of it that turns over."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Part(NamedTuple):
    """One argument of a command, and where in the file it is."""

    start: int
    value: bytes


def newest(folder: Path) -> Path:
    """The file that was written to last, of those that have commands."""
    return max((folder / "appendonlydir").glob("*.incr.aof"), key=lambda file: file.stat().st_mtime_ns)


def commands(data: bytes) -> Iterator[list[Part]]:
    """Every command. Notes of the server between them are left out. Raises ValueError when it is not such a file."""
    at = 0
    while at < len(data):
        end = data.index(b"\r\n", at)
        if data[at : at + 1] == b"*":
            count, at = int(data[at + 1 : end]), end + 2
            parts = []
            for _ in range(count):
                end = data.index(b"\r\n", at)
                size = int(data[at + 1 : end])
                parts.append(Part(end + 2, data[end + 2 : end + 2 + size]))
                at = end + 2 + size + 2
            yield parts
        else:
            at = end + 2


def last_value(data: bytes, key: bytes, field: bytes) -> Part:
    """What was put last into a field of a hash. Raises LookupError."""
    found = None
    for parts in commands(data):
        words = [part.value for part in parts]
        if words[0].upper() in {b"HSET", b"HMSET"} and words[1] == key and field in words[2::2]:
            found = parts[words.index(field, 2) + 1]
    if found is None:
        raise LookupError(field)
    return found


def flip(file: Path, position: int, bit: int) -> None:
    """Turn one bit over, as a disk may."""
    with file.open("rb+") as opened:
        opened.seek(position)
        [byte] = opened.read(1)
        opened.seek(position)
        opened.write(bytes([byte ^ (1 << bit)]))
