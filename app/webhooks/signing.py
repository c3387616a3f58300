"""
Secrets and signatures as Standard Webhooks 1.0 wants them.

Signed is "{id}.{timestamp}.{body}" with HMAC-SHA256, the key being the secret without its prefix, base64-decoded. Two
secrets mean two signatures, so a receiver may change over whenever it likes during a rotation.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from typing import Any, Final

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
OVERLAP_MS: Final = 24 * 3_600_000
"""How long the old secret goes on signing after a rotation."""


def new_secret() -> str:
    """A secret nobody knows."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def rotated(known: Sequence[dict[str, Any]], op: str, *, now_ms: int) -> list[dict[str, Any]]:
    """A new secret, and of the others the newest until the overlap is over. The same op again changes nothing."""
    if known and known[0]["op"] == op:
        return list(known)
    old = [{**secret, "until_ms": now_ms + OVERLAP_MS} for secret in known[:1]]
    return [{"secret": new_secret(), "op": op, "until_ms": None}, *old]


def valid_secrets(known: Iterable[dict[str, Any]], *, now_ms: int) -> list[str]:
    """The secrets that sign now, newest first."""
    return [secret["secret"] for secret in known if secret["until_ms"] is None or secret["until_ms"] > now_ms]


def headers(id: str, body: bytes, signing: Iterable[str], *, now_ms: int) -> dict[str, str]:
    """What a receiver needs to check that the body is ours and fresh."""
    timestamp = str(now_ms // 1000)
    signed = f"{id}.{timestamp}.".encode() + body
    signatures = [f"v1,{_signature(secret, signed)}" for secret in signing]
    return {"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
