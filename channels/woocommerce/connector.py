"""
WooCommerce, REST API v3: https://woocommerce.github.io/woocommerce-rest-api-docs/

Woo takes an order's units from its own number by itself, when it is paid or put on hold, so the number pushed is net.
It has neither compare-and-set nor keys for what is sent twice: absolute numbers only, and what it shows is read from
the answer. A listing is a product's id, or "product/variation".
"""

import base64
import hashlib
import hmac
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from channels.base import (
    Connector,
    Delivery,
    Facts,
    Level,
    Listing,
    News,
    Odd,
    Order,
    Page,
    Parcel,
    Pushed,
    Shown,
    Token,
    Window,
    judge_status,
    retry_after_s,
)
from channels.errors import Busy, Down, Nonsense, Refused, Unauthorized
from channels.one_by_one import each, read_as
from channels.wire import Answer, Call, Steps, get, send_json

from .words import (
    ANY,
    BIN,
    DRAFTS,
    SHIPMENT_KEY,
    STATES,
    Batch,
    Item,
    Named,
    Refund,
    SaidFulfillment,
    SaidOrder,
    SaidWebhook,
    WooSecrets,
    WooSettings,
    error_of,
    is_older,
    kept_by_product,
    line_of,
    meta_of,
    next_page,
    note_of,
    own_id,
    product_of,
    pushed_of,
    refunded_line,
    refused,
    shown_of,
    to_iso,
    to_ms,
)

PER_PAGE: Final = 100
TOO_LARGE: Final = "woocommerce_rest_request_entity_too_large"
TOPICS: Final = ("order.created", "order.updated", "order.deleted", "product.updated")
FIELDS: Final = "id,sku,type,parent_id,stock_quantity,manage_stock,variations"


