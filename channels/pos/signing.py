"""
Signatures of the till contract: `X-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256(secret, t + "." + raw body)>`.

It is the scheme that Stripe signs its webhooks with (https://docs.stripe.com/webhooks#verify-manually), so most tills'
makers have code for it. A header may have several v1, one for each secret, so that secrets can be changed under way.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from channels.errors import Unauthorized

HEADER: Final = "X-Signature"

AGE_MAX_S: Final = 300
"""How far the moment of a signature may be from now, either way: what is older may be somebody's recording."""

TIME_DIGITS_MAX: Final = 12


def signature(secrets: Sequence[str], body: bytes, at_s: int) -> str:
    """The header's value for a body, with one v1 for each of the secrets."""
    return ",".join([f"t={at_s}", *(f"v1={_digest(secret, str(at_s), body)}" for secret in secrets)])


def prove(said: str, secrets: Sequence[str], body: bytes, now_s: float) -> None:
    """Nothing where one of the secrets has signed this body within the last 300 seconds. Raises Unauthorized."""
    pairs = [part.strip().partition("=") for part in said.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    given = [value for name, _, value in pairs if name == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) <= TIME_DIGITS_MAX):
        raise Unauthorized("the signature does not say when it was made")
    # Every pair is compared, and each in constant time: how long it takes says nothing.
    wanted = [_digest(secret, times[0], body).encode() for secret in secrets]
    found = [hmac.compare_digest(one.encode(), other) for one in given for other in wanted]
    if not any(found):
        raise Unauthorized("the signature is not of this body")
    if abs(now_s - int(times[0])) > AGE_MAX_S:
        raise Unauthorized(f"the signature is more than {AGE_MAX_S} s from now: sign again when you send again")


def _digest(secret: str, at_s: str, body: bytes) -> str:
    return hmac.new(secret.encode(), at_s.encode() + b"." + body, hashlib.sha256).hexdigest()
