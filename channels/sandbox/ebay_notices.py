"""
eBay's notifications: destinations that prove themselves, subscriptions, and messages signed with a key of its own.

A message that is not taken is sent three times more, under the same id; a destination that does not take several
messages is marked down, and told nothing until it is woken.
"""

import base64
import hashlib
import itertools
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import httpx
import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .webhooks import Courier, Message

RETRIES: Final = 3
FAILURES_MAX: Final = 5
"""Messages in a row that were given up, and a destination is marked down."""

TOPICS: Final = ("ORDER_CONFIRMATION", "ITEM_MARKED_SHIPPED", "MARKETPLACE_ACCOUNT_DELETION")

Ask = Callable[[str], Awaitable[bytes]]
"""Asks an address, as GET; the body of its answer, empty for none."""


@dataclass
class Destination:
    """Where messages go, and how many were given up in a row."""

    id: str
    name: str
    endpoint: str
    token: str
    status: str = "ENABLED"
    failures: int = 0


@dataclass
class Subscription:
    """What is told there."""

    id: str
    topic: str
    destination: str
    status: str = "ENABLED"


class Board:
    """The notifications of one application. ask: how an address is asked whether it is its owner's; None: it is.

    Ids are numbered from behind `after`.
    """

    def __init__(self, courier: Courier, ask: Ask | None, user: dict[str, str], after: int = 0) -> None:
        self.courier, self.user = courier, user
        self.alert_email = "shop@example.org"
        self.closed_topics: set[str] = set()
        self.destinations: dict[str, Destination] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.asked: list[str] = []
        self._ask = ask
        self._ids = itertools.count(after + 1)
        self.turn_key()

    def turn_key(self) -> None:
        """Sign with another key from now on; the old ones stay published."""
        self.kid = f"key-{len(self.keys) + 1}"
        self.keys[self.kid] = ec.generate_private_key(ec.SECP256R1())

    # --- the interface: each answers a body and a status, or an error's number ----------------------------------

    def public_key(self, kid: str) -> tuple[dict[str, str], int] | int:
        """A key, as PEM without line ends."""
        if kid not in self.keys:
            return 195001
        public = self.keys[kid].public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        return {"key": pem.replace("\n", ""), "algorithm": "ECDSA", "digest": "SHA1"}, 200

    async def put_destination(self, id: str, asked: dict[str, Any]) -> tuple[str, int] | int:
        """Make a destination, or change one; its address must prove itself. Answers its id."""
        config = asked.get("deliveryConfig") or {}
        endpoint, token = config.get("endpoint", ""), config.get("verificationToken", "")
        if not self.alert_email:
            return 195003
        if asked.get("status") not in {"ENABLED", "DISABLED"}:
            return 195018
        if not 32 <= len(token) <= 80:
            return 195019
        if any(one.endpoint == endpoint and one.id != id for one in self.destinations.values()):
            return 195021
        if not await self._is_proved(endpoint, token):
            return 195020
        made = not id
        id = id or f"dest-{next(self._ids)}"
        self.destinations[id] = Destination(id, asked["name"], endpoint, token, asked["status"])
        return id, 201 if made else 204

    async def _is_proved(self, endpoint: str, token: str) -> bool:
        if self._ask is None:
            return True
        code = secrets.token_hex(16)
        answer = await self._ask(f"{endpoint}?challenge_code={code}")
        expected = hashlib.sha256((code + token + endpoint).encode()).hexdigest()
        try:
            return bool(msgspec.json.decode(answer) == {"challengeResponse": expected})
        except msgspec.DecodeError:
            return False

    def put_subscription(self, id: str, asked: dict[str, Any]) -> tuple[str, int] | int:
        """Make a subscription, or change one. Answers its id."""
        topic = self.subscriptions[id].topic if id else asked.get("topicId", "")
        destination = self.destinations.get(asked.get("destinationId", ""))
        if topic not in TOPICS:
            return 195027
        if topic in self.closed_topics:
            return 195011
        if destination is None:
            return 195007
        if destination.status != "ENABLED":
            return 195015
        if not id and any(one.topic == topic for one in self.subscriptions.values()):
            return 195012
        made = not id
        id = id or f"sub-{next(self._ids)}"
        self.subscriptions[id] = Subscription(id, topic, destination.id, asked["status"])
        return id, 201 if made else 204

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """All destinations or subscriptions, as they are told."""
        if kind == "destinations":
            return [_destination_json(one) for one in self.destinations.values()]
        return [_subscription_json(one) for one in self.subscriptions.values()]

    # --- messages -----------------------------------------------------------------------------------------------

    def tell(self, topic: str, data: dict[str, Any], now: str) -> None:
        """Something happened."""
        for one in self.subscriptions.values():
            destination = self.destinations[one.destination]
            if (one.topic, one.status, destination.status) == (topic, "ENABLED", "ENABLED"):
                told: dict[str, Any] = {"notificationId": f"n-{next(self._ids)}", "eventDate": now}
                told |= {"publishDate": now, "publishAttemptCount": 1, "data": data}
                metadata = {"topic": topic, "schemaVersion": "1.0", "deprecated": False}
                self._post(destination.endpoint, {"metadata": metadata, "notification": told})

    def _post(self, url: str, notice: dict[str, Any]) -> None:
        body = msgspec.json.encode(notice)
        signature = self.keys[self.kid].sign(body, ec.ECDSA(hashes.SHA1()))  # noqa: S303 - as eBay does
        seal = {"alg": "ecdsa", "kid": self.kid, "signature": base64.b64encode(signature).decode(), "digest": "SHA1"}
        header = base64.b64encode(msgspec.json.encode(seal)).decode()
        headers = {
            "Content-Type": "application/json",
            "X-EBAY-SIGNATURE": header,
            "X-Topic": notice["metadata"]["topic"],
        }
        self.courier.post(Message(url, headers, body))

    async def deliver(self) -> None:
        """Deliver what happened; what was not taken is for the next time."""
        for message, status in await self.courier.deliver():
            destination = next((one for one in self.destinations.values() if one.endpoint == message.url), None)
            if destination is None:
                continue
            if 200 <= status < 300:
                destination.failures = 0
                continue
            notice = msgspec.json.decode(message.body)
            notice["notification"]["publishAttemptCount"] += 1
            if notice["notification"]["publishAttemptCount"] <= 1 + RETRIES:
                self._post(message.url, notice)
                continue
            destination.failures += 1
            if destination.failures >= FAILURES_MAX:
                destination.status = "MARKED_DOWN"


async def ask_over(http: httpx.AsyncClient, url: str) -> bytes:
    """Ask an address over HTTP."""
    try:
        answer = await http.get(url)
    except httpx.HTTPError:
        return b""
    return answer.content if answer.status_code == 200 else b""


def _destination_json(one: Destination) -> dict[str, Any]:
    config = {"endpoint": one.endpoint, "verificationToken": one.token}
    return {"destinationId": one.id, "name": one.name, "status": one.status, "deliveryConfig": config}


def _subscription_json(one: Subscription) -> dict[str, Any]:
    payload = {"format": "JSON", "schemaVersion": "1.0", "deliveryProtocol": "HTTPS"}
    told = {"subscriptionId": one.id, "topicId": one.topic, "status": one.status, "payload": payload}
    return {**told, "destinationId": one.destination}
