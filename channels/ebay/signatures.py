"""
Whether eBay has said what a notification says: ECDSA over its body, by a key that eBay publishes.

The key is eBay's own, not the seller's: a signature proves who speaks, never whose account is spoken of.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from channels.errors import Nonsense, Unauthorized

from .notice_words import SaidKey, Seal

DIGESTS: Final[dict[str, hashes.HashAlgorithm]] = {
    "SHA1": hashes.SHA1(),  # noqa: S303 - eBay's choice; forging needs a second preimage, which SHA-1 still resists
    "SHA256": hashes.SHA256(),
}


class Key(NamedTuple):
    """A key of eBay's, and until when it need not be asked for again (ms)."""

    public: ec.EllipticCurvePublicKey
    digest: hashes.HashAlgorithm
    until_ms: int

    def has_signed(self, body: bytes, signature: bytes) -> bool:
        """Whether the signature is of this body."""
        try:
            self.public.verify(signature, body, ec.ECDSA(self.digest))
        except InvalidSignature:
            return False
        return True


def key_of(said: SaidKey, until_ms: int) -> Key:
    """The key of an answer, whose PEM has no line ends. The digest is the key's, not what a header may claim."""
    inner = said.key.replace("-----BEGIN PUBLIC KEY-----", "").replace("-----END PUBLIC KEY-----", "")
    try:
        public = load_der_public_key(base64.b64decode("".join(inner.split()), validate=True))
        digest = DIGESTS[said.digest.upper().replace("-", "")]
    except (ValueError, KeyError) as error:
        raise Nonsense(f"a public key that is none: {error}") from error
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise Nonsense("a public key of another kind than ECDSA")
    return Key(public, digest, until_ms)


def seal_of(header: str) -> tuple[str, bytes]:
    """The key's id and the signature, of the header. Raises Unauthorized."""
    try:
        seal = msgspec.json.decode(base64.b64decode(header, validate=True), type=Seal)
        return seal.kid, base64.b64decode(seal.signature, validate=True)
    except (binascii.Error, UnicodeError, msgspec.MsgspecError) as error:
        raise Unauthorized("the notification has no signature that can be read") from error


def signed_forms(body: bytes) -> Iterator[bytes]:
    """What the signature may be over: the body as it came, and as eBay's own kits write it again, without spaces."""
    yield body
    try:
        said: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    yield msgspec.json.encode(said)


def challenge_answer(code: str, verification_token: str, endpoint: str) -> bytes:
    """What proves that the address is ours: a digest of what was asked, our token and the address, in this order."""
    digest = hashlib.sha256((code + verification_token + endpoint).encode()).hexdigest()
    return msgspec.json.encode({"challengeResponse": digest})
