"""What eBay says and hears, as types."""

from typing import Annotated, Any

import msgspec


class EbaySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    Which account, and how it sells.

    url: eBay's own sandbox has another. marketplace, language: of its listings. seller: the account's user id or name;
    with it, what is told of somebody else's account is passed over. carriers: eBay's codes by our names for them.
    alert_email: where eBay writes when notifications fail; it must be told once for each application. ends_listings:
    a listing may end when its last unit is gone, where eBay does not keep it without units. cancels: orders are
    cancelled through the interface; sellers in the EU and the UK need signed calls for that, which are not made.
    """

    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/?#]+\Z")] = "https://api.ebay.com"
    marketplace: Annotated[str, msgspec.Meta(pattern=r"^EBAY_[A-Z_]{2,20}\Z")] = "EBAY_US"
    language: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2}-[A-Z]{2}\Z")] = "en-US"
    seller: str = ""
    carriers: dict[str, str] = {}
    alert_email: str = ""
    ends_listings: bool = False
    cancels: bool = True


class EbaySecrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    The application's credentials, and what the seller has consented to.

    refresh_token: works for 18 months and is not changed by being used. verification_token: our own choice, by which we
    prove that an address is ours when eBay asks.
    """

    client_id: str
    client_secret: str
    refresh_token: str
    verification_token: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{32,80}\Z")]


class _Camel(msgspec.Struct, rename="camel", frozen=True):
    """A struct whose fields eBay spells in camel case."""


# --- errors -----------------------------------------------------------------------------------------------------


class Parameter(_Camel, frozen=True):
    """What an error is about."""

    name: str = ""
    value: str | None = ""


class SaidError(_Camel, frozen=True):
    """Why not. category: REQUEST is about what we asked for, APPLICATION about eBay itself."""

    error_id: int = 0
    domain: str = ""
    category: str = ""
    message: str = ""
    long_message: str | None = ""
    parameters: list[Parameter] = []

    @property
    def says(self) -> str:
        """All it says, in one line."""
        named = (f"{one.name}={one.value}" for one in self.parameters)
        return " ".join(filter(None, [self.long_message or self.message, *named]))


class SaidErrors(_Camel, frozen=True):
    """The body of an answer that is no success."""

    errors: list[SaidError] = []


class Grant(msgspec.Struct, frozen=True):
    """A token, and for how many seconds."""

    access_token: str
    expires_in: int


# --- stock ------------------------------------------------------------------------------------------------------


class Distribution(_Camel, frozen=True):
    """Units at one of the seller's locations."""

    merchant_location_key: str
    quantity: int = 0


class ShipTo(_Camel, frozen=True):
    """How many may be shipped to buyers, in all and by location."""

    quantity: int = 0
    availability_distributions: list[Distribution] = []


class Availability(_Camel, frozen=True):
    """How many there are."""

    ship_to_location_availability: ShipTo = ShipTo()


class Item(_Camel, frozen=True):
    """An inventory item: what its offers are of."""

    sku: str = ""
    availability: Availability = Availability()

    @property
    def units(self) -> int:
        """Of the item, whatever its offers say."""
        return self.availability.ship_to_location_availability.quantity

    @property
    def places(self) -> dict[str, int]:
        """By location, where the seller has told them apart."""
        rows = self.availability.ship_to_location_availability.availability_distributions
        return {row.merchant_location_key: row.quantity for row in rows}


class Items(_Camel, frozen=True):
    """A page of items; `next` is the address of the next one."""

    inventory_items: list[Item] = []
    next: str = ""


class GotItem(_Camel, frozen=True):
    """One item that was asked for among others, or why not."""

    sku: str = ""
    status_code: int = 0
    inventory_item: Item | None = None
    errors: list[SaidError] = []


class GotItems(_Camel, frozen=True):
    """Items that were asked for."""

    responses: list[GotItem] = []


class Offer(_Camel, frozen=True):
    """What puts an item on sale. available_quantity: a number of its own, None for the item's."""

    offer_id: str
    format: str = ""
    status: str = ""
    available_quantity: int | None = None

    @property
    def is_live(self) -> bool:
        """Whether it is a listing whose number can be set: an auction's cannot."""
        return self.status == "PUBLISHED" and self.format == "FIXED_PRICE"


