"""What the demo shows: the numbers of every channel while they move, and the circle's account at the end."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from rich.table import Table

from .demo_burst import SKU
from .demo_circle import Sight
from .fair import SKUS

COLUMNS: Final = (
    *("pushed", "shows", "ATP", "p50 s", "p99 s"),
    *("asked", "sold out", "orders", "taken", "waiting", "calls", "oversold"),
)

CAPTION: Final = "p50, p99: from the ledger until seen there · waiting: sold before the channel heard of the last one"


class Row(NamedTuple):
    """
    One channel. pushed, shown, published: of the bicycle. p50, p99: seconds from the ledger until a number was there,
    None where nothing was pushed. asked: purchases tried; refused: of them by the channel; taken: its orders that are
    exactly one of ours; waiting: units sold before the channel heard that there were none; calls: requests it has had.
    """

    code: str
    pushed: int | None
    shown: int
    published: int
    p50: float | None
    p99: float | None
    asked: int
    refused: int
    taken: int
    waiting: int
    calls: int

    @property
    def orders(self) -> tuple[int, ...]:
        """What can be summed up: asked for, sold out, orders, taken, waiting, calls."""
        return self.asked, self.refused, self.asked - self.refused, self.taken, self.waiting, self.calls


def live_table(sights: Sequence[Sight], phase: str) -> Table:
    """What every channel shows now, and what it should show if that differs."""
    table = Table(title="Units each channel shows (and may promise)", caption=phase, title_justify="left")
    for position, column in enumerate(("", *(sight.code for sight in sights))):
        table.add_column(column, justify="right" if position else "left")
    for sku in SKUS:
        table.add_row(sku, *(_shown(sight.shown[sku], sight.published[sku]) for sight in sights))
    return table


def live_line(sights: Iterable[Sight], phase: str) -> str:
    """The same of the bicycle alone, in a line."""
    numbers = ", ".join(f"{sight.code} {_shown(sight.shown[SKU], sight.published[SKU])}" for sight in sights)
    return f"{phase}: {SKU} is shown by {numbers}"


def _shown(shown: int, published: int) -> str:
    return str(shown) if shown == published else f"{shown} ({published})"


def final_table(rows: Sequence[Row], oversold: int) -> Table:
    """The account of the circle."""
    title = f"The circle; pushed last, shown and ATP: units of {SKU}"
    table = Table(title=title, title_justify="left", caption=CAPTION, caption_justify="left")
    table.add_column("channel", no_wrap=True)
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        numbers = "–" if row.pushed is None else row.pushed, row.shown, row.published
        table.add_row(row.code, *map(str, numbers), _seconds(row.p50), _seconds(row.p99), *map(str, row.orders), "")
    sums = [str(sum(numbers)) for numbers in zip(*[row.orders for row in rows], strict=True)]
    table.add_section()
    table.add_row("all", *[""] * 5, *sums, str(oversold))
    return table


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
