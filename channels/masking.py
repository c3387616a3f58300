"""
What may be written down of an exchange with a channel: neither secrets nor anything about buyers.

Masking is by name: whatever a field, a parameter or a header of a known name has for a value is gone, however deep it
lies. Ids, skus, numbers, states and times stay, because they are what somebody needs who looks for a mistake.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec

MASK: Final = "***"
KEPT_MAX: Final = 4_000
"""Characters of a body that are kept."""

_SECRETS: Final = (
    r"authorization|.*token|.*secret|.*password|.*signature|.*hmac.*|cookie|set-cookie|consumer_key|client_id|"
    r"api_?key|code"
)
_BUYERS: Final = (
    r".*address.*|address_?[0-9]|(first|last|full|buyer|recipient|company|customer)_?name|name[12]?|company|.*phone.*|"
    r".*e?mail.*|buyer.*|customer|customer_note|note|recipient|billing|shipping|shipto|username|latitude|longitude|"
    r"postal_?code|postcode|zip|city|browser_ip|user_agent|landing_site|gift_?details"
)
_NAMES: Final = re.compile(f"({_SECRETS}|{_BUYERS})", re.IGNORECASE)


def is_hidden(name: str) -> bool:
    """Whether the value of a field of this name is nobody's business."""
    return _NAMES.fullmatch(name.replace("-", "_")) is not None or _NAMES.fullmatch(name) is not None


def masked_body(body: bytes, content_type: str = "") -> str:
    """A body that may be kept: JSON and forms with their secrets masked, of anything else only its size."""
    if not body:
        return ""
    if "urlencoded" in content_type:
        fields = parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
        return urlencode([(name, MASK if is_hidden(name) else value) for name, value in fields], safe="*")[:KEPT_MAX]
    try:
        return msgspec.json.encode(masked(msgspec.json.decode(body))).decode()[:KEPT_MAX]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"{len(body)} bytes that are no JSON"


def masked(value: Any) -> Any:
    """The same with hidden fields masked, however deep they lie."""
    if isinstance(value, dict):
        return {name: MASK if is_hidden(name) and inner else masked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner) for inner in value]
    return value


def masked_pairs(pairs: Mapping[str, str] | tuple[tuple[str, str], ...]) -> str:
    """Parameters or headers as one line that may be kept."""
    rows = pairs.items() if isinstance(pairs, Mapping) else pairs
    return "&".join(f"{name}={MASK if is_hidden(name) else value}" for name, value in rows)
