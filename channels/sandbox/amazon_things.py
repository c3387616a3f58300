"""What Amazon's sandbox has, and how it says it: listings, orders, feeds and notifications as JSON."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec
from starlette.responses import Response

OWN: Final = "DEFAULT"
V0: Final = {
    "PENDING": "Pending",
    "UNSHIPPED": "Unshipped",
    "PARTIALLY_SHIPPED": "PartiallyShipped",
    "SHIPPED": "Shipped",
    "CANCELLED": "Canceled",
}
"""Notifications still have the statuses of the older interface."""


@dataclass
class Listing:
    """A listing, with how many there are by who ships them."""

    sku: str
    availability: list[dict[str, Any]]
    created_ms: int
    product_type: str = "LUGGAGE"

    def patched(self, patch: dict[str, Any]) -> None:
        """Merging keeps what is not named, replacing does not; another fulfilment channel is one more entry."""
        values = patch["value"]
        if patch["op"] == "replace":
            self.availability = [dict(value) for value in values]
            return
        for value in values:
            code = value["fulfillment_channel_code"]
            there = next((one for one in self.availability if one["fulfillment_channel_code"] == code), None)
            if there is None:
                self.availability.append(dict(value))
            else:
                there.update(value)

    @property
    def own(self) -> int | None:
        """The seller's own units, None for what Amazon alone ships."""
        own = (one.get("quantity") for one in self.availability if one["fulfillment_channel_code"] == OWN)
        return next(own, None)

    @property
    def is_amazons(self) -> bool:
        """Whether Amazon ships it."""
        return self.own is None

    def json(self, market: str, included: set[str]) -> dict[str, Any]:
        """As the Listings Items API has it."""
        said: dict[str, Any] = {"sku": self.sku}
        if "summaries" in included:
            made = iso(self.created_ms)
            summary = {"marketplaceId": market, "productType": self.product_type, "status": ["BUYABLE"]}
            said["summaries"] = [{**summary, "createdDate": made, "lastUpdatedDate": made}]
        if "fulfillmentAvailability" in included:
            said["fulfillmentAvailability"] = [_availability(one) for one in self.availability]
        if "issues" in included:
            said["issues"] = []
        return said


def _availability(one: dict[str, Any]) -> dict[str, Any]:
    quantity = {"quantity": one["quantity"]} if "quantity" in one else {}
    return {"fulfillmentChannelCode": one["fulfillment_channel_code"], **quantity}


@dataclass
class Order:
    """An order of one line."""

    id: str
    line: str
    sku: str
    units: int
    market: str
    country: str
    created_ms: int
    updated_ms: int
    is_amazons: bool = False
    status: str = "PENDING"
    wanted_off: bool = False
    cancelled_by: str = ""
    packages: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def shipped(self) -> int:
        """Units in packages."""
        return sum(row["quantity"] for package in self.packages.values() for row in package["orderItems"])

    def json(self, included: set[str]) -> dict[str, Any]:
        """As the Orders API 2026-01-01 has it; who ordered is not told before the payment is authorised."""
        said: dict[str, Any] = {
            "orderId": self.id,
            "createdTime": iso(self.created_ms),
            "lastUpdatedTime": iso(self.updated_ms),
            "salesChannel": {"channelName": "AMAZON", "marketplaceId": self.market},
            "orderItems": [self._line(included)],
        }
        if "RECIPIENT" in included and self.status != "PENDING":
            address = {"name": "Ann Olsen", "addressLine1": "Storgata 1", "city": "Oslo", "postalCode": "0155"}
            said["recipient"] = {"deliveryAddress": {**address, "countryCode": self.country, "stateOrRegion": "Oslo"}}
        if "FULFILLMENT" in included:
            window = {"earliestDateTime": iso(self.created_ms), "latestDateTime": iso(self.created_ms + 172_800_000)}
            by = "AMAZON" if self.is_amazons else "MERCHANT"
            said["fulfillment"] = {"fulfillmentStatus": self.status, "fulfilledBy": by, "shipByWindow": window}
        return said

    def _line(self, included: set[str]) -> dict[str, Any]:
        said: dict[str, Any] = {
            "orderItemId": self.line,
            "quantityOrdered": self.units,
            "product": {"sellerSku": self.sku, "asin": "B000000001", "title": self.sku},
        }
        if "FULFILLMENT" in included:
            left = 0 if self.status in {"PENDING", "CANCELLED"} else self.units - self.shipped
            said["fulfillment"] = {"quantityFulfilled": self.shipped, "quantityUnfulfilled": left}
        if "CANCELLATION" in included and (self.wanted_off or self.cancelled_by):
            said["cancellation"] = {}
            if self.wanted_off:
                said["cancellation"]["cancellationRequest"] = {"requester": "BUYER", "cancelReason": "Mistake"}
            if self.cancelled_by:
                done = {"cancelledBy": self.cancelled_by, "cancelReason": "Mistake"}
                said["cancellation"]["cancellationExecution"] = done
        return said

    def change(self, seller: str, kind: str) -> dict[str, Any]:
        """The payload of a notification that it changed."""
        line = {"OrderItemId": self.line, "SellerSKU": self.sku, "SupplySourceId": None, "Quantity": self.units}
        line |= {"QuantityShipped": self.shipped, "IsBuyerRequestedCancel": self.wanted_off}
        summary = {
            "MarketplaceId": self.market,
            "OrderStatus": V0[self.status],
            "PurchaseDate": iso(self.created_ms),
            "DestinationPostalCode": None if self.status == "PENDING" else "0155",
            "FulfillmentType": "AFN" if self.is_amazons else "MFN",
            "OrderType": "StandardOrder",
            "OrderItems": [line],
        }
        change = {
            "NotificationLevel": "OrderLevel",
            "SellerId": seller,
            "AmazonOrderId": self.id,
            "OrderChangeType": kind,
            "OrderChangeTrigger": {"TimeOfOrderChange": iso(self.updated_ms), "ChangeReason": kind},
            "Summary": summary,
        }
        return {"OrderChangeNotification": change}


