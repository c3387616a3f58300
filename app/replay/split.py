"""
Who sold an invoice: the file does not say, so its number decides, the same in every run with the same seed.

The shares are part of the report. Nothing here is random: a hash of the seed, a word and the invoice's number is.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

from allocator.model import Disposition

PARTS: Final = 10_000
"""Shares are hundredths of a percent."""

RESENT_SHARE: Final = 100
"""Orders sent a second time."""

SLOW_SHARE: Final = 1_000
"""Orders the warehouse does not get to: they stay committed to the end."""


class Share(NamedTuple):
    """A channel's part of the invoices, and what its orders are."""

    channel: str
    kind: str
    parts: int


SHARES: Final = (
    Share("shop", "promise", 4_000),
    Share("amazon", "firm", 2_500),
    Share("ebay", "firm", 1_500),
    Share("tills", "gone", 2_000),
)

DISPOSITIONS: Final[Sequence[tuple[Disposition, int]]] = (("restock", 8_000), ("quarantine", 1_000), ("scrap", 1_000))


class Split(NamedTuple):
    """Deals invoices to channels, and what comes back to shelves; `seed` deals anew."""

    seed: int
    warehouses: tuple[str, ...]
    stores: tuple[str, ...]

    def share(self, invoice: str) -> Share:
        """The channel that sold it."""
        place = self._draw("channel", invoice) % PARTS
        for share in SHARES:
            if place < share.parts:
                return share
            place -= share.parts
        raise AssertionError("the shares do not add up")

    def store(self, invoice: str) -> str:
        """The store whose till sold it, for the till's orders."""
        return self.stores[self._draw("store", invoice) % len(self.stores)]

    def takes_part(self, invoice: str) -> bool:
        """Whether the customer of a promise takes what there is: every second one does."""
        return self._draw("part", invoice) % 2 == 0

    def is_resent(self, invoice: str) -> bool:
        """Whether its sender repeats it."""
        return self._draw("resent", invoice) % PARTS < RESENT_SHARE

    def is_resent_at_once(self, invoice: str) -> bool:
        """Whether the repetition does not wait for the first answer."""
        return self._draw("at once", invoice) % 2 == 0

    def is_slow(self, invoice: str) -> bool:
        """Whether it is not shipped while the replay runs."""
        return self._draw("slow", invoice) % PARTS < SLOW_SHARE

    def disposition(self, invoice: str, position: int) -> Disposition:
        """Where a returned line goes."""
        place = self._draw(f"disposition {position}", invoice) % PARTS
        for disposition, parts in DISPOSITIONS:
            if place < parts:
                return disposition
            place -= parts
        raise AssertionError("the dispositions do not add up")

    def return_location(self, invoice: str) -> str:
        """The warehouse that takes a return in."""
        return self.warehouses[self._draw("return", invoice) % len(self.warehouses)]

    def happens(self, what: str, of: str, parts: int) -> bool:
        """Whether this happens to it, as it does to so many of PARTS."""
        return self.place(what, of, PARTS) < parts

    def place(self, what: str, of: str, count: int) -> int:
        """A number from 0 below `count`."""
        return self._draw(what, of) % count

    def _draw(self, what: str, invoice: str) -> int:
        digest = blake2b(f"{self.seed}\0{what}\0{invoice}".encode(), digest_size=8)
        return int.from_bytes(digest.digest())
