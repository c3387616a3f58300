"""All sandboxes beside one another, selling the same articles, with buyers; for trying things out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, TypeVar

import httpx
import msgspec

from channels.amazon import AmazonSecrets, AmazonSettings
from channels.ebay import EbaySecrets
from channels.pos import PosSecrets
from channels.shopify import ShopifySecrets
from channels.woocommerce import WooSecrets

from .amazon import AmazonSandbox
from .ebay import EbaySandbox
from .pos import PATH, PosSandbox
from .shopify import ShopifySandbox
from .webhooks import Courier, Message, send_over
from .woocommerce import Product, WooSandbox

T = TypeVar("T")

NAMES: Final = ("amazon", "ebay", "pos", "shopify", "woocommerce")
"""The sandboxes there are, each named as its connector."""

UNITS: Final = 10
"""What each article shows before anybody has pushed a number."""

UNITS_MAX: Final = 3
"""Most units of one purchase."""

LOCATION: Final = "105"
STORE: Final = "STORE1"
NOTICES: Final = {
    "queue": "arn:aws:sqs:eu-west-1:123456789012:allot",
    "bus_account": "123456789012",
    "bus_region": "eu-west-1",
}
"""Where Amazon's notifications go; somebody forwards them from there."""

FAULTS: Final = ("outage", "throttle", "lose", "page")

SECRETS: Final[Mapping[str, Mapping[str, str]]] = {
    "amazon": {
        "client_id": "amazon-id",
        "client_secret": "amazon-secret",
        "refresh_token": "amazon-refresh",
        "webhook_secret": "amazon-knock",
    },
    "ebay": {
        "client_id": "ebay-id",
        "client_secret": "ebay-secret",
        "refresh_token": "ebay-refresh",
        "verification_token": "ebay-verification-token-0123456789",
    },
    "pos": {"signing_secret": "till-secret"},
    "shopify": {"client_id": "shopify-id", "client_secret": "shopify-secret"},
    "woocommerce": {"consumer_key": "ck_sandbox", "consumer_secret": "cs_sandbox", "webhook_secret": "woo-secret"},
}
"""What lets one in; nobody's secrets."""


@dataclass(frozen=True)
class Stall:
    """
    One sandbox: what it is called, the connection that leads to it, and its id of each sku that it sells.

    `settings` and `secrets` are what PUT /v1/connections/{code} takes.
    """

    name: str
    sandbox: Any
    settings: dict[str, Any]
    listings: Mapping[str, str]

    @property
    def secrets(self) -> Mapping[str, str]:
        """What lets one in."""
        return SECRETS[self.name]

    def visit(self, chance: Random) -> str:
        """Somebody buys something that is shown; the order's id, '' when what he wanted was sold out."""
        listing = self.listings[chance.choice(sorted(self.listings))]
        try:
            return str(self.sandbox.buys(listing, chance.randint(1, UNITS_MAX)))
        except ValueError:
            return ""

    def go_wrong(self, chance: Random) -> None:
        """The next request goes wrong, one way or another."""
        getattr(self.sandbox.faults, chance.choice(FAULTS))[""] += 1


@dataclass(frozen=True)
class Market:
    """
    What all sandboxes have in common: the articles, where each answers (`urls`, by name), and how it tells of things.

    service, key: where tills and Amazon's notifications send to, which is agreed elsewhere; '' for nowhere. after: ids
    are numbered from behind it.
    """

    skus: Sequence[str]
    urls: Mapping[str, str]
    now_ms: Callable[[], int]
    http: httpx.AsyncClient
    chance: Random
    service: str = ""
    key: str = ""
    after: int = 0

    def stalls(self) -> list[Stall]:
        """One of each."""
        return [self._amazon(), self._ebay(), self._pos(), self._shopify(), self._woocommerce()]

    def _courier(self) -> Courier:
        async def send(message: Message) -> int:
            return await send_over(self.http, message) if message.url else 200

        return Courier(send, self.chance)

    async def _ask(self, url: str) -> bytes:
        try:
            return (await self.http.get(url)).content
        except httpx.HTTPError:
            return b""

    def _amazon(self) -> Stall:
        url = self.urls["amazon"]
        told = {"url": url, "login": url, "seller": "A1SELLER", "marketplaces": ["ATVPDKIKX0DER"], **NOTICES}
        secrets, settings = self._secrets("amazon", AmazonSecrets), msgspec.convert(told, AmazonSettings)
        sandbox = AmazonSandbox(self._courier(), self.now_ms, secrets, settings, after=self.after)
        sandbox.notices.forwarded_to = f"{self.service}/v1/hooks/main/amazon" if self.service else ""
        for sku in self.skus:
            sandbox.sells(sku, UNITS)
        return Stall("amazon", sandbox, told, {sku: sku for sku in self.skus})

    def _ebay(self) -> Stall:
        secrets = self._secrets("ebay", EbaySecrets)
        sandbox = EbaySandbox(self._courier(), self.now_ms, secrets, self._ask, after=self.after)
        for sku in self.skus:
            sandbox.sells(sku, UNITS)
        return Stall("ebay", sandbox, {"url": self.urls["ebay"], "seller": "u-1"}, {sku: sku for sku in self.skus})

    def _pos(self) -> Stall:
        url = f"{self.service}/v1/pos/pos/events" if self.service else ""
        secrets = self._secrets("pos", PosSecrets)
        sandbox = PosSandbox(self._courier(), self.now_ms, secrets, url=url, key=self.key, after=self.after)
        sandbox.opens("till-1", STORE)
        for sku in self.skus:
            sandbox.sells(sku, UNITS)
        return Stall("pos", sandbox, {"address": self.urls["pos"] + PATH}, {sku: sku for sku in self.skus})

    def _shopify(self) -> Stall:
        secrets = self._secrets("shopify", ShopifySecrets)
        location = f"gid://shopify/Location/{LOCATION}"
        sandbox = ShopifySandbox(self._courier(), self.now_ms, secrets, location, after=self.after)
        listings = {sku: str(number) for number, sku in enumerate(self.skus, 11)}
        for sku, listing in listings.items():
            sandbox.sells(int(listing), sku, UNITS)
        return Stall("shopify", sandbox, {"url": self.urls["shopify"], "location": LOCATION}, listings)

    def _woocommerce(self) -> Stall:
        secrets = self._secrets("woocommerce", WooSecrets)
        sandbox = WooSandbox(self._courier(), self.now_ms, secrets, after=self.after)
        listings = {sku: str(number) for number, sku in enumerate(self.skus, 733)}
        for sku, listing in listings.items():
            sandbox.sells(Product(int(listing), sku, stock=UNITS))
        return Stall("woocommerce", sandbox, {"url": self.urls["woocommerce"]}, listings)

    def _secrets(self, name: str, type: type[T]) -> T:
        return msgspec.convert(SECRETS[name], type)
