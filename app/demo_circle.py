"""
The demo's circle: stock goes out to five channels, their buyers' orders come in.

The channels are sandboxes beside us; the service is asked over HTTP alone, as any operator would.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from channels.sandbox.market import Stall

from .fair import SKUS
from .replay.calls import Caller
from .replay.play import CREATED, OK
from .service_process import ServiceFailed

CHANNELS: Final = {
    "amazon": "amazon",
    "ebay": "ebay",
    "pos": "tills",
    "shopify": "shopify",
    "woocommerce": "woocommerce",
}
"""Our channel of each connection; connections are called like their connectors."""

STORES: Final = {"STORE1": "amsterdam", "STORE2": "antwerpen", "STORE3": "koeln"}
TILLS: Final = {"till-1": "STORE1", "till-2": "STORE2", "till-3": "STORE3"}

AMAZON_SHOWS_MS: Final = 2_000
"""Amazon itself takes a minute or more until it shows a number; nobody would wait for that."""

LOOK_SECONDS: Final = 0.5


class Bought(NamedTuple):
    """What a buyer got at a channel: `order` is the id under which it is to be our order."""

    code: str
    order: str
    sku: str
    units: int


class Buyers:
    """All who buy at the sandboxes; a channel sells what it shows, a till what lies in its store."""

    def __init__(self, stalls: Iterable[Stall]) -> None:
        self.stalls = {stall.name: stall for stall in stalls}
        self.bought: list[Bought] = []
        self.refused: Counter[str] = Counter()
        for till, store in TILLS.items():
            self.stalls["pos"].sandbox.opens(till, store)
        self.stalls["amazon"].sandbox.applied_ms = AMAZON_SHOWS_MS

    def buy(self, code: str, sku: str, units: int = 1, *, till: str = "") -> None:
        """Somebody wants this; he goes away when it is sold out there."""
        stall = self.stalls[code]
        more = {"till": till} if till else {}
        try:
            id = str(stall.sandbox.buys(stall.listings[sku], units, **more))
        except ValueError:
            self.refused[code] += 1
            return
        self.bought.append(Bought(code, f"{code}:{id}" if code == "pos" else id, sku, units))

    def shows(self, code: str, sku: str) -> int:
        """What buyers see."""
        stall = self.stalls[code]
        return int(stall.sandbox.shows(stall.listings[sku]) or 0)

    def calls(self, code: str) -> int:
        """Requests that the channel has had."""
        return len(self.stalls[code].sandbox.calls)


class Sight(NamedTuple):
    """
    A connection at a moment. published and shown: by sku. unpushed: numbers that are on their way or wait. orders:
    those that were heard and not taken yet. subscribed: it has looked after its webhooks. failing: why it does not go
    on, or ''.
    """

    code: str
    published: Mapping[str, int]
    shown: Mapping[str, int]
    unpushed: int
    orders: int
    subscribed: bool
    failing: str

    @property
    def is_settled(self) -> bool:
        """Whether the channel shows what it should, and nothing is under way."""
        return self.subscribed and not self.unpushed and not self.orders and self.published == self.shown


class Circle:
    """The service's side: connections are made, looked at and waited for."""

    def __init__(self, caller: Caller, buyers: Buyers) -> None:
        self.caller, self.buyers = caller, buyers

    async def connect(self) -> None:
        """Make the connections; those of an earlier demo led to other sandboxes. Raises ServiceFailed."""
        for code, stall in self.buyers.stalls.items():
            path = f"/v1/connections/{code}"
            await self.caller.ask("disconnect", "DELETE", path)
            asked = {"connector": code, "channel": CHANNELS[code], "settings": stall.settings}
            asked |= {"secrets": dict(stall.secrets), "locations": STORES if code == "pos" else {}}
            said = await self.caller.ask("connect", "PUT", path, asked)
            if said.status not in {OK, CREATED}:
                raise ServiceFailed(f"the connection to {code} was refused: {said.body}")

    async def look(self) -> list[Sight]:
        """Every connection as it stands."""
        levels = (await self.caller.levels(SKUS, CHANNELS.values())).body["levels"]
        published = {(level["channel"], level["sku"]): level["published"] for level in levels}
        facts = {one["code"]: one for one in (await self._ask("/v1/connections"))["data"]}
        return [await self._sight(code, facts[code], published) for code in CHANNELS]

    async def _sight(self, code: str, facts: Mapping[str, Any], published: Mapping[tuple[str, str], int]) -> Sight:
        numbers = (await self._ask(f"/v1/connections/{code}/sync"))["numbers"]
        orders = (await self._ask(f"/v1/connections/{code}/orders?state=waiting&limit=500"))["data"]
        return Sight(
            code,
            {sku: published[CHANNELS[code], sku] for sku in SKUS},
            {sku: self.buyers.shows(code, sku) for sku in SKUS},
            # Before it has noted its listings it has no numbers at all.
            max(len(SKUS) - numbers["listed"], 0) + numbers["due"] + numbers["waiting"] + numbers["on_their_way"],
            len(orders) + len(self.buyers.stalls[code].sandbox.courier.waiting),
            facts["subscribed_ms"] > 0,
            facts["failing"],
        )

    async def settled(self, seconds: float, tell: Callable[[list[Sight]], Awaitable[bool]]) -> bool:
        """Wait until every channel shows what it should; `tell` sees each look, and ends it when it says so."""
        until = asyncio.get_running_loop().time() + seconds
        while True:
            sights = await self.look()
            if all(sight.is_settled for sight in sights):
                return True
            if await tell(sights) or asyncio.get_running_loop().time() > until:
                return False
            await asyncio.sleep(LOOK_SECONDS)

    async def told(self, sku: str) -> dict[str, int | None]:
        """The number that each channel was told last."""
        found = {}
        for code in CHANNELS:
            rows = (await self._ask(f"/v1/connections/{code}/shown?sku={quote(sku)}"))["data"]
            found[code] = rows[0]["told"] if rows else None
        return found

    async def became(self) -> dict[Bought, dict[str, int]]:
        """Our order of each purchase, as its line has it; left out where there is none, or one of something else."""
        found = {}
        for one in self.buyers.bought:
            path = f"/v1/orders/{CHANNELS[one.code]}/{quote(one.order, safe='')}"
            said = await self.caller.ask("order", "GET", path)
            lines = said.body.get("lines", [])
            if [(line["sku"], line["ordered"]) for line in lines] == [(one.sku, one.units)]:
                found[one] = lines[0]
        return found

    async def _ask(self, path: str) -> dict[str, Any]:
        said = await self.caller.ask("look", "GET", path)
        if said.status != OK:
            raise ServiceFailed(f"GET {path} was answered {said.status}: {said.body}")
        return said.body
