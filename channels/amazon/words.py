"""What Amazon says and hears, as types."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

AMAZON: Final = "AMAZON"
MERCHANT: Final = "MERCHANT"
"""Who ships: an order, or what a listing sells."""

Host = Annotated[str, msgspec.Meta(pattern=r"^https?://[^/?#]+\Z")]


class AmazonSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    Whose account, and where its notifications go.

    url: the region's endpoint. marketplaces: those whose orders are ours; listings are those of the first. queue: the
    ARN of the SQS queue for notifications of orders and feeds, which Amazon sends nowhere else; bus_account and
    bus_region: whose event bus those of listings go to; '' for none. fba: whether orders that Amazon ships are told
    too. ship_to: whether to ask where goods go, which needs the role for it. carriers: Amazon's codes, by our words.
    """

    url: Host = "https://sellingpartnerapi-na.amazon.com"
    login: Host = "https://api.amazon.com"
    seller: Annotated[str, msgspec.Meta(min_length=1)]
    marketplaces: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=25)]
    locale: str = "en_US"
    queue: Annotated[str, msgspec.Meta(pattern=r"^(arn:aws:sqs:\S+:\S+:\S+)?\Z")] = ""
    bus_account: Annotated[str, msgspec.Meta(pattern=r"^([0-9]{12})?\Z")] = ""
    bus_region: str = ""
    fba: bool = False
    ship_to: bool = True
    carriers: Mapping[str, str] = {}


class AmazonSecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    The application's credentials and the seller's consent to it.

    webhook_secret: what whoever forwards notifications sends with each in the header X-Allot-Webhook-Secret;
    previous_webhook_secret while it is rotated.
    """

    client_id: str
    client_secret: str
    refresh_token: str
    webhook_secret: str = ""
    previous_webhook_secret: str = ""


class _Camel(msgspec.Struct, rename="camel", frozen=True):
    """A struct whose fields Amazon spells in camel case."""


# --- errors -----------------------------------------------------------------------------------------------------


class Error(_Camel, frozen=True):
    """Why a call was not answered."""

    code: str = ""
    message: str = ""
    details: str = ""


class Errors(_Camel, frozen=True):
    """The body of an answer that is no success; the login service has other names for the same."""

    errors: list[Error] = []
    error: str = ""
    description: str = msgspec.field(name="error_description", default="")


# --- listings ---------------------------------------------------------------------------------------------------


class Issue(_Camel, frozen=True):
    """What is wrong with a listing or with what was sent for it."""

    code: str = ""
    message: str = ""
    severity: str = "ERROR"


class Submission(_Camel, frozen=True):
    """What became of a patch: ACCEPTED is no more than put in line."""

    status: str
    issues: list[Issue] = []


class Availability(_Camel, frozen=True):
    """How many there are, by who ships them; of what Amazon ships there is no number here."""

    fulfillment_channel_code: str
    quantity: int | None = None


class Summary(_Camel, frozen=True):
    """A listing in one marketplace."""

    product_type: str = ""
    created_date: str = ""


class Item(_Camel, frozen=True):
    """A listing."""

    sku: str
    summaries: list[Summary] = []
    fulfillment_availability: list[Availability] = []


class Pagination(_Camel, frozen=True):
    """Where there is more."""

    next_token: str = ""


class Items(_Camel, frozen=True):
    """A page of listings. Of all that were found no more than a thousand can be turned to."""

    number_of_results: int = 0
    pagination: Pagination = Pagination()
    items: list[Item] = []


# --- orders -----------------------------------------------------------------------------------------------------


class Product(_Camel, frozen=True):
    """What a line is of."""

    seller_sku: str = ""


class Request(_Camel, frozen=True):
    """Who wants a line to be cancelled."""

    requester: str = ""


class Cancellation(_Camel, frozen=True):
    """What was asked for, and what has been done about it."""

    cancellation_request: Request | None = None
    cancellation_execution: dict[str, Any] | None = None


class LineFulfillment(_Camel, frozen=True):
    """How far a line has got."""

    quantity_fulfilled: int = 0
    quantity_unfulfilled: int | None = None


class Line(_Camel, frozen=True):
    """A line of an order."""

    order_item_id: str
    quantity_ordered: int
    product: Product = Product()
    cancellation: Cancellation = Cancellation()
    fulfillment: LineFulfillment = LineFulfillment()


class Span(_Camel, frozen=True):
    """A window of time."""

    latest_date_time: str = ""


class Fulfillment(_Camel, frozen=True):
    """How far an order has got, and who ships it."""

    fulfillment_status: str
    fulfilled_by: str = MERCHANT
    ship_by_window: Span = Span()


class Address(_Camel, frozen=True):
    """Where the goods go, no closer than routing needs."""

    country_code: str = ""
    state_or_region: str = ""


class Recipient(_Camel, frozen=True):
    """Who gets the goods: only where."""

    delivery_address: Address = Address()


class SalesChannel(_Camel, frozen=True):
    """Where it was ordered."""

    marketplace_id: str = ""


class SaidOrder(_Camel, frozen=True):
    """An order."""

    order_id: str
    created_time: str
    last_updated_time: str
    fulfillment: Fulfillment
    order_items: list[Line] = []
    recipient: Recipient = Recipient()
    sales_channel: SalesChannel = SalesChannel()


class Whole(_Camel, frozen=True):
    """One order as an answer."""

    order: SaidOrder


class Orders(_Camel, frozen=True):
    """
    A page of orders, which are read each for itself (SaidOrder).

    The window ends at `last_updated_before`, whenever it was asked to end.
    """

    orders: list[dict[str, Any]] = []
    pagination: Pagination = Pagination()
    last_updated_before: str = ""


# --- feeds ------------------------------------------------------------------------------------------------------


class Document(_Camel, frozen=True):
    """Where a document of a feed is put, or got from; the address itself lets in, for minutes."""

    feed_document_id: str
    url: str


class FeedId(_Camel, frozen=True):
    """A feed that was taken."""

    feed_id: str


class Feed(_Camel, frozen=True):
    """How far a feed has got; its report is there once it is DONE, and sometimes when it is FATAL."""

    processing_status: str
    result_feed_document_id: str = ""


class ReportIssue(_Camel, frozen=True):
    """What is wrong with a message of a feed; with the whole feed when it names no sku."""

    message: str = ""
    severity: str = "ERROR"
    sku: str = ""
    code: str = ""


class Report(_Camel, frozen=True):
    """What became of a feed's messages: those in `issues` were not taken, the listings of the others are in `items`."""

    issues: list[ReportIssue] = []
    items: list[Item] = []


# --- notifications ----------------------------------------------------------------------------------------------


class Queue(_Camel, frozen=True):
    """An SQS queue."""

    arn: str


class Bus(_Camel, frozen=True):
    """Whose event bus."""

    account_id: str
    region: str


class Resource(_Camel, frozen=True):
    """Where a destination is: one of these."""

    sqs: Queue | None = None
    event_bridge: Bus | None = None


class Destination(_Camel, frozen=True):
    """Where notifications can be sent."""

    destination_id: str
    resource: Resource = Resource()


class Destinations(_Camel, frozen=True):
    """All destinations of an application."""

    payload: list[Destination] = []


class OneDestination(_Camel, frozen=True):
    """A destination as an answer."""

    payload: Destination


class Subscription(_Camel, frozen=True):
    """Notifications of one type go to a destination."""

    subscription_id: str
    destination_id: str


class OneSubscription(_Camel, frozen=True):
    """A subscription as an answer."""

    payload: Subscription


class NewToken(msgspec.Struct, frozen=True):
    """What the login service answers; times in seconds."""

    access_token: str
    expires_in: int