class Offers(_Camel, frozen=True):
    """The offers of a sku: one, or two where it is auctioned as well."""

    offers: list[Offer] = []


class Set(_Camel, frozen=True):
    """What became of one number: an item's, or an offer's when it names one."""

    sku: str = ""
    offer_id: str = ""
    status_code: int = 0
    errors: list[SaidError] = []


class Sets(_Camel, frozen=True):
    """What became of the numbers of a push."""

    responses: list[Set] = []


class SellerProgram(_Camel, frozen=True):
    """Something the seller has opted in to."""

    program_type: str = ""


class Programs(_Camel, frozen=True):
    """All of them."""

    programs: list[SellerProgram] = []


# --- orders -----------------------------------------------------------------------------------------------------


class LineInstructions(_Camel, frozen=True):
    """By when a line must leave."""

    ship_by_date: str = ""


class Line(_Camel, frozen=True):
    """A line of an order."""

    line_item_id: str
    quantity: int = 0
    sku: str | None = ""
    legacy_item_id: str = ""
    legacy_variation_id: str = ""
    line_item_fulfillment_status: str = ""
    line_item_fulfillment_instructions: LineInstructions = LineInstructions()


class CancelRequest(_Camel, frozen=True):
    """Somebody wants it cancelled: REQUESTED, REJECTED or COMPLETED."""

    cancel_request_id: str = ""
    cancel_request_state: str = ""


class CancelStatus(_Camel, frozen=True):
    """Whether an order is or may be cancelled. Lists of orders have no requests, whatever the state."""

    cancel_state: str = "NONE_REQUESTED"
    cancel_requests: list[CancelRequest] = []


class Address(_Camel, frozen=True):
    """Where the goods go, no closer than routing needs."""

    country_code: str | None = ""
    state_or_province: str | None = ""


class Contact(_Camel, frozen=True):
    """To whom; nothing of it but the address is read."""

    contact_address: Address = Address()


class ShippingStep(_Camel, frozen=True):
    """How it is shipped. ship_to is eBay's own hub where eBay takes it abroad."""

    ship_to: Contact = Contact()


class Start(_Camel, frozen=True):
    """How an order is to be fulfilled, and by whom."""

    fulfillment_instructions_type: str = ""
    shipping_step: ShippingStep = ShippingStep()


class Payment(_Camel, frozen=True):
    """A payment, once it is made."""

    payment_date: str = ""


class PaymentSummary(_Camel, frozen=True):
    """What was paid."""

    payments: list[Payment] = []


class SaidOrder(_Camel, frozen=True):
    """An order whose checkout is complete; of others eBay says nothing."""

    order_id: str
    creation_date: str
    last_modified_date: str
    legacy_order_id: str = ""
    order_payment_status: str = ""
    order_fulfillment_status: str = ""
    cancel_status: CancelStatus = CancelStatus()
    payment_summary: PaymentSummary = PaymentSummary()
    fulfillment_start_instructions: list[Start] = []
    line_items: list[Line] = []


class SaidOrders(_Camel, frozen=True):
    """A page of orders, which are read each for itself (SaidOrder); `total` of all pages."""

    total: int = 0
    orders: list[dict[str, Any]] = []


class ShippedLine(_Camel, frozen=True):
    """Units of a line in a parcel."""

    line_item_id: str
    quantity: int = 1


class Shipment(_Camel, frozen=True):
    """A parcel that was told already."""

    line_items: list[ShippedLine] = []
    shipment_tracking_number: str | None = ""
    shipped_date: str = ""


class Shipments(_Camel, frozen=True):
    """All parcels of an order."""

    fulfillments: list[Shipment] = []


class Eligibility(_Camel, frozen=True):
    """Whether an order may be cancelled at all."""

    eligible: bool = True
    failure_reason: list[Any] | str = ""


class Cancelled(_Camel, frozen=True):
    """What became of a cancellation."""

    cancel_id: str = ""
    order_eligibility_result: Eligibility | None = None
