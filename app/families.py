"""What a metric is, and those about the orders of channels."""

from typing import Final, NamedTuple

Labels = tuple[str, ...]


class Family(NamedTuple):
    """One metric: its name, what it means, and the names of its labels."""

    name: str
    help: str
    labels: Labels = ()


PUSH_LAG: Final = Family(
    "allot_push_lag_seconds",
    "From a change in the ledger until a channel had accepted the number, and until it was seen there (applied).",
    ("seller", "connection", "stage"),
)
MENDED: Final = Family(
    "allot_webhooks_mended_total", "Webhooks of channels that had to be made or woken.", ("seller", "connection")
)
ORDERS_WAITING: Final = Family(
    "allot_channel_orders_waiting", "Orders heard from channels that are not taken yet.", ("seller",)
)
ORDERS_WAITING_AGE: Final = Family(
    "allot_oldest_channel_order_seconds", "For how long the oldest of them has waited; 0 when none does.", ("seller",)
)
ORDERS_PARKED: Final = Family(
    "allot_channel_orders_parked", "Orders heard from channels that somebody must look at.", ("seller",)
)
ERRANDS_DEAD: Final = Family(
    "allot_channel_errands_dead", "Shipments and cancellations that a channel does not take.", ("seller",)
)

OF_CHANNELS: Final = (ORDERS_WAITING, ORDERS_WAITING_AGE, ORDERS_PARKED, ERRANDS_DEAD)
"""Gauges about what a seller has that every process reads for itself."""

SYNC: Final = {
    name: Family(f"allot_{name}", meaning, ("seller", "connection"))
    for name, meaning in {
        "unpushed_age_seconds": "For how long the oldest change of a number is not told to a channel; 0 when all are.",
        "dead_listings": "Listings whose number was given up; those that show too many are tried again hourly.",
        "drifted_listings": "Listings that show another number than they were told.",
        "connection_failing": "1 while something keeps a connection from going on.",
    }.items()
}
"""Gauges about how far a channel is behind the stock."""
