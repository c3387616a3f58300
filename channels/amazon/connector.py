"""
Amazon, Selling Partner API, for what the seller ships: https://developer-docs.amazon.com/sp-api

Amazon takes an order's units from the quantity it shows as soon as the order is placed, before it is paid: the number
pushed is net. It neither compares nor knows a call that comes twice; what it accepted it shows minutes later, so that
reading back or a notification tells. Patches and feeds may overtake each other: as long as a feed is on its way its
listings are not to be patched. A listing is a seller's sku; what Amazon ships from its own stock (FBA) is never pushed,
because that would make it the seller's to ship.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from channels.base import (
    Connector,
    Delivery,
    Facts,
    Level,
    Listing,
    News,
    Order,
    Page,
    Parcel,
    Pushed,
    Shown,
    Token,
    Window,
)
from channels.errors import ChannelError, Nonsense, Refused, Unauthorized
from channels.moments import to_iso, to_ms
from channels.one_by_one import each
from channels.pacing import Learned
from channels.wire import Answer, Call, Steps, get, send_form, send_json

from . import answers, feeds, subscriptions
from .answers import RATES
from .bodies import (
    FULFILLED_BY,
    csv,
    is_ours,
    not_ours,
    order_of,
    package_of,
    patch_of,
    product_type,
    pushed_of,
    read,
    read_as,
    refs_of,
    shown_of,
)
from .catalogue import Place, after
from .notifications import news_of, prove
from .words import (
    AmazonSecrets,
    AmazonSettings,
    Document,
    Feed,
    FeedId,
    Item,
    Items,
    NewToken,
    Orders,
    SaidOrder,
    Submission,
    Whole,
)

SOME: Final = 20
"""Most listings of a search."""

SHOWN: Final = "summaries,fulfillmentAvailability"
ORDERS_PER_PAGE: Final = 100


class Amazon(Connector[AmazonSettings, AmazonSecrets]):
    """One seller's account in one region."""

    facts = Facts(
        name="amazon",
        docs="https://developer-docs.amazon.com/sp-api",
        batch=SOME,
        rates=RATES,
        counts="net",
        quantity_max=2_147_483_647,
        bulk=25_000,
        bulk_from=1_500,
        poll_s=180,
        overlap_s=600,
        shown_after_s=180,
        # Two minutes by Amazon's clock; ours may be another one.
        told_after_s=180,
        signs_body=False,
    )
    settings_type = AmazonSettings
    secrets_type = AmazonSecrets

    def __init__(self, settings: AmazonSettings, secrets: AmazonSecrets) -> None:
        super().__init__(settings, secrets)
        self._listings = f"/listings/2021-08-01/items/{quote(settings.seller, safe='')}"
        self._market = settings.marketplaces[0]

    def base_url(self) -> str:
        """The region's endpoint."""
        return self.settings.url

    # --- every call ---------------------------------------------------------------------------------------------

    def token(self, before: Token | None, now_ms: int) -> Steps[Token | None]:
        """By the refresh token, which stays the same."""
        fields = {
            "grant_type": "refresh_token",
            "refresh_token": self.secrets.refresh_token,
            "client_id": self.secrets.client_id,
            "client_secret": self.secrets.client_secret,
        }
        path = self.settings.login + subscriptions.TOKEN_PATH
        answer = yield send_form("token", path, fields, authorized=False, secret=True)
        said = read(answer, NewToken)
        return Token(said.access_token, now_ms + 1_000 * said.expires_in)

    def authorize(self, call: Call, token: Token | None, now_ms: int) -> Call:
        """With the token, the time and our name."""
        assert token is not None, "Amazon lets in by tokens"
        headers = {
            **call.headers,
            "x-amz-access-token": token.value,
            "x-amz-date": datetime.fromtimestamp(now_ms / 1_000, UTC).strftime("%Y%m%dT%H%M%SZ"),
            "user-agent": subscriptions.AGENT,
        }
        return msgspec.structs.replace(call, headers=headers)

    def judge(self, call: Call, answer: Answer) -> None:
        """A token that ended or was taken back is a 403; who is too fast is not told how long to wait."""
        answers.judge(call, answer)

    def learn(self, call: Call, answer: Answer) -> Learned | None:
        """The rate that this seller and our application have together, which may be another one tomorrow."""
        return answers.learned(call, answer)

    # --- stock out ----------------------------------------------------------------------------------------------

    def push(self, levels: Sequence[Level]) -> Steps[list[Pushed]]:
        """One patch each. When Amazon fails in between, those that follow have failed with it."""
        refs = yield from self._refs([level.listing for level in levels])
        pushed: list[Pushed] = []
        for number, level in enumerate(levels):
            try:
                pushed.append((yield from self._patch(level, refs[level.listing.listing])))
            except Unauthorized:
                raise
            except ChannelError as error:
                if not number:
                    raise
                failure = Pushed("", "failed", code=type(error).__name__, says=str(error))
                left = [one.listing.listing for one in levels[number:]]
                return pushed + [msgspec.structs.replace(failure, listing=listing) for listing in left]
        return pushed

    def _patch(self, level: Level, refs: Mapping[str, str]) -> Steps[Pushed]:
        listing = level.listing.listing
        if not is_ours(refs):
            return not_ours(listing, refs)
        body = {"productType": product_type(refs), "patches": [patch_of(level.units)]}
        params = (("marketplaceIds", self._market), ("issueLocale", self.settings.locale), ("includedData", "issues"))
        path = f"{self._listings}/{quote(listing, safe='')}"
        try:
            answer = yield send_json("push", "PATCH", path, body, params=params, repeatable=False)
        except Refused as error:
            return Pushed(listing, "refused", code=error.code or str(error.status), says=str(error), refs=refs)
        return pushed_of(level, read(answer, Submission), refs)

    def _refs(self, listings: Sequence[Listing]) -> Steps[dict[str, Mapping[str, str]]]:
        """What has to be known of each; asked for where it is not."""
        found = {one.listing: one.refs for one in listings}
        unknown = [one.listing for one in listings if FULFILLED_BY not in one.refs]
        for item in (yield from self._items(unknown)):
            found[item.sku] = refs_of(item)
        return found

    def push_bulk(self, levels: Sequence[Level]) -> Steps[str]:
        """As a feed of those that are ours, which may take half an hour or half a day; the ticket is its id."""
        refs = yield from self._refs([level.listing for level in levels])
        ours = [level for level in levels if is_ours(refs[level.listing.listing])]
        if not ours:
            raise Refused("none of these is ours to give a number", "not_ours")
        body = feeds.feed_of(ours, self.settings, refs)
        described = {"contentType": feeds.FEED_TYPE}
        # The answer has an address that lets in.
        answer = yield send_json("document", "POST", "/feeds/2021-06-30/documents", described, secret=True)
        document = read(answer, Document)
        yield _with_signed_address("upload", "PUT", document.url, {"Content-Type": feeds.FEED_TYPE}, body)
        wanted = {
            "feedType": feeds.FEED,
            "marketplaceIds": [self._market],
            "inputFeedDocumentId": document.feed_document_id,
        }
        answer = yield send_json("feed", "POST", "/feeds/2021-06-30/feeds", wanted, repeatable=False)
        return read(answer, FeedId).feed_id

    def follow(self, ticket: str) -> Steps[list[Pushed] | None]:
        """By its report: messages that were not taken, and what is shown of the others."""
        answer = yield get("follow", f"/feeds/2021-06-30/feeds/{quote(ticket, safe='')}")
        feed = read(answer, Feed)
        if feed.processing_status in feeds.UNDER_WAY:
            return None
        report = feed.result_feed_document_id
        if feed.processing_status != "DONE":
            raise Refused(f"Amazon gave up on feed {ticket}", feed.processing_status)
        if not report:
            raise Nonsense(f"feed {ticket} is done without a report")
        where = get("report", f"/feeds/2021-06-30/documents/{quote(report, safe='')}")
        answer = yield msgspec.structs.replace(where, secret=True)
        answer = yield _with_signed_address("download", "GET", read(answer, Document).url, {})
        return feeds.results_of(answer.body)

    def read(self, listings: Sequence[Listing]) -> Steps[list[Shown]]:
        """What is shown of the seller's own units."""
        items = yield from self._items([one.listing for one in listings])
        found = {item.sku: shown_of(item) for item in items}
        return [found.get(one.listing, Shown(one.listing, None)) for one in listings]

    def _items(self, skus: Sequence[str]) -> Steps[list[Item]]:
        """Those there are. A comma parts skus in a search, so one that has a comma is asked for by itself."""
        alone = [sku for sku in skus if "," in sku or len(skus) == 1]
        together = [sku for sku in skus if sku not in alone]
        found: list[Item] = []
        for sku in alone:
            found += yield from self._item(sku)
        for start in range(0, len(together), SOME):
            some = csv(together[start : start + SOME])
            answer = yield self._search(identifiersType="SKU", identifiers=some, pageSize=SOME)
            found += read(answer, Items).items
        return found

    def _item(self, sku: str) -> Steps[list[Item]]:
        path = f"{self._listings}/{quote(sku, safe='')}"
        try:
            answer = yield get("read", path, marketplaceIds=self._market, includedData=SHOWN)
        except Refused as error:
            if error.status != 404:
                raise
            return []
        return [read(answer, Item)]

    def list_listings(self, cursor: str) -> Steps[tuple[list[Shown], str]]:
        """A page in the order they were made; no search turns past a thousand, so from there on another begins."""
        place = Place.of(cursor)
        answer = yield self._search(sortBy="createdDate", sortOrder="ASC", pageSize=SOME, **place.params)
        items = read(answer, Items)
        return [shown_of(item) for item in items.items], after(place, items).text

    def _search(self, **params: str | int) -> Call:
        call = get("search", self._listings, marketplaceIds=self._market, includedData=SHOWN, **params)
        return msgspec.structs.replace(call, operation="read", bucket="search")

    # --- orders in ----------------------------------------------------------------------------------------------

    def orders(self, window: Window, cursor: str) -> Steps[Page]:
        """Orders that changed until three minutes before the window's end: asked for younger ones, Amazon refuses."""
        until_ms = max(window.since_ms, window.until_ms - 1_000 * self.facts.told_after_s)
        params = {
            "lastUpdatedAfter": to_iso(window.since_ms),
            "lastUpdatedBefore": to_iso(until_ms),
            "marketplaceIds": csv(self.settings.marketplaces),
            "maxResultsPerPage": str(ORDERS_PER_PAGE),
            "includedData": self._wanted,
        }
        if not self.settings.fba:
            params["fulfilledBy"] = "MERCHANT"
        if cursor:
            params["paginationToken"] = cursor
        said = read((yield get("orders", "/orders/2026-01-01/orders", **params)), Orders)
        reached_ms = to_ms(said.last_updated_before) if said.last_updated_before else until_ms
        found = yield from each(said.orders, lambda row: row.get("orderId"), _translated)
        return Page(found.orders, said.pagination.next_token, reached_ms, found.odd)

    def order(self, external_id: str) -> Steps[Order]:
        """One order."""
        said = yield from self._order(external_id)
        return order_of(said.order)

    def _order(self, external_id: str) -> Steps[Whole]:
        path = f"/orders/2026-01-01/orders/{quote(external_id, safe='')}"
        answer = yield get("order", path, includedData=self._wanted)
        return read(answer, Whole)

    @property
    def _wanted(self) -> str:
        return "RECIPIENT,FULFILLMENT,CANCELLATION" if self.settings.ship_to else "FULFILLMENT,CANCELLATION"

    def hear(self, delivery: Delivery, now_ms: int) -> Steps[News]:
        """A notification, by whoever forwards it: proved by a header, so orders are only named."""
        yield from ()
        prove(delivery, self.secrets)
        return news_of(delivery, self.settings)

    # --- back ---------------------------------------------------------------------------------------------------

    def ship(self, parcel: Parcel) -> Steps[None]:
        """A package has a number among those of its order: the same number again only changes it."""
        market = self._market
        if len(self.settings.marketplaces) > 1:
            said = yield from self._order(parcel.external_id)
            market = said.order.sales_channel.marketplace_id or market
        path = f"/orders/v0/orders/{quote(parcel.external_id, safe='')}/shipmentConfirmation"
        body = {"marketplaceId": market, "packageDetail": package_of(parcel, self.settings.carriers)}
        yield send_json("ship", "POST", path, body)

    # --- webhooks' health ---------------------------------------------------------------------------------------

    def subscribe(self, url: str) -> Steps[int]:
        """To the queue and the event bus of the settings; that they lead on to this address is the seller's to do."""
        return (yield from subscriptions.ensure(self.settings, self.secrets))


def _translated(said: Any) -> Steps[Order]:
    yield from ()
    return order_of(read_as(said, SaidOrder))


def _with_signed_address(operation: str, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Call:
    """A call whose address lets in, so that it is a secret and no token may go with it."""
    return Call(operation=operation, method=method, path=url, headers=headers, body=body, authorized=False, secret=True)