class WooCommerce(Connector[WooSettings, WooSecrets]):
    """One shop."""

    facts = Facts(
        name="woocommerce",
        docs="https://woocommerce.github.io/woocommerce-rest-api-docs/",
        batch=PER_PAGE,
        rates={},
        counts="net",
        quantity_max=2_147_483_647,
        poll_s=60,
        overlap_s=300,
    )
    has_token = False
    settings_type = WooSettings
    secrets_type = WooSecrets

    def base_url(self) -> str:
        """The root of the API."""
        return self.settings.url.rstrip("/") + "/wp-json/wc/v3"

    def authorize(self, call: Call, token: Token | None, now_ms: int) -> Call:
        """With the key, as header or where hosts strip it, in the query."""
        key, secret = self.secrets.consumer_key, self.secrets.consumer_secret
        if self.settings.key_in_query:
            params = (*call.params, ("consumer_key", key), ("consumer_secret", secret))
            return msgspec.structs.replace(call, params=params)
        basic = base64.b64encode(f"{key}:{secret}".encode()).decode()
        return msgspec.structs.replace(call, headers={**call.headers, "Authorization": f"Basic {basic}"})

    def judge(self, call: Call, answer: Answer) -> None:
        """A page in place of JSON comes from the host, not from Woo, whatever its status: it passes."""
        if answer.body[:1] == b"<":
            if answer.status == 429:
                raise Busy("the shop's host asks to slow down", retry_after_s(answer))
            raise Down(f"status {answer.status} with a page instead of JSON: the shop's host answers, not the shop")
        if not answer.is_fine:
            error = error_of(answer)
            judge_status(answer, says=error.message, code=error.code)

    # --- stock out ----------------------------------------------------------------------------------------------

    def push(self, levels: Sequence[Level]) -> Steps[list[Pushed]]:
        """Variations go by their product, everything else together; the answer has what is shown now."""
        done: dict[str, Pushed] = {}
        by_product: dict[str, list[Level]] = defaultdict(list)
        for level in levels:
            if level.listing.refs.get("manages") == "parent":
                done[level.listing.listing] = kept_by_product(level)
            else:
                by_product[product_of(level.listing.listing)].append(level)
        for product, some in by_product.items():
            for pushed in (yield from self._push_batch(product, some)):
                done[pushed.listing] = pushed
        return [done[level.listing.listing] for level in levels]

    def _push_batch(self, product: str, levels: Sequence[Level]) -> Steps[list[Pushed]]:
        path = f"/products/{product}/variations/batch" if product else "/products/batch"
        rows = [
            {"id": own_id(level.listing.listing), "manage_stock": True, "stock_quantity": level.units}
            for level in levels
        ]
        try:
            answer = yield send_json("push", "POST", path, {"update": rows}, repeatable=False)
        except Refused as error:
            if error.code != TOO_LARGE or len(levels) == 1:
                return [refused(level, error.code, str(error)) for level in levels]
            # A shop may take fewer at once than Woo does by itself.
            half = len(levels) // 2
            first = yield from self._push_batch(product, levels[:half])
            return first + (yield from self._push_batch(product, levels[half:]))
        items = answer.json(Batch).update
        if len(items) != len(levels):
            raise Nonsense(f"{len(levels)} were sent, {len(items)} answered")
        return [pushed_of(level, item) for level, item in zip(levels, items, strict=True)]

    def read(self, listings: Sequence[Listing]) -> Steps[list[Shown]]:
        """What is shown for products, and for variations by their product."""
        by_product: dict[str, list[str]] = defaultdict(list)
        for listing in listings:
            by_product[product_of(listing.listing)].append(listing.listing)
        found: dict[str, Shown] = {}
        for product, some in by_product.items():
            path = f"/products/{product}/variations" if product else "/products"
            ids = ",".join(str(own_id(listing)) for listing in some)
            answer = yield get("read", path, include=ids, per_page=PER_PAGE, _fields=FIELDS)
            for item in answer.json(list[Item]):
                shown = shown_of(item, product)
                found[shown.listing] = shown
        return [found.get(listing.listing, Shown(listing.listing, None)) for listing in listings]

    def list_listings(self, cursor: str) -> Steps[tuple[list[Shown], str]]:
        """A page of products; of those with variations, the variations."""
        page = int(cursor or 1)
        answer = yield get("list", "/products", page=page, per_page=PER_PAGE, orderby="id", order="asc", _fields=FIELDS)
        listed: list[Shown] = []
        for item in answer.json(list[Item]):
            if item.variations:
                listed += yield from self._list_variations(item.id)
            else:
                listed.append(shown_of(item, ""))
        return listed, next_page(answer, page)

    def _list_variations(self, product: int) -> Steps[list[Shown]]:
        listed: list[Shown] = []
        page = "1"
        while page:
            path = f"/products/{product}/variations"
            answer = yield get("list", path, page=page, per_page=PER_PAGE, _fields=FIELDS)
            listed += [shown_of(item, str(product)) for item in answer.json(list[Item])]
            page = next_page(answer, int(page))
        return listed

    # --- orders in ----------------------------------------------------------------------------------------------

    def orders(self, window: Window, cursor: str) -> Steps[Page]:
        """
        Orders changed in a closed window, by id: Woo does not sort by change. First those in any state, whoever added
        it, then those that Woo leaves out of that: in the bin, and in states that a plugin keeps out of searches.

        Raises Nonsense for a shop that knows no `modified_after` (before Woo 5.8) and shows all orders instead.
        """
        walk, _, number = (cursor or f"{ANY}/1").partition("/")
        page = int(number)
        answer = yield get(
            "orders",
            "/orders",
            modified_after=to_iso(window.since_ms),
            modified_before=to_iso(window.until_ms),
            dates_are_gmt="true",
            status=ANY if walk == ANY else ",".join([BIN, *self.settings.states]),
            orderby="id",
            order="asc",
            per_page=PER_PAGE,
            page=page,
        )
        rows = answer.json(list[dict[str, Any]])
        if any(is_older(row.get("date_modified_gmt"), window.since_ms - 1_000) for row in rows):
            raise Nonsense("the shop does not know modified_after: it needs WooCommerce 5.8 or later")
        placed = [row for row in rows if row.get("status") not in DRAFTS]
        read = yield from each(placed, lambda row: row.get("id"), lambda row: self._whole(read_as(row, SaidOrder)))
        following = next_page(answer, page)
        after = f"{walk}/{following}" if following else f"{BIN}/1" if walk == ANY else ""
        return Page(read.orders, after, window.until_ms, read.odd)

    def order(self, external_id: str) -> Steps[Order]:
        """One order."""
        answer = yield get("order", f"/orders/{external_id}")
        return (yield from self._whole(answer.json(SaidOrder)))

    def _whole(self, said: SaidOrder) -> Steps[Order]:
        """An order with what was refunded of each line, which is told apart from it."""
        refunded: dict[int, int] = defaultdict(int)
        if said.refunds:
            answer = yield get("refunds", f"/orders/{said.id}/refunds", per_page=PER_PAGE)
            for line in (line for refund in answer.json(list[Refund]) for line in refund.line_items):
                refunded[refunded_line(line)] += abs(int(line.quantity))
        return self._translate(said, refunded)

    def _translate(self, said: SaidOrder, refunded: Mapping[int, int]) -> Order:
        state = self.settings.states.get(said.status) or STATES.get(said.status)
        if state is None:
            raise Nonsense(f"order {said.id} has the state {said.status!r}, which the settings do not explain")
        address = said.shipping if said.shipping.country else said.billing
        return Order(
            external_id=str(said.id),
            revision=to_ms(said.date_modified_gmt),
            state=state,
            placed_ms=to_ms(said.date_created_gmt),
            lines=[line_of(line, refunded[line.id], state) for line in said.line_items],
            number=said.number,
            country=address.country,
            region=address.state,
        )

    def hear(self, delivery: Delivery, now_ms: int) -> Steps[News]:
        """
        A webhook, signed over its raw body. The first one of a new webhook is a form without a signature's worth.

        An order that was refunded is only named: its picture lacks how many units of which line.
        """
        if delivery.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return News("ping", "ping")
        self._prove(delivery)
        yield from ()
        topic = delivery.headers.get("x-wc-webhook-topic", "")
        id = delivery.headers.get("x-wc-webhook-delivery-id", "")
        answer = Answer(200, {}, delivery.body)
        if topic == "product.updated":
            item = answer.json(Item)
            return News(id, topic, shown=[shown_of(item, str(item.parent_id) if item.parent_id else "")])
        named = answer.json(Named)
        if topic == "order.deleted" or named.refunds:
            return News(id, topic, ask=[str(named.id)])
        try:
            return News(id, topic, orders=[self._translate(answer.json(SaidOrder), defaultdict(int))])
        except Nonsense as error:
            return News(id, topic, odd=[Odd(str(named.id), str(error))])

    def _prove(self, delivery: Delivery) -> None:
        digest = hmac.new(self.secrets.webhook_secret.encode(), delivery.body, hashlib.sha256).digest()
        given = delivery.headers.get("x-wc-webhook-signature", "")
        if not hmac.compare_digest(base64.b64encode(digest), given.encode()):
            raise Unauthorized("the webhook's signature is not of its body")

    # --- back ---------------------------------------------------------------------------------------------------

    def ship(self, parcel: Parcel) -> Steps[None]:
        """A fulfilment where the shop has them, else a note; the order is completed with its last parcel."""
        if self.settings.fulfillments:
            yield from self._fulfil(parcel)
        elif not (yield from self._has_note(parcel)):
            yield send_json("ship", "POST", f"/orders/{parcel.external_id}/notes", note_of(parcel), repeatable=False)
        if parcel.is_last:
            yield send_json("ship", "PUT", f"/orders/{parcel.external_id}", {"status": "completed"})

    def _fulfil(self, parcel: Parcel) -> Steps[None]:
        path = f"/orders/{parcel.external_id}/fulfillments"
        there = (yield get("ship", path)).json(list[SaidFulfillment])
        if any(meta.key == SHIPMENT_KEY and meta.value == parcel.key for one in there for meta in one.meta_data):
            return
        meta = [{"key": key, "value": value} for key, value in meta_of(parcel).items()]
        yield send_json("ship", "POST", path, {"status": "fulfilled", "meta_data": meta}, repeatable=False)

    def _has_note(self, parcel: Parcel) -> Steps[bool]:
        notes = (yield get("ship", f"/orders/{parcel.external_id}/notes")).json(list[dict[str, Any]])
        return any(parcel.key in str(note.get("note", "")) for note in notes)

    def cancel(self, external_id: str, reason: str) -> Steps[bool]:
        """Woo gives the units back to its own number by itself."""
        yield send_json("cancel", "PUT", f"/orders/{external_id}", {"status": "cancelled"})
        return True

    # --- webhooks' health ---------------------------------------------------------------------------------------

    def subscribe(self, url: str) -> Steps[int]:
        """One webhook for each topic; Woo switches one off, silently, after five failures in a row."""
        there: list[SaidWebhook] = (yield get("webhooks", "/webhooks", per_page=PER_PAGE)).json(list[SaidWebhook])
        mended = 0
        for topic in TOPICS:
            mine = next((hook for hook in there if (hook.topic, hook.delivery_url) == (topic, url)), None)
            if mine is None:
                yield send_json("webhooks", "POST", "/webhooks", self._webhook(topic, url), secret=True)
            elif mine.status != "active":
                yield send_json("webhooks", "PUT", f"/webhooks/{mine.id}", {"status": "active"})
            mended += mine is None or mine.status != "active"
        return mended

    def _webhook(self, topic: str, url: str) -> dict[str, str]:
        return {"name": "Allot", "topic": topic, "delivery_url": url, "secret": self.secrets.webhook_secret}
