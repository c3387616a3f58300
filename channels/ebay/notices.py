"""
Notifications: what eBay tells, and keeping it telling.

It tells of orders by their ids, each line on its own; there is no topic for a cancellation or for a number that is
shown, which polling finds. An address that does not answer is marked down, silently, and must be woken.
"""

import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from channels.base import Delivery, News
from channels.errors import Refused, Unauthorized
from channels.wire import Answer, Call, Steps, send_json

from .account import Account, ask
from .notice_words import Destination, Destinations, Notice, SaidKey, Subscription, Subscriptions
from .signatures import Key, challenge_answer, key_of, seal_of, signed_forms
from .words import EbaySecrets, EbaySettings

ROOT: Final = "/commerce/notification/v1"
BUCKET: Final = "notification"
KEY_LIFE_MS: Final = 3_600_000
KID: Final = re.compile(r"[0-9A-Za-z_-]{1,100}\Z")
PAGE: Final = 100

TOPICS: Final = ("ORDER_CONFIRMATION", "ITEM_MARKED_SHIPPED")
PAYLOAD: Final = {"format": "JSON", "schemaVersion": "1.0", "deliveryProtocol": "HTTPS"}

NEEDS_CONFIG: Final = "195003"
"""The application has not said yet where eBay writes when notifications fail."""

NOT_FOR_US: Final = "195011"
"""A topic that eBay does not open to every application. Orders come without it, only a little later."""


class Noticing(Account):
    """The account, listening."""

    def __init__(self, settings: EbaySettings, secrets: EbaySecrets) -> None:
        super().__init__(settings, secrets)
        self._keys: dict[str, Key] = {}

    # --- what is told -------------------------------------------------------------------------------------------

    def hear(self, delivery: Delivery, now_ms: int) -> Steps[News]:
        """
        A notification, signed over its body; or the question whether the address is ours, answered in `reply`.

        Orders are only named. What is told of another seller's account, or of something else, says nothing.
        """
        code = delivery.params.get("challenge_code", "")
        if code:
            endpoint = delivery.url.partition("?")[0]
            return News(code, "challenge", reply=challenge_answer(code, self.secrets.verification_token, endpoint))
        body = yield from self._proved(delivery, now_ms)
        return news_of(Answer(200, {}, body).json(Notice), self.settings.seller)

    def _proved(self, delivery: Delivery, now_ms: int) -> Steps[bytes]:
        """The body in the form that was signed, which is the one to be read."""
        kid, signature = seal_of(delivery.headers.get("x-ebay-signature", ""))
        key = yield from self._key(kid, now_ms)
        for body in signed_forms(delivery.body):
            if key.has_signed(body, signature):
                return body
        raise Unauthorized("the notification's signature is not of its body")

    def _key(self, kid: str, now_ms: int) -> Steps[Key]:
        """EBay's key of this id, asked for once an hour."""
        known = self._keys.get(kid)
        if known is not None and now_ms < known.until_ms:
            return known
        if not KID.match(kid):
            raise Unauthorized("the notification names a key that is none")
        try:
            answer = yield from self._as_app(ask("key", BUCKET, f"{ROOT}/public_key/{kid}"))
        except Refused as error:
            raise Unauthorized("the notification names a key that eBay does not have") from error
        self._keys[kid] = key_of(answer.json(SaidKey), now_ms + KEY_LIFE_MS)
        return self._keys[kid]

    # --- keeping it telling -------------------------------------------------------------------------------------

    def subscribe(self, url: str) -> Steps[int]:
        """
        One destination, which is the application's, and a subscription for each topic, which is the seller's.

        While a destination is made or woken eBay asks the address whether it is ours (`hear`).
        """
        destination, mended = yield from self._destination(url)
        there = yield from self._subscriptions()
        for topic in TOPICS:
            mine = next((one for one in there if one.topic_id == topic), None)
            call = mend(topic, destination, mine)
            if call is not None:
                mended += yield from _if_open(call)
        return mended

    def _destination(self, url: str) -> Steps[tuple[str, int]]:
        """The id of the destination at this address, and whether it had to be made or woken."""
        there = yield from self._destinations()
        mine = next((one for one in there if one.delivery_config.get("endpoint") == url), None)
        config = {"endpoint": url, "verificationToken": self.secrets.verification_token}
        wanted = {"name": "Allot", "status": "ENABLED", "deliveryConfig": config}
        if mine is None:
            return (yield from self._make_destination(wanted)), 1
        if mine.status == "ENABLED":
            return mine.destination_id, 0
        path = f"{ROOT}/destination/{quote(mine.destination_id, safe='')}"
        yield from self._as_app(send_json("webhooks", "PUT", path, wanted, bucket=BUCKET, secret=True))
        return mine.destination_id, 1

    def _make_destination(self, wanted: dict[str, Any]) -> Steps[str]:
        path = f"{ROOT}/destination"
        call = send_json("webhooks", "POST", path, wanted, bucket=BUCKET, secret=True, repeatable=False)
        try:
            answer = yield from self._as_app(call)
        except Refused as error:
            if error.code != NEEDS_CONFIG or not self.settings.alert_email:
                raise
            config = {"alertEmail": self.settings.alert_email}
            yield from self._as_app(send_json("webhooks", "PUT", f"{ROOT}/config", config, bucket=BUCKET))
            answer = yield from self._as_app(call)
        return answer.headers.get("location", "").rpartition("/")[2]

    def _destinations(self) -> Steps[list[Destination]]:
        found: list[Destination] = []
        params: dict[str, str] = {"limit": str(PAGE)}
        while params:
            call = ask("webhooks", BUCKET, f"{ROOT}/destination", **params)
            page: Destinations = (yield from self._as_app(call)).json(Destinations)
            found += page.destinations
            params = next_params(page.next)
        return found

    def _subscriptions(self) -> Steps[list[Subscription]]:
        found: list[Subscription] = []
        params: dict[str, str] = {"limit": str(PAGE)}
        while params:
            page: Subscriptions = (yield ask("webhooks", BUCKET, f"{ROOT}/subscription", **params)).json(Subscriptions)
            found += page.subscriptions
            params = next_params(page.next)
        return found


