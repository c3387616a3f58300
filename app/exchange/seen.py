"""Which keys a file has had, and on which line first: about 20 bytes a key, for a million and more."""

from array import array
from typing import Final

START: Final = 1 << 12
FULL: Final = 0.6
"""The share of the slots that may be taken before there are twice as many."""


class Seen:
    """
    A hash table of 64-bit digests and line numbers in two arrays; a dictionary would take six times as much.

    Two different keys with one digest would be taken for the same: one in 30 million files of a million rows.
    """

    def __init__(self) -> None:
        self._digests = array("Q", bytes(8 * START))
        self._lines = array("I", bytes(4 * START))
        self._count = 0

    def first_line(self, key: tuple[str, ...], line: int) -> int:
        """The line that had the key before, or 0; from now on `line` has had it."""
        digest = hash(key) & 0xFFFF_FFFF_FFFF_FFFF or 1
        slot = self._slot(digest)
        if self._digests[slot]:
            return self._lines[slot]
        self._digests[slot], self._lines[slot] = digest, line
        self._count += 1
        if self._count > FULL * len(self._digests):
            self._grow()
        return 0

    def _slot(self, digest: int) -> int:
        """Where the digest is, or the free slot where it would be."""
        digests = self._digests
        last = len(digests) - 1
        slot = digest & last
        while digests[slot] not in {0, digest}:
            slot = (slot + 1) & last
        return slot

    def _grow(self) -> None:
        digests, lines = self._digests, self._lines
        self._digests = array("Q", bytes(16 * len(digests)))
        self._lines = array("I", bytes(8 * len(lines)))
        for digest, line in zip(digests, lines, strict=True):
            if digest:
                slot = self._slot(digest)
                self._digests[slot], self._lines[slot] = digest, line
