"""
What must be kept and must not be read: keys and tokens of channels, sealed before they reach SQL.

Fernet (AES-128-CBC with an HMAC) under a key that is never in SQL. What is sealed names what it is for, so that one
connection's secrets, copied over another's, open nothing. With several keys the first one seals and all open: a new key
is put in front, and everything that is written from then on is sealed with it.
"""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from .errors import Unsealable
from .settings import Settings

T = TypeVar("T")


class Sealer:
    """Seals and opens with these keys, the first for what is new; each is any secret of 32 characters or more."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._fernet = MultiFernet([Fernet(_key(key)) for key in keys])

    def __repr__(self) -> str:
        return "Sealer()"

    def seal(self, purpose: str, value: Any) -> bytes:
        """A value of msgspec's types, sealed for this purpose."""
        return self._fernet.encrypt(msgspec.json.encode([purpose, value]))

    def open(self, purpose: str, sealed: bytes, type: type[T]) -> T:
        """What was sealed for this purpose. Raises Unsealable."""
        try:
            found, value = msgspec.json.decode(self._fernet.decrypt(sealed), type=tuple[str, msgspec.Raw])
        except InvalidToken as error:
            raise Unsealable(f"{purpose} was sealed with another key (ALLOT_SECRETS_KEY), or changed since") from error
        if found != purpose:
            raise Unsealable(f"{purpose} has what was sealed for something else")
        return msgspec.json.decode(value, type=type)


def sealer_of(settings: Settings, pepper: bytes) -> Sealer:
    """The sealer of these settings; the pepper opens what was sealed before there was another secret."""
    given = settings.secrets_key.get_secret_value().split(",") if settings.secrets_key else []
    return Sealer([*(part.strip().encode() for part in given), pepper])


def _key(secret: bytes) -> bytes:
    """A Fernet key of a secret with enough in it: this fits it into the bytes that Fernet wants, it hardens nothing."""
    return base64.urlsafe_b64encode(hashlib.sha256(b"allot sealing key\0" + secret).digest())
