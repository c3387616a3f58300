"""Moments as most channels write them: ISO 8601, with a zone."""

from datetime import UTC, datetime

from .errors import Nonsense


def to_ms(text: str) -> int:
    """Milliseconds of an ISO 8601 time with its zone. Raises Nonsense."""
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1_000)
    except ValueError as error:
        raise Nonsense(f"{text!r} is no time") from error


def to_iso(ms: int) -> str:
    """A time in whole seconds, with Z."""
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
