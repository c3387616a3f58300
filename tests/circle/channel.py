"""The channels of a world, each with its sandbox, and the way to the store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.simulator.pipe import Network, Words
from tests.simulator.store import Store

from .judge import Tally
from .mischief import Trouble
from .shop import Stand
from .ways import Counting, Shared


class Wire(Network):
    """The way to the store; whoever writes is seen by the judge at once."""

    def __init__(self, store: Store, now: Callable[[], int], seen: Callable[[], None]) -> None:
        super().__init__(store)
        self._now, self._seen_by = now, seen

    def _run(self, commands: Sequence[Words], together: bool) -> list[Any]:
        self.store.now_ms = self._now()
        replies = super()._run(commands, together)
        if commands[0][0] in {b"FCALL", "FCALL"}:
            self._seen_by()
        return replies


@dataclass
class Channel:
    """One channel: its stand, its sandbox, how the way to it is, and what is counted of it."""

    stand: Stand
    sandbox: Any
    trouble: Trouble
    tally: Tally
    shared: Shared
    counting: Counting
    seen: dict[str, Any]
    chance: Random

    @property
    def name(self) -> str:
        """What it is called, here and in the config."""
        return self.stand.name

    def shows(self, listing: str) -> int:
        """What buyers see."""
        return max(0, int(self.sandbox.shows(listing) or 0))

    def sells(self, listing: str, units: int, **more: Any) -> Any:
        """A buyer gets what is shown. Returns the id by which our order will be known."""
        if self.name != "pos":
            return self.sandbox.buys(listing, units, **more)
        till = self.chance.choice(list(self.sandbox.tills))
        return f"pos:{self.sandbox.buys(listing, units, till=till)}"

    def may_cancel(self, id: Any) -> bool:
        """Whether nothing of the order has left."""
        order = self.sandbox.orders[id]
        match self.name:
            case "shopify":
                return not order.fulfilled and not order.cancelled
            case "woocommerce":
                return order["status"] in {"processing", "on-hold"}
        return not order.shipped

    def is_push(self, request: Any) -> bool:
        """Whether a request tells numbers."""
        match self.name:
            case "shopify":
                return b'"SetQuantities"' in request.content
            case "woocommerce":
                return request.url.path.endswith("/batch")
            case "amazon":
                return request.method == "PATCH" or request.url.path.endswith("/feeds")
            case "ebay":
                return request.url.path.endswith("/bulk_update_price_quantity")
        return request.method == "POST"
