"""The kinds of problems with connections to channels."""

from typing import Final

from .errors import (
    ChannelAway,
    ChannelConnected,
    ConnectionUnknown,
    SignatureWrong,
    TooManyConnections,
    Unsealable,
    WebhookForged,
)
from .problem_kinds import Kind

CHANNEL_KINDS: Final[dict[type[Exception], Kind]] = {
    ConnectionUnknown: Kind(
        404,
        "unknown-connection",
        "There is no such connection",
        "The seller has no connection to a channel with this code.",
        "GET /v1/connections lists the connections.",
    ),
    TooManyConnections: Kind(
        409,
        "too-many-connections",
        "There are as many connections as there may be",
        "The seller has the most connections to channels that he may have.",
        "Delete one that is not needed any more.",
    ),
    ChannelConnected: Kind(
        409,
        "channel-connected",
        "The channel has a connection already",
        "Orders go by our channel and the id that they have there: of two connections one could change or cancel the "
        "other's orders.",
        "Change the connection that the problem names, or delete it first; or make a channel of its own for this one.",
    ),
    SignatureWrong: Kind(
        403,
        "wrong-signature",
        "The body is not signed as it must be",
        "The connection has a secret, and the header X-Signature is missing, not of these very bytes, or of more than "
        "300 seconds ago or ahead.",
        "Sign the raw body with the connection's secret each time that you send it, and set the clock.",
    ),
    WebhookForged: Kind(
        401,
        "forged-webhook",
        "The webhook is not from its channel",
        "Its signature, or what stands for one on this channel, is not the one that the connection's secrets make.",
        "Put the connection again with the secret that its channel signs with. Orders are found by polling meanwhile.",
    ),
    ChannelAway: Kind(
        503,
        "channel-away",
        "The channel does not answer",
        "A webhook has to be proved by asking its channel, which does not answer now. Nothing was heard.",
        "Send it again: it is heard once.",
        retry_s=5,
    ),
    Unsealable: Kind(
        503,
        "secrets-unreadable",
        "What was sealed cannot be opened",
        "Secrets of a connection were sealed with a key that this service does not have.",
        "Set ALLOT_SECRETS_KEY (or the pepper) to what it was, or put the connection again with its secrets.",
    ),
}
