"""Progress on the terminal: a bar for people, a plain line now and then for logs."""

import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

LINE_SECONDS: Final = 5.0
"""How often a log hears of it."""


class _Rate(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


class Progress:
    """Counts steps of `total`; `step` is called after each."""

    def __init__(self, what: str, total: int, console: Console) -> None:
        self._what = what
        self._total = total
        self._console = console
        self._done = 0
        self._began = self._said = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
        self._bar = Bar(*columns, console=console) if console.is_terminal else None
        self._task = self._bar.add_task(what, total=total) if self._bar else None

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task)
        elif time.monotonic() - self._said >= LINE_SECONDS:
            self._said = time.monotonic()
            self._console.print(self.line(), highlight=False)

    def line(self) -> str:
        """How far it is, in words."""
        rate = self._done / max(1e-9, time.monotonic() - self._began)
        left = (self._total - self._done) / rate if rate else 0
        return f"{self._what} {self._done:,} of {self._total:,} · {rate:,.0f}/s · {left:,.0f} s left"

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()
        else:
            self._console.print(self.line(), highlight=False)
