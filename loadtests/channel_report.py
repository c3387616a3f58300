"""What was measured of channels, as tables for people."""

from collections.abc import Sequence

from rich.table import Table

from .channel_orders import Heard
from .channel_pushes import Round


def push_table(rounds: Sequence[Round]) -> Table:
    """Calls and seconds, against the fewest and the least."""
    table = Table(title="Every number another one", title_justify="left")
    for position, column in enumerate(("round", "channel", "calls", "fewest", "others", "shown after s", "least s")):
        table.add_column(column, justify="right" if position > 1 else "left")
    for row in rounds:
        seconds = "never" if row.seconds is None else f"{row.seconds:.1f}"
        table.add_row(
            row.name, row.channel, f"{row.calls:,}", f"{row.fewest:,}", f"{row.other:,}", seconds, f"{row.least:.1f}"
        )
    return table


def order_table(heard: Heard) -> Table:
    """How long orders and webhooks took."""
    table = Table(title="Orders at once, by webhook", title_justify="left")
    names = ("channel", "orders", "taken", "ours p50 ms", "p99", "max", "answered p50 ms", "p99", "max")
    for position, column in enumerate(names):
        table.add_column(column, justify="right" if position else "left")
    for code, bought in heard.bought.items():
        times = [f"{value:,.0f}" for value in (*heard.order_ms[code], *heard.hook_ms[code])]
        table.add_row(code, str(bought), str(heard.taken[code]), *times)
    return table
