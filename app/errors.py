"""
What the service itself refuses, before or beside the allocator.

    RequestRefused
    ├── NoKey             no API key, or one that is not good
    ├── ScopeMissing      the key's role may not do this
    ├── OutsideLimits     the key is limited to other channels or locations
    ├── BeyondOwnRights   a key may not give or touch more rights than it has
    ├── KeyUnknown        the seller has no such key
    ├── RotationUnderWay  two keys of this rotation are valid already
    ├── RateLimited       too many requests
    ├── OpKeyMissing      a change without an Idempotency-Key
    ├── Malformed         the body is not JSON
    ├── Unfit             JSON, a path or a query of another form than documented
    ├── Behind            SQL does not have yet what the answer must be as new as
    ├── LedgerFull        too much of what happened is not in SQL yet
    ├── TooManyStreams    the process has as many streams of events as it may have
    ├── TransferUnknown   the seller has no such transfer
    ├── WebhookUnknown    the seller has no such webhook
    ├── DeliveryUnknown   the seller has no such delivery of a webhook
    ├── WebhookDisabled   nothing is sent to a webhook that is disabled
    ├── TooManyWebhooks   the seller has as many webhooks as he may have
    ├── ConnectionUnknown the seller has no such connection to a channel
    ├── TooManyConnections  the seller has as many connections as he may have
    ├── ChannelConnected  another connection leads to this channel
    ├── SignatureWrong    what tills sent is not signed as it must be
    ├── WebhookForged     a webhook that its channel has not sent
    ├── ChannelAway       a webhook that cannot be proved without its channel, which does not answer
    ├── Unsealable        what was sealed was sealed with another key
    ├── CountUnknown      the seller has no such count
    ├── CountStands       the count is not in a state for this
    ├── SecondPerson      who sent a count may not release it
    └── BodyTooLarge      more bytes than the service reads
    KeysUnknown           the database that knows the keys does not answer
    LevelUnreachable      nothing here can acknowledge at the level that is asked for
    NotInLedger           it was done, but SQL does not have it yet

`where` names the place: "body /lines/0/units", "path sku", "query channel", "header Authorization".
"""

from collections.abc import Sequence


class RequestRefused(Exception):
    """The request cannot be understood or is not allowed; nothing was done."""

    def __init__(self, detail: str = "", *, where: str = "", allowed: Sequence[str] = ()) -> None:
        super().__init__(detail or (self.__doc__ or "").strip())
        self.where = where
        self.allowed = list(allowed)


class NoKey(RequestRefused):
    """A good API key is needed."""


class ScopeMissing(RequestRefused):
    """The key's role may not do this."""


class OutsideLimits(RequestRefused):
    """The key is limited to other channels or locations."""


class BeyondOwnRights(RequestRefused):
    """A key may neither give nor touch more rights than it has itself."""


class KeyUnknown(RequestRefused):
    """The seller has no such key."""


class RotationUnderWay(RequestRefused):
    """Two keys of this rotation are valid already, or the key has ended."""


class RateLimited(RequestRefused):
    """Too many requests; `headers` say when there may be more."""

    def __init__(self, detail: str, *, headers: dict[str, str], where: str = "") -> None:
        super().__init__(detail, where=where)
        self.headers = headers


class OpKeyMissing(RequestRefused):
    """A change needs an Idempotency-Key."""


class Malformed(RequestRefused):
    """The body is not JSON."""


class Unfit(RequestRefused):
    """The request does not have the documented form."""


class BodyTooLarge(RequestRefused):
    """The body has more bytes than are read."""


class TooManyStreams(RequestRefused):
    """This process has as many streams of events as it may have."""


class Behind(RequestRefused):
    """SQL does not have yet what the answer must be as new as."""


class LedgerFull(RequestRefused):
    """Too much of what happened is in Valkey alone, because SQL does not take it."""


class TransferUnknown(RequestRefused):
    """The seller has no such transfer, or SQL does not know of it yet."""


class WebhookUnknown(RequestRefused):
    """The seller has no such webhook."""


class DeliveryUnknown(RequestRefused):
    """The seller has no such delivery."""


class WebhookDisabled(RequestRefused):
    """Nothing is sent to a webhook that is disabled."""


class TooManyWebhooks(RequestRefused):
    """The seller has as many webhooks as he may have."""


class ConnectionUnknown(RequestRefused):
    """The seller has no such connection to a channel."""


class TooManyConnections(RequestRefused):
    """The seller has as many connections as he may have."""


class ChannelConnected(RequestRefused):
    """Another connection of the seller leads to this channel."""


class SignatureWrong(RequestRefused):
    """The body is not signed with the connection's secret, or was some time ago."""


class WebhookForged(RequestRefused):
    """The webhook is not from its channel."""


class ChannelAway(RequestRefused):
    """The channel does not answer, and has to be asked about its webhook."""


class Unsealable(RequestRefused):
    """It was sealed with another key, for something else, or was changed since."""


class CountUnknown(RequestRefused):
    """The seller has no such count, or it is another key's to go on with."""


class CountStands(RequestRefused):
    """The count is not in a state for this."""


class SecondPerson(RequestRefused):
    """A count is released by another key than the one that sent it."""


class KeysUnknown(Exception):
    """The API key could not be checked, because the database does not answer."""


class LevelUnreachable(Exception):
    """The level that is asked for cannot be reached here; nothing was done."""


class NotInLedger(Exception):
    """It was done, but SQL does not have it yet."""
