"""What Amazon's answers mean that are no success, and what they say of its limits."""

import math
from collections.abc import Mapping
from typing import Final

from channels.base import BUSY_WAIT_S, judge_status
from channels.errors import Busy, Down, Unauthorized
from channels.pacing import Learned, Rate
from channels.wire import Answer, Call

from .bodies import error_of

RATES: Final[Mapping[str, Rate]] = {
    "push": Rate(5.0, 5.0),
    "read": Rate(5.0, 10.0),
    "search": Rate(5.0, 5.0),
    "orders": Rate(0.0056, 20.0),
    "order": Rate(0.5, 30.0),
    "ship": Rate(2.0, 10.0),
    "document": Rate(0.5, 15.0),
    # Of all feeds together 0.0083 a second, of those with listings five in five minutes.
    "feed": Rate(5 / 300, 5.0),
    "follow": Rate(2.0, 15.0),
    "report": Rate(0.0222, 10.0),
    "destinations": Rate(1.0, 5.0),
    "destination": Rate(1.0, 5.0),
    "subscription": Rate(1.0, 5.0),
    "subscribe": Rate(1.0, 5.0),
    "unsubscribe": Rate(1.0, 5.0),
}
"""Each operation has a limit of its own, until Amazon says which one it really is for this seller."""

SIGNED_OUT: Final = frozenset({"invalid_client", "invalid_grant", "unauthorized_client", "Unauthorized"})
BROKEN: Final = frozenset({"InternalFailure", "InternalError", "ServiceUnavailable"})


def judge(call: Call, answer: Answer) -> None:
    """Raise what an answer means; a token that ended or was taken back is a 403, as is one that was never there."""
    if answer.is_fine:
        return
    if answer.body[:1] == b"<":
        raise Down(f"status {answer.status} with a page instead of JSON")
    error = error_of(answer)
    says = " ".join(filter(None, (error.message, error.details))) or error.code or f"status {answer.status}"
    if answer.status == 429:
        raise Busy(says, _interval_s(call, answer))
    if answer.status == 403 or error.code in SIGNED_OUT:
        raise Unauthorized(says)
    if error.code in BROKEN:
        raise Down(says)
    judge_status(answer, says=says, code=error.code)


def learned(call: Call, answer: Answer) -> Learned | None:
    """The rate that this seller and our application have together, which may be another one tomorrow."""
    known, said = RATES.get(call.limit), _rate_of(answer)
    return Learned(Rate(said, known.burst)) if known and said else None


def _interval_s(call: Call, answer: Answer) -> float:
    """How long until there is room for one more; nobody says it, but it follows from the rate."""
    known = RATES.get(call.limit)
    rate = _rate_of(answer) or (known.per_second if known else 0.0)
    return 1 / rate if rate else BUSY_WAIT_S


def _rate_of(answer: Answer) -> float:
    """What an answer says of its operation's limit, a second; 0 when it says nothing."""
    try:
        rate = float(answer.headers.get("x-amzn-ratelimit-limit", ""))
    except ValueError:
        return 0.0
    return rate if math.isfinite(rate) and rate > 0 else 0.0
