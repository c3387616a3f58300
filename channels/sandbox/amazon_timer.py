"""What Amazon's sandbox does later, by its own clock."""

import heapq
import itertools
from collections.abc import Callable


class Timer:
    """Its clock, its numbers (from behind `after`), and what is to be done when."""

    def __init__(self, now_ms: Callable[[], int], after: int = 0) -> None:
        self.now_ms = now_ms
        self._numbers = itertools.count(after + 1_001)
        self._due: list[tuple[int, int, Callable[[], None]]] = []

    def number(self) -> int:
        """A number nothing else has."""
        return next(self._numbers)

    def later(self, wait_ms: int, act: Callable[[], None]) -> None:
        """Do it then."""
        heapq.heappush(self._due, (self.now_ms() + wait_ms, self.number(), act))

    def catch_up(self) -> None:
        """Do what was to be done by now."""
        while self._due and self._due[0][0] <= self.now_ms():
            heapq.heappop(self._due)[2]()
