"""
The shop a replay is played in: warehouses, stores and four channels that all sell from each other's shelves.

Each way of letting channels compete is there once, so that a replay meets it: buffers, safety stock that tills may
sell, ring-fenced units of the best sellers, and a channel that may borrow them.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import yaml

from allocator.config import Channel, ChannelLocation, Config, Location, Rule, SkuConfig
from app.seed import Seed, SeedQuota

from .order_file import Invoice
from .plan import Plan
from .split import Split

BEST_SELLERS: Final = 100
"""Articles with ring-fenced units."""


class Places(NamedTuple):
    """Codes of the locations, most preferred first."""

    warehouses: tuple[str, ...]
    stores: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        return self.warehouses + self.stores


def make_places(count: int) -> Places:
    """Half of the locations are warehouses, half stores; the odd one is a warehouse. `count` is at least 2."""
    stores = count // 2
    return Places(
        tuple(f"warehouse-{number + 1}" for number in range(count - stores)),
        tuple(f"store-{number + 1}" for number in range(stores)),
    )


def make_shop(invoices: Iterable[Invoice], places: Places, plan: Plan) -> Seed:
    """The whole shop without stock: that is received, so that a replay knows of every unit."""
    skus = sorted({line.sku for invoice in invoices for line in (*invoice.ordered, *invoice.returned)})
    return Seed(
        locations=_locations(places),
        channels=_channels(places),
        skus=[SkuConfig(sku=sku) for sku in skus],
        rules=_rules(places),
        quotas=_quotas(places, plan),
    )


def write_shop(shop: Seed, path: Path) -> None:
    """Write the shop for `allot serve --seed`."""
    document = {field: msgspec.to_builtins(getattr(shop, field)) for field in (*Config.__struct_fields__, "quotas")}
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "utf-8")


def _locations(places: Places) -> list[Location]:
    warehouses = [Location(code=code, kind="warehouse", priority=1) for code in places.warehouses]
    return warehouses + [Location(code=code, kind="store", priority=2) for code in places.stores]


def _channels(places: Places) -> list[Channel]:
    everywhere = [ChannelLocation(code=code) for code in places.all]
    warehouses = everywhere[: len(places.warehouses)]
    counters = [ChannelLocation(code=code, own_shelf=True) for code in places.stores]
    by_priority = ("priority", "channel_rank")
    return [
        # Two parcels at most: customers of the web shop get refusals for the route as well.
        Channel(
            code="shop", kind="shop", rank=1, demand="promise", overflow="borrow", split_limit=2, locations=everywhere
        ),
        Channel(code="tills", kind="pos", rank=2, demand="gone", overflow="shared", locations=counters),
        Channel(code="amazon", kind="marketplace", rank=3, demand="firm", locations=everywhere, routing=by_priority),
        Channel(code="ebay", kind="marketplace", rank=4, demand="firm", locations=warehouses, routing=by_priority),
    ]


def _rules(places: Places) -> list[Rule]:
    buffers = [
        Rule(kind="buffer", channel="amazon", percent_bp=500),
        Rule(kind="buffer", channel="ebay", units=1, percent_bp=1_000),
    ]
    return buffers + [Rule(kind="safety_stock", location=code, units=2) for code in places.stores]


def _quotas(places: Places, plan: Plan) -> list[SeedQuota]:
    """Best sellers: a fifth of what opens in the first warehouse is for the shop, half in each store for its tills."""
    fenced = [(places.warehouses[0], "shop", 5), *((store, "tills", 2) for store in places.stores)]
    return [quota for location, channel, part in fenced for quota in _fence(plan, location, channel, part)]


def _fence(plan: Plan, location: str, channel: str, part: int) -> list[SeedQuota]:
    """Ring-fence one unit in `part` of the best sellers there."""
    opening = Counter({receipt.sku: receipt.units for receipt in plan.weeks[0] if receipt.location == location})
    return [
        SeedQuota(sku=sku, location=location, channel=channel, units=units // part)
        for sku, units in opening.most_common(BEST_SELLERS)
        if units >= part
    ]


def make_split(seed: int, places: Places) -> Split:
    """The deal of invoices to this shop's channels."""
    return Split(seed, places.warehouses, places.stores)
