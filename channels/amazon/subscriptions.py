"""
Sees to it that notifications are sent: to a queue those of orders and feeds, to an event bus those of listings.

Each type has one kind of destination only. Destinations belong to the application, and are spoken of with a token that
no seller has to consent to; subscriptions belong to the seller.
"""

from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

import msgspec

from channels.errors import Refused
from channels.wire import Call, Steps, get, send_form, send_json

from .bodies import read
from .words import (
    AmazonSecrets,
    AmazonSettings,
    Bus,
    Destination,
    Destinations,
    NewToken,
    OneDestination,
    OneSubscription,
    Queue,
    Resource,
    Subscription,
)

SCOPE: Final = "sellingpartnerapi::notifications"
VERSION: Final = "1.0"

QUEUED: Final = ("ORDER_CHANGE", "FEED_PROCESSING_FINISHED")
BUSSED: Final = ("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", "LISTINGS_ITEM_ISSUES_CHANGE")

FILTERS: Final = {
    "ORDER_CHANGE": {
        "eventFilter": {
            "eventFilterType": "ORDER_CHANGE",
            "orderChangeTypes": ["OrderStatusChange", "BuyerRequestedChange"],
        }
    }
}
"""What some types cannot be subscribed to without."""

TOKEN_PATH: Final = "/auth/o2/token"  # noqa: S105 - an address
AGENT: Final = "Allot/1.0 (Language=Python)"


class Wanted(NamedTuple):
    """Notifications of these types are to go there."""

    resource: Resource
    types: tuple[str, ...]


def ensure(settings: AmazonSettings, secrets: AmazonSecrets) -> Steps[int]:
    """Make what is missing; how many destinations and subscriptions had to be made. Raises Refused."""
    wanted = _wanted(settings)
    if not wanted:
        return 0
    token = yield from _token(settings, secrets)
    answer = yield _as_application(get("destinations", "/notifications/v1/destinations"), token)
    there = read(answer, Destinations).payload
    made = 0
    for one in wanted:
        found = next((place for place in there if place.resource == one.resource), None)
        place = found or (yield from _new_destination(one.resource, token))
        made += found is None
        others = {other.destination_id for other in there} - {place.destination_id}
        for type in one.types:
            made += yield from _subscribed(type, place, others, token)
    return made


def _wanted(settings: AmazonSettings) -> list[Wanted]:
    wanted = []
    if settings.queue:
        wanted.append(Wanted(Resource(sqs=Queue(settings.queue)), QUEUED))
    if settings.bus_account:
        wanted.append(Wanted(Resource(event_bridge=Bus(settings.bus_account, settings.bus_region)), BUSSED))
    return wanted


def _subscribed(type: str, place: Destination, others: AbstractSet[str], token: str) -> Steps[bool]:
    """Whether a subscription had to be made; one to a destination that is gone is replaced."""
    path = f"/notifications/v1/subscriptions/{type}"
    there = yield from _subscription(path)
    if there and there.destination_id == place.destination_id:
        return False
    if there and there.destination_id in others:
        raise Refused(f"{type} goes to another destination of the application already", "subscribed_elsewhere")
    if there:
        delete = Call(operation="unsubscribe", method="DELETE", path=f"{path}/{there.subscription_id}")
        yield _as_application(delete, token)
    body: dict[str, Any] = {"payloadVersion": VERSION, "destinationId": place.destination_id}
    if type in FILTERS:
        body["processingDirective"] = FILTERS[type]
    yield send_json("subscribe", "POST", path, body)
    return True


def _subscription(path: str) -> Steps[Subscription | None]:
    try:
        answer = yield get("subscription", path, payloadVersion=VERSION)
    except Refused as error:
        if error.status != 404:
            raise
        return None
    return read(answer, OneSubscription).payload


def _new_destination(resource: Resource, token: str) -> Steps[Destination]:
    body = {"name": "Allot", "resourceSpecification": {name: inner for name, inner in _fields(resource) if inner}}
    call = send_json("destination", "POST", "/notifications/v1/destinations", body)
    answer = yield _as_application(call, token)
    return read(answer, OneDestination).payload


def _fields(resource: Resource) -> list[tuple[str, Any]]:
    return list(msgspec.to_builtins(resource).items())


# --- as the application -----------------------------------------------------------------------------------------


def _token(settings: AmazonSettings, secrets: AmazonSecrets) -> Steps[str]:
    fields = {
        "grant_type": "client_credentials",
        "scope": SCOPE,
        "client_id": secrets.client_id,
        "client_secret": secrets.client_secret,
    }
    answer = yield send_form("token", settings.login + TOKEN_PATH, fields, authorized=False, secret=True)
    return read(answer, NewToken).access_token


def _as_application(call: Call, token: str) -> Call:
    headers = {**call.headers, "x-amz-access-token": token, "user-agent": AGENT}
    return msgspec.structs.replace(call, headers=headers, authorized=False)
