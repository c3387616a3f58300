"""The notifications of Amazon's sandbox: destinations, subscriptions, and whoever forwards them from there to us."""

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from .amazon_things import answer, event, notification, problem
from .amazon_timer import Timer
from .webhooks import Courier, Message

QUEUED: Final = ("ORDER_CHANGE", "FEED_PROCESSING_FINISHED")
"""Types that go to a queue and to no event bus; the others the other way round."""


class Notices:
    """All destinations and subscriptions; `forwarded_to` is where the queue and the bus lead on to, with `secret`."""

    def __init__(self, timer: Timer, courier: Courier, secret: str) -> None:
        self.forwarded_to = ""
        self.destinations: dict[str, dict[str, Any]] = {}
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self._timer, self._courier, self._secret = timer, courier, secret

    def tell(self, type: str, payload: dict[str, Any]) -> None:
        """Something happened; nobody hears of it who has not subscribed."""
        subscription = self.subscriptions.get(type)
        place = self.destinations.get(subscription["destinationId"]) if subscription else None
        if not subscription or not place or not self.forwarded_to:
            return
        now_ms, id = self._timer.now_ms(), f"n-{self._timer.number()}"
        said = notification(type, payload, subscription["subscriptionId"], now_ms, id)
        bus = place["resource"].get("eventBridge")
        body = event(type, said, bus, now_ms) if bus else said
        headers = {"Content-Type": "application/json", "X-Allot-Webhook-Secret": self._secret}
        self._courier.post(Message(self.forwarded_to, headers, msgspec.json.encode(body)))

    async def list_destinations(self, request: Request) -> Response:
        """All there are."""
        return answer({"payload": list(self.destinations.values())})

    async def new_destination(self, request: Request) -> Response:
        """One more."""
        asked, id = await request.json(), f"dest-{self._timer.number()}"
        resource = asked["resourceSpecification"]
        if bus := resource.get("eventBridge"):
            name = f"aws.partner/sellingpartnerapi.amazon.com/{bus['accountId']}/amzn1.sellerapps.app.1"
            resource = {"eventBridge": {**bus, "name": name}}
        self.destinations[id] = {"destinationId": id, "name": asked["name"], "resource": resource}
        return answer({"payload": self.destinations[id]})

    async def subscription(self, request: Request) -> Response:
        """That of a type."""
        there = self.subscriptions.get(request.path_params["type"])
        return answer({"payload": there}) if there else problem(404, "NotFound", "There is no such subscription")

    async def subscribe(self, request: Request) -> Response:
        """One for a type; not every type goes everywhere, or without a filter."""
        type, asked = request.path_params["type"], await request.json()
        place = self.destinations.get(asked["destinationId"])
        if place is None or ("sqs" in place["resource"]) != (type in QUEUED):
            return problem(
                400, "InvalidInput", "Invalid", f"Notification type {type} does not support this destination"
            )
        if type == "ORDER_CHANGE" and not asked.get("processingDirective"):
            return problem(400, "InvalidInput", "Invalid", "Processing Directive eventFilter must not be empty")
        if type in self.subscriptions:
            return problem(409, "StateConflict", "The resource specified conflicts with the current state.")
        self.subscriptions[type] = {"subscriptionId": f"sub-{self._timer.number()}", **asked}
        return answer({"payload": self.subscriptions[type]})

    async def unsubscribe(self, request: Request) -> Response:
        """No more of a type."""
        self.subscriptions.pop(request.path_params["type"], None)
        return answer({})