def mend(topic: str, destination: str, mine: Subscription | None) -> Call | None:
    """What makes sure that a topic is told there; None when it is."""
    wanted = {"status": "ENABLED", "payload": PAYLOAD, "destinationId": destination}
    if mine is None:
        wanted["topicId"] = topic
        return send_json("webhooks", "POST", f"{ROOT}/subscription", wanted, bucket=BUCKET, repeatable=False)
    path = f"{ROOT}/subscription/{quote(mine.subscription_id, safe='')}"
    if mine.destination_id != destination:
        return send_json("webhooks", "PUT", path, wanted, bucket=BUCKET)
    if mine.status != "ENABLED":
        return Call(operation="webhooks", method="POST", path=f"{path}/enable", bucket=BUCKET)
    return None


def _if_open(call: Call) -> Steps[int]:
    """How many topics are told now: 0 where this one is not open to us."""
    try:
        yield call
    except Refused as error:
        if error.code != NOT_FOR_US:
            raise
        return 0
    return 1


def news_of(notice: Notice, seller: str) -> News:
    """What a notification says to this seller."""
    told, topic = notice.notification, notice.metadata.topic
    shipped = told.data.item_marked_shipped
    user = told.data.user
    about = {name for name in (user.user_id, user.username, shipped.username, shipped.public_user_id) if name}
    if seller and about and seller not in about:
        return News(told.notification_id, topic)
    orders: Sequence[str] = [id for id in (told.data.order.order_id, shipped.order_id) if id]
    return News(told.notification_id, topic, ask=orders)


def next_params(address: str) -> dict[str, str]:
    """The parameters of the next page's address; nothing of it but them is used. {} after the last one."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
