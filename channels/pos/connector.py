"""
Tills, by our own contract; no vendor has one that fits: README.md, section Tills.

Tills send what happened (`hear`), signed; what they may sell they read from the feed or the stream of the service. A
hub that has an address is told numbers as well. It takes what its tills sell from the number by itself until the next
one comes, so the number pushed is net. Numbers are absolute, and of two the one that was signed later stays, so a push
that comes twice is one. A listing is what the tills call the article, which mostly is the sku.

There are no orders to ask for: what tills have sold comes as events, and nothing else books it.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from channels.base import Connector, Delivery, Facts, Level, Listing, News, Page, Pushed, Shown, Token, Window
from channels.errors import Nonsense, Unauthorized
from channels.wire import Answer, Call, Steps, send_json

from .signing import HEADER, prove, signature
from .words import (
    PosSecrets,
    PosSettings,
    SaidLevels,
    SaidResults,
    TillEvents,
    TillNews,
    pushed_of,
    shown_of,
)

PER_PAGE: Final = 500
READ_AT_ONCE: Final = 100
"""Articles of one question: they are named in its address."""


class Pos(Connector[PosSettings, PosSecrets]):
    """One group of tills, with or without a hub."""

    facts = Facts(
        name="pos",
        docs="README.md, section Tills",
        batch=PER_PAGE,
        rates={},
        counts="net",
        quantity_max=1_000_000_000,
        poll_s=3_600,
        posts=False,
    )
    has_token = False
    settings_type = PosSettings
    secrets_type = PosSecrets

    @property
    def reads_back(self) -> bool:
        """Only where there is a hub."""
        return bool(self.settings.address)

    def base_url(self) -> str:
        """The hub's address; '' where nothing is pushed."""
        return self.settings.address

    def authorize(self, call: Call, token: Token | None, now_ms: int) -> Call:
        """Signed anew with each attempt: a signature is good for some minutes only."""
        if not self.secrets.all:
            return call
        signed = signature(self.secrets.all, call.body, now_ms // 1_000)
        return msgspec.structs.replace(call, headers={**call.headers, HEADER: signed})

    # --- stock out ----------------------------------------------------------------------------------------------

    def push(self, levels: Sequence[Level]) -> Steps[list[Pushed]]:
        """Show these numbers. Without a hub they are told already: the feed has them the moment they are decided."""
        if not self.settings.address:
            return [Pushed(level.listing.listing, "accepted", applied=True, shown=level.units) for level in levels]
        rows = [{"sku": level.listing.listing, "available": level.units} for level in levels]
        answer = yield send_json("push", "POST", "", {"levels": rows})
        results = answer.json(SaidResults).results
        if [one.sku for one in results] != [level.listing.listing for level in levels]:
            raise Nonsense("the results are not of the numbers that were sent")
        return [pushed_of(level, one) for level, one in zip(levels, results, strict=True)]

    def read(self, listings: Sequence[Listing]) -> Steps[list[Shown]]:
        """What the hub shows; without one nobody knows."""
        found: dict[str, Shown] = {}
        for start in range(0, len(listings) if self.settings.address else 0, READ_AT_ONCE):
            some = listings[start : start + READ_AT_ONCE]
            answer = yield _ask("read", *(("sku", listing.listing) for listing in some))
            found |= {said.sku: shown_of(said) for said in answer.json(SaidLevels).levels}
        return [found.get(listing.listing, Shown(listing.listing, None)) for listing in listings]

    def list_listings(self, cursor: str) -> Steps[tuple[list[Shown], str]]:
        """What the hub sells, a page at a time."""
        if not self.settings.address:
            return [], ""
        answer = yield _ask("list", ("after", cursor), ("limit", str(PER_PAGE)))
        page = answer.json(SaidLevels)
        return [shown_of(said) for said in page.levels], page.next

    # --- what happened at tills ---------------------------------------------------------------------------------

    def orders(self, window: Window, cursor: str) -> Steps[Page]:
        """None, whenever: tills send what they have sold."""
        yield from ()
        return Page([], "", window.until_ms)

    def prove(self, delivery: Delivery, now_ms: int) -> None:
        """Nothing where the delivery is signed with one of the secrets. Raises Unauthorized."""
        prove(delivery.headers.get(HEADER.lower(), ""), self.secrets.all, delivery.body, now_ms / 1_000)

    def hear(self, delivery: Delivery, now_ms: int) -> Steps[News]:
        """
        A batch of events, once its signature is proved. Raises Unauthorized, Nonsense.

        Its id is that of its bytes; whether an event is news, its own id says.
        """
        yield from ()
        if not self.secrets.all:
            raise Unauthorized("the connection has no secret that a signature could be proved with")
        self.prove(delivery, now_ms)
        said = Answer(200, {}, delivery.body).json(TillEvents)
        return TillNews(hashlib.sha256(delivery.body).hexdigest(), "events", events=said.events)


def _ask(operation: str, *params: tuple[str, str]) -> Call:
    return Call(operation=operation, method="GET", path="", params=params)
