"""
Ctrl-C and SIGTERM for commands that leave nothing behind: the wish is noted, and heard where it can be acted on.

A signal handler that raises does so in the middle of whatever runs at that moment, and some of it swallows what is
raised: a lock that is released after a fork, a finalizer. Then the command would go on as if nobody had asked.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """While it is entered, notes the signals that ask a command to end; for the main thread."""

    def __init__(self) -> None:
        self._number = 0
        self._tell: Callable[[], object] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def leave_if_asked(self) -> None:
        """End the command here, with the exit code of the signal, if one has come."""
        if self._number:
            raise SystemExit(128 + self._number)

    @contextmanager
    def telling(self, tell: Callable[[], object]) -> Iterator[None]:
        """Call `tell` when a signal comes, or at once if one has come. It must not raise and not block."""
        self._tell = tell
        if self._number:
            tell()
        try:
            yield
        finally:
            self._tell = None

    def _note(self, number: int, _: FrameType | None) -> None:
        self._number = number
        if self._tell:
            self._tell()
