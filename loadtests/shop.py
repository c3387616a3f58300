"""
The shop that is measured: four locations, four channels with buffers, rankings that need the ship-to, and any number
of skus, a tenth of them with rules of their own and a tenth with a ring-fence.

Hot skus come with the seed, all others from `fill`: their number is what a benchmark varies.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from allocator import Rule, SkuConfig, StockLine

LOCATIONS: Final[list[dict[str, Any]]] = [
    {"code": "oslo", "country": "NO", "region": "oslo", "latitude": 59.91, "longitude": 10.75},
    {"code": "rome", "country": "IT", "region": "lazio", "latitude": 41.90, "longitude": 12.50},
    {"code": "lima", "country": "PE", "region": "lima", "latitude": -12.05, "longitude": -77.04},
    {"code": "cairo", "country": "EG", "region": "cairo", "latitude": 30.04, "longitude": 31.24},
]
CODES: Final = [str(location["code"]) for location in LOCATIONS]

CHANNELS: Final = {"shop": "promise", "b2b": "promise", "amazon": "firm", "ebay": "firm"}

RULES: Final[list[dict[str, Any]]] = [
    {"kind": "safety_stock", "units": 2},
    {"kind": "buffer", "channel": "shop", "units": 3},
    {"kind": "buffer", "channel": "b2b", "units": 5},
    {"kind": "buffer", "channel": "amazon", "percent_bp": 500},
    {"kind": "buffer", "channel": "ebay", "units": 4, "percent_bp": 1000},
    {"kind": "cutoff", "channel": "ebay", "units": 2},
]

SHIP_TOS: Final[list[dict[str, Any]]] = [
    {"country": "NO", "region": "vestland", "latitude": 60.39, "longitude": 5.32},
    {"country": "IT", "region": "lombardia", "latitude": 45.46, "longitude": 9.19},
    {"country": "PE", "region": "cusco", "latitude": -13.53, "longitude": -71.97},
    {"country": "EG", "region": "cairo", "latitude": 30.06, "longitude": 31.25},
    {"country": "DE", "region": "berlin", "latitude": 52.52, "longitude": 13.40},
]

HOT_STOCK: Final = 100
"""Units of a burst's sku, over all locations; no rule keeps any of them back."""

TENTH: Final = 10
"""Every tenth sku has rules, every tenth a quota: not the same ones."""

QUOTA_UNITS: Final = 20


class Quota(NamedTuple):
    """Units ring-fenced for one channel at one location."""

    sku: str
    location: str
    channel: str
    units: int


def sku_name(number: int) -> str:
    """The sku of this number, from 0."""
    return f"SKU-{number:07}"


def hot_sku(number: int) -> str:
    """The sku of one burst, from 0."""
    return f"HOT-{number:03}"


def make_seed(hot: int) -> dict[str, Any]:
    """The seed of a service: everything but the skus that `fill` makes, and one hot sku for every burst."""
    hots = [hot_sku(number) for number in range(hot)]
    shelves = [{"code": code} for code in CODES]
    return {
        "locations": LOCATIONS,
        "channels": [
            {
                "code": code,
                "demand": demand,
                "rank": rank,
                "locations": shelves,
                "routing": ["region_match", "distance", "channel_rank"],
            }
            for rank, (code, demand) in enumerate(CHANNELS.items(), 1)
        ],
        "skus": [{"sku": sku} for sku in hots],
        "rules": [*RULES, *(rule for sku in hots for rule in _free_of_rules(sku))],
        "stock": [{"sku": sku, "location": code, "units": HOT_STOCK // len(CODES)} for sku in hots for code in CODES],
    }


def _free_of_rules(sku: str) -> list[dict[str, Any]]:
    """The rules of the sku itself win over those of its channel and location: every unit can be sold."""
    return [{"kind": "safety_stock", "sku": sku}, *({"kind": "buffer", "sku": sku, "channel": c} for c in CHANNELS)]


class Batch(NamedTuple):
    """Neighbouring skus with all that belongs to them."""

    skus: list[SkuConfig]
    rules: list[Rule]
    stock: list[StockLine]
    quotas: list[Quota]


def batches(skus: int, units: int, size: int) -> Iterator[Batch]:
    """The skus 0 to `skus`, with `units` at every location, `size` at a time."""
    for start in range(0, skus, size):
        numbers = range(start, min(start + size, skus))
        yield Batch(
            skus=[SkuConfig(sku=sku_name(number)) for number in numbers],
            rules=[rule for number in numbers if number % TENTH == 0 for rule in _rules(sku_name(number))],
            stock=[StockLine(sku_name(number), code, units) for number in numbers for code in CODES],
            quotas=[
                Quota(sku_name(number), CODES[number // TENTH % len(CODES)], "amazon", QUOTA_UNITS)
                for number in numbers
                if number % TENTH == 1
            ],
        )


def _rules(sku: str) -> list[Rule]:
    return [
        Rule(kind="safety_stock", sku=sku, units=5),
        Rule(kind="buffer", sku=sku, channel="shop", units=2),
        Rule(kind="max_published", sku=sku, channel="ebay", units=25),
    ]
