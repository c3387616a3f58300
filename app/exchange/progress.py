"""Progress of a table: a bar for people, a plain line now and then for logs."""

import time
from contextlib import AbstractContextManager
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

LINE_SECONDS: Final = 5.0
"""How often a log hears of it."""

SHOW_SECONDS: Final = 0.2


class RowProgress(AbstractContextManager["RowProgress"]):
    """Tells how many rows are done, how many a second, and the time left by how much of the file is."""

    def __init__(self, what: str, console: Console, *, unit: str = "rows") -> None:
        self._what = what
        self._unit = unit
        self._console = console
        self._rows = self._done = self._total = 0
        self._opened = self._began = self._said = time.monotonic()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rows]:,} " + unit + " · {task.fields[rate]:,.0f}/s"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=console, transient=True) if console.is_terminal else None
        self._task = self._bar.add_task(what, total=None, rows=0, rate=0.0) if self._bar else None

    @property
    def seconds(self) -> float:
        """Since it began, with everything that was done."""
        return max(1e-9, time.monotonic() - self._opened)

    @property
    def _seconds_of_this(self) -> float:
        return max(1e-9, time.monotonic() - self._began)

    def say(self, what: str) -> None:
        """From here on this is done."""
        if what != self._what:
            self._what, self._began = what, time.monotonic()
            if self._bar is not None and self._task is not None:
                self._bar.update(self._task, description=what)

    def show(self, rows: int, done: int, total: int) -> None:
        """`rows` are finished; `done` of `total` of the file, 0 where nobody knows."""
        self._rows, self._done, self._total = rows, done, total
        pause = SHOW_SECONDS if self._bar else LINE_SECONDS
        if time.monotonic() - self._said < pause:
            return
        self._said = time.monotonic()
        if self._bar is not None and self._task is not None:
            rate = rows / self._seconds_of_this
            self._bar.update(self._task, completed=done, total=total or None, rows=rows, rate=rate)
        else:
            self._console.print(self.line(), highlight=False, markup=False)

    def line(self) -> str:
        """How far it is, in words."""
        words = [f"{self._what}: {self._rows:,} {self._unit}", f"{self._rows / self._seconds_of_this:,.0f}/s"]
        if self._done and self._total:
            left = self._seconds_of_this * (self._total - self._done) / self._done
            words += [f"{self._done / self._total:.0%}", f"{left:,.0f} s left"]
        return " · ".join(words)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()
