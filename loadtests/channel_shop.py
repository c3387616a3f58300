"""The shop that trades on all channels: three stores, five channels, and any number of skus, all listed everywhere."""

from collections.abc import Iterator
from typing import Any, Final

from app.demo_circle import CHANNELS, STORES

UNITS: Final = 500
"""Of each sku at first, all in Amsterdam: buyers never want more."""

SECOND_UNITS: Final = 100
"""What comes when every number is to change."""

FIRST_IDS: Final = {"shopify": 11, "woocommerce": 733}
"""Channels that number what they sell, and the first number in their sandbox."""


def sku_names(skus: int) -> list[str]:
    """The skus, in the order in which sandboxes number them."""
    return [f"SKU-{number:05}" for number in range(skus)]


def make_shop(skus: int) -> dict[str, Any]:
    """The seed of the service."""
    names, places = sku_names(skus), list(STORES.values())
    return {
        "locations": [{"code": code, "country": "NL"} for code in places],
        "channels": [_channel(code, rank, places) for rank, code in enumerate(CHANNELS.values(), 1)],
        "skus": [{"sku": sku} for sku in names],
        "listings": list(_listings(names)),
        "stock": [{"sku": sku, "location": places[0], "units": UNITS} for sku in names],
    }


def _channel(code: str, rank: int, places: list[str]) -> dict[str, Any]:
    demand = "gone" if code == "tills" else "firm"
    return {"code": code, "demand": demand, "rank": rank, "locations": [{"code": place} for place in places]}


def _listings(names: list[str]) -> Iterator[dict[str, Any]]:
    for connector, channel in CHANNELS.items():
        first = FIRST_IDS.get(connector)
        for number, sku in enumerate(names, first or 0):
            yield {"channel": channel, "listing": sku if first is None else str(number), "sku": sku}
