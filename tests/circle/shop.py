"""The seller of the circle: three locations, five channels, thirty skus, and what each channel lists of them."""

from collections.abc import Mapping
from random import Random
from typing import Any, Final, NamedTuple

from allocator import Channel, ChannelLocation, Config, Location, Rule, SkuConfig
from channels.sandbox.market import SECRETS

SELLER: Final = "main"
SKUS: Final = tuple(f"S{number:02d}" for number in range(1, 31))
HOT: Final = SKUS[0]
"""What everybody wants at once."""

LOCATIONS: Final = ("oslo", "rome", "kyiv")
STORE: Final = "oslo"
"""Where the tills are."""

PUBLIC: Final = "https://allot.test"
GROSS: Final = "woocommerce"
"""The connection whose channel takes its open orders off by itself."""

SPREAD: Final = "ebay"
"""The connection whose channel is told numbers by its own places."""

PLACES: Final[Mapping[str, Mapping[str, str]]] = {"pos": {"STORE1": STORE}, SPREAD: {"E1": "oslo", "E2": "rome"}}
"""Channels' own ids of places."""


class Listed(NamedTuple):
    """A listing of a channel: its id there, what it is of, and how many units of that are one of it."""

    listing: str
    sku: str
    pack: int = 1


class Stand(NamedTuple):
    """
    A channel and the connection to it, which have one name.

    counts: what its number means. settings and secrets: the connection's.
    """

    name: str
    listings: tuple[Listed, ...]
    settings: Mapping[str, Any]
    secrets: Mapping[str, str]
    counts: str = "net"

    @property
    def channel(self) -> str:
        """Our channel."""
        return self.name


def stands() -> list[Stand]:
    """One of each kind of channel."""
    amazon = {
        "url": "http://amazon.test",
        "login": "http://amazon.test",
        "seller": "A1",
        "marketplaces": ["ATVPDKIKX0DER"],
    }
    amazon["queue"] = "arn:aws:sqs:us-east-1:123456789012:allot"
    return [
        Stand("amazon", _same(SKUS), amazon, SECRETS["amazon"]),
        Stand("ebay", _same(SKUS[:20]), {"url": "http://ebay.test", "seller": "u-1"}, SECRETS["ebay"]),
        Stand("pos", _same(SKUS), {"address": "http://pos.test/stock"}, SECRETS["pos"]),
        Stand(
            "shopify", _numbered(11, packs=True), {"url": "http://shopify.test", "location": "105"}, SECRETS["shopify"]
        ),
        Stand("woocommerce", _numbered(733), {"url": "http://woocommerce.test"}, SECRETS["woocommerce"], "gross"),
    ]


def _same(skus: tuple[str, ...]) -> tuple[Listed, ...]:
    return tuple(Listed(sku, sku) for sku in skus)


def _numbered(first: int, *, packs: bool = False) -> tuple[Listed, ...]:
    """Each sku by a number; with `packs` every fifth is sold by twos, and the first one by threes as well."""
    listed = [Listed(str(first + at), sku, 2 if packs and at % 5 == 4 else 1) for at, sku in enumerate(SKUS)]
    return (*listed, Listed(str(first + len(SKUS)), HOT, 3)) if packs else tuple(listed)


def config() -> Config:
    """Locations, channels and rules; orders of channels are never refused, and goods that are gone are gone."""
    web = [ChannelLocation(code=code) for code in LOCATIONS]
    channels = [
        Channel(code="pos", kind="pos", rank=1, demand="gone", locations=[ChannelLocation(code=STORE, own_shelf=True)]),
        Channel(code="shopify", rank=2, demand="firm", locations=web, pending_minutes=5),
        Channel(code="woocommerce", rank=3, demand="firm", locations=web, pending_minutes=5),
        Channel(code="amazon", kind="marketplace", rank=4, demand="firm", locations=web, pending_minutes=30),
        Channel(code="ebay", kind="marketplace", rank=5, demand="firm", locations=web[:2], pending_minutes=5),
    ]
    rules = [Rule(kind="safety_stock", sku=sku, location="kyiv", units=1) for sku in SKUS[5:10]]
    rules += [Rule(kind="buffer", channel="amazon", sku=sku, units=1) for sku in SKUS[10:14]]
    places = [Location(code=code, country="NO", priority=number) for number, code in enumerate(LOCATIONS, 1)]
    return Config(locations=places, channels=channels, skus=[SkuConfig(sku=sku) for sku in SKUS], rules=rules)


def first_stock(chance: Random) -> list[tuple[str, str, int]]:
    """What lies where at first: (sku, location, units); few of most things, so that everybody wants the same."""
    return [(sku, place, chance.randint(1, 6)) for sku in SKUS for place in LOCATIONS if chance.random() < 0.8]
