"""Orders of channels as they are kept: the picture a channel gave, and what was made of it."""

from collections.abc import Mapping

import msgspec

from app.store.heard import HeardFacts, Told
from channels.base import Order

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode_order = msgspec.json.Decoder(Order).decode


class FollowedLine(msgspec.Struct, frozen=True):
    """
    A line of a channel's order as our order has it.

    sku and pack: what its listing was when the line came. wanted: units of the sku that the channel wanted of it when
    it was followed last; 0 before.
    """

    sku: str
    pack: int
    wanted: int = 0


class Followed(msgspec.Struct, frozen=True):
    """
    What was made of a channel's order. attempt: of the order that is, or is to be, placed for it.

    channel: ours, that its order belongs to, '' before there is any: a connection may get another one later.
    """

    channel: str = ""
    attempt: int = 1
    lines: Mapping[str, FollowedLine] = {}


_decode_followed = msgspec.json.Decoder(Followed).decode


def told_of(order: Order) -> Told:
    """An order as it is kept."""
    return Told(order.external_id, order.revision, order.placed_ms, _encode(order).decode())


def picture_of(heard: HeardFacts) -> Order:
    """The order as the channel told it last."""
    return _decode_order(heard.picture)


def followed_of(heard: HeardFacts) -> Followed:
    """What was made of it so far."""
    return _decode_followed(heard.followed) if heard.followed else Followed()


def written(followed: Followed) -> str:
    """The same as text."""
    return _encode(followed).decode()
