"""What eBay says of notifications, and in them, as types."""

import msgspec


class _Camel(msgspec.Struct, rename="camel", frozen=True):
    """A struct whose fields eBay spells in camel case."""


class Seal(msgspec.Struct, frozen=True):
    """What the header of a signature says: by which key, and the signature (base64 of DER)."""

    kid: str
    signature: str


class SaidKey(msgspec.Struct, frozen=True):
    """A key of eBay's: PEM without line ends."""

    key: str
    digest: str = "SHA1"


class Destination(_Camel, frozen=True):
    """An address that notifications go to: ENABLED, DISABLED, or MARKED_DOWN by eBay."""

    destination_id: str
    status: str = ""
    delivery_config: dict[str, str] = {}


class Destinations(_Camel, frozen=True):
    """A page of them."""

    destinations: list[Destination] = []
    next: str = ""


class Subscription(_Camel, frozen=True):
    """What is told, and where."""

    subscription_id: str
    topic_id: str = ""
    status: str = ""
    destination_id: str = ""


class Subscriptions(_Camel, frozen=True):
    """A page of them."""

    subscriptions: list[Subscription] = []
    next: str = ""


class Metadata(_Camel, frozen=True):
    """What a notification is about."""

    topic: str = ""


class User(_Camel, frozen=True):
    """The seller whose account it is about."""

    user_id: str = ""
    username: str = ""


class NamedOrder(_Camel, frozen=True):
    """An order, by its id."""

    order_id: str = ""


class MarkedShipped(_Camel, frozen=True):
    """A line that has left, by its order."""

    order_id: str = ""
    username: str = ""
    public_user_id: str = ""


class Data(_Camel, frozen=True):
    """What a notification tells: each topic has a field of its own."""

    user: User = User()
    order: NamedOrder = NamedOrder()
    item_marked_shipped: MarkedShipped = MarkedShipped()


class Told(_Camel, frozen=True):
    """What happened. The id is the same when it is sent again."""

    notification_id: str
    data: Data = Data()


class Notice(_Camel, frozen=True):
    """A notification."""

    metadata: Metadata
    notification: Told