@dataclass
class Document:
    """A document of a feed, behind an address that lets in until a moment."""

    id: str
    signature: str
    until_ms: int
    content_type: str = ""
    body: bytes = b""


@dataclass
class Feed:
    """A feed on its way."""

    id: str
    type: str
    market: str
    document: str
    made_ms: int
    status: str = "IN_QUEUE"
    report: str = ""

    def json(self) -> dict[str, Any]:
        """As the Feeds API has it."""
        said = {"feedId": self.id, "feedType": self.type, "marketplaceIds": [self.market]}
        said |= {"createdTime": iso(self.made_ms), "processingStatus": self.status}
        return {**said, "resultFeedDocumentId": self.report} if self.report else said

    def finished(self, seller: str) -> dict[str, Any]:
        """The payload of a notification that it is done with."""
        said = {"sellerId": seller, "accountId": f"amzn1.merchant.o.{seller}", "feedId": self.id, "feedType": self.type}
        said |= {"processingStatus": self.status}
        if self.report:
            said["resultFeedDocumentId"] = self.report
        return {"feedProcessingFinishedNotification": said}


class Reported(NamedTuple):
    """What became of a feed's messages."""

    issues: list[dict[str, Any]]
    items: list[dict[str, Any]]

    def body(self, header: dict[str, Any], feed: str) -> bytes:
        """The report."""
        summary = {"errors": len(self.issues), "warnings": 0, "messagesInvalid": len(self.issues)}
        summary |= {"messagesAccepted": len(self.items), "messagesProcessed": len(self.items) + len(self.issues)}
        said = {name: header[name] for name in ("sellerId", "version", "report") if name in header}
        report: dict[str, Any] = {"header": {**said, "feedId": feed}, "issues": self.issues, "summary": summary}
        if "report" in header:
            report["items"] = self.items
        return msgspec.json.encode(report)


def notification(type: str, payload: dict[str, Any], subscription: str, at_ms: int, id: str) -> dict[str, Any]:
    """A notification as it is put into a queue; that of a feed spells its names with small letters."""
    meta = {"ApplicationId": "amzn1.sellerapps.app.1", "SubscriptionId": subscription}
    meta |= {"PublishTime": iso(at_ms), "NotificationId": id}
    said = {"NotificationType": type, "PayloadVersion": "1.0", "EventTime": iso(at_ms)}
    if type != "FEED_PROCESSING_FINISHED":
        return {"NotificationVersion": "1.0", **said, "Payload": payload, "NotificationMetadata": meta}
    small = _small({"NotificationVersion": "2020-09-04", **said})
    return {**small, "payload": payload, "notificationMetadata": _small(meta)}


def _small(said: dict[str, str]) -> dict[str, Any]:
    return {name[0].lower() + name[1:]: value for name, value in said.items()}


def event(type: str, detail: dict[str, Any], bus: dict[str, str], at_ms: int) -> dict[str, Any]:
    """The same as an event of EventBridge."""
    return {
        "version": "0",
        "id": detail["NotificationMetadata"]["NotificationId"],
        "detail-type": type,
        "source": bus["name"],
        "account": bus["accountId"],
        "region": bus["region"],
        "time": iso(at_ms),
        "resources": [],
        "detail": detail,
    }


def iso(ms: int) -> str:
    """A time as Amazon writes it."""
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def answer(body: Any, status: int = 200) -> Response:
    """A body as an answer."""
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def problem(status: int, code: str, message: str, details: str = "") -> Response:
    """An error as all of these interfaces have it."""
    return answer({"errors": [{"code": code, "message": message, "details": details}]}, status)


def issue(sku: str) -> dict[str, Any]:
    """What is wrong with a message or a patch."""
    return {"code": "90220", "message": f"'quantity' of {sku} is not valid.", "severity": "ERROR"}
