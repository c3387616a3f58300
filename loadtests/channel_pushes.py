"""Every number of every channel is another one: how many calls it takes until all are shown, and how long."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from math import ceil
from typing import Final, NamedTuple

from rich.console import Console

from app.demo_circle import CHANNELS, Circle
from channels import CHANNELS as CONNECTORS

POLL_SECONDS: Final = 0.5
SECONDS_MAX: Final = 900.0

PUSHING: Final = {
    "amazon": {"patchListingsItem", "searchListingsItems", "createFeedDocument", "createFeed"}
    | {"getFeed", "getFeedDocument", "getListingsItem"},
    "ebay": {"push", "read", "offers"},
    "pos": {"push", "read"},
    "shopify": {"SetQuantities", "Levels"},
    "woocommerce": {"push", "read"},
}
"""The calls of each sandbox that numbers are for; the others are about orders, webhooks and comparing everything."""

LOOKED_UP: Final = 20
"""Listings of one search at Amazon, which has to say of each once who ships it."""


class Round(NamedTuple):
    """
    One channel's part of a round. calls: for numbers; fewest: that its batches allow; other: all the rest meanwhile.
    seconds: until all was shown, None when it never was; least: that its limits allow.
    """

    name: str
    channel: str
    calls: int
    fewest: int
    other: int
    seconds: float | None
    least: float

    @property
    def shows_all(self) -> bool:
        """Whether every number was shown in the end."""
        return self.seconds is not None


async def push_all(  # noqa: PLR0917 what a round is
    circle: Circle,
    names: Sequence[str],
    name: str,
    units: int,
    change: Callable[[], Awaitable[None]],
    feed_s: float,
    notes: Console,
) -> list[Round]:
    """Make the change, and watch every channel until it shows `units` of all."""
    before = {code: len(circle.buyers.stalls[code].sandbox.calls) for code in CHANNELS}
    began = time.monotonic()
    await change()
    took: dict[str, float] = {}
    spent: dict[str, Counter[str]] = {}
    while len(took) < len(CHANNELS) and time.monotonic() - began < SECONDS_MAX:
        await asyncio.sleep(POLL_SECONDS)
        for code in CHANNELS.keys() - took.keys():
            if shows(circle, code, names, units):
                took[code] = time.monotonic() - began
                spent[code] = Counter(circle.buyers.stalls[code].sandbox.calls[before[code] :])
                notes.print(f"{name}: {code} shows all after {took[code]:.1f} s")
    rows = []
    for code in CHANNELS:
        calls = spent.get(code) or Counter(circle.buyers.stalls[code].sandbox.calls[before[code] :])
        used = sum(times for call, times in calls.items() if call in PUSHING[code])
        fewest, least_s = least(code, len(names), is_first=name == "first", feed_s=feed_s)
        seconds = round(took[code], 1) if code in took else None
        rows.append(Round(name, code, used, fewest, calls.total() - used, seconds, round(least_s, 1)))
    return rows


def shows(circle: Circle, code: str, names: Sequence[str], units: int) -> bool:
    """Whether the channel shows so many of each; the last first, which mostly says it all."""
    return all(circle.buyers.shows(code, sku) == units for sku in reversed(names))


def least(code: str, skus: int, *, is_first: bool, feed_s: float) -> tuple[int, float]:
    """The fewest calls for so many numbers, and the least seconds that the channel's limits leave for them."""
    facts = CONNECTORS[code].facts
    pushes = ceil(skus / facts.batch)
    match code:
        case "amazon" if facts.bulk_from <= skus:
            searches = ceil(skus / LOOKED_UP) if is_first else 0
            # A document, its feed, one look at what became of it, and the report.
            return searches + 4, _wait_s(facts.rates["search"], searches) + feed_s
        case "amazon":
            searches = ceil(skus / LOOKED_UP) if is_first else 0
            return searches + skus, _wait_s(facts.rates["push"], skus)
        case "ebay":
            # It is looked at before it is set, and asked once for the offers of each sku.
            calls = 2 * pushes + (skus if is_first else 0)
            return calls, _wait_s(facts.rates["inventory"], calls)
        case "shopify":
            return pushes, _wait_s(facts.rates["points"], 12 * pushes)
    return pushes, 0.0


def _wait_s(rate: tuple[float, float], calls: int) -> float:
    per_second, burst = rate
    return max(0.0, calls - burst) / per_second
