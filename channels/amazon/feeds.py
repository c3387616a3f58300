"""Many numbers at once: the document of a JSON_LISTINGS_FEED, and the report of what became of it."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from channels.base import Level, Pushed
from channels.errors import Nonsense, Refused

from .bodies import own_units, patch_of, product_type, read_as
from .words import AmazonSettings, Report, ReportIssue

FEED: Final = "JSON_LISTINGS_FEED"
FEED_TYPE: Final = "application/json; charset=UTF-8"
"""What a document is announced as; it must be put under the very same words."""

REPORT_MAX: Final = 128 * 1024 * 1024
"""Bytes of a report once it is unpacked."""

UNDER_WAY: Final = frozenset({"IN_QUEUE", "IN_PROGRESS"})
GZIP: Final = b"\x1f\x8b"


def feed_of(levels: Sequence[Level], settings: AmazonSettings, refs: Mapping[str, Mapping[str, str]]) -> bytes:
    """
    The document; `refs` are those of each listing.

    Without `report` in its header Amazon only reports what it took, not what it shows then.
    """
    report = {"includedData": ["issues", "fulfillmentAvailability"], "apiVersion": "2021-08-01"}
    header = {"sellerId": settings.seller, "version": "2.0", "issueLocale": settings.locale, "report": report}
    messages = [_message(number, level, refs[level.listing.listing]) for number, level in enumerate(levels, 1)]
    return msgspec.json.encode({"header": header, "messages": messages})


def _message(number: int, level: Level, refs: Mapping[str, str]) -> dict[str, Any]:
    return {
        "messageId": number,
        "sku": level.listing.listing,
        "operationType": "PATCH",
        "productType": product_type(refs),
        "patches": [patch_of(level.units)],
    }


def results_of(body: bytes) -> list[Pushed]:
    """
    One result for each message that a report tells of, packed or not. Raises Nonsense.

    Raises Refused when it only says what is wrong with the feed as a whole.
    """
    try:
        said = msgspec.json.decode(_unpacked(body))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Nonsense(f"the report: {error}") from error
    report = read_as(said, Report)
    errors = [issue for issue in report.issues if issue.severity == "ERROR"]
    refused = {issue.sku: _refused(issue) for issue in reversed(errors) if issue.sku}
    taken = [Pushed(item.sku, "accepted", shown=own_units(item)) for item in report.items if item.sku not in refused]
    if errors and not refused and not taken:
        raise Refused(errors[0].message, errors[0].code)
    return [*refused.values(), *taken]


def _refused(issue: ReportIssue) -> Pushed:
    return Pushed(issue.sku, "refused", code=issue.code or "invalid", says=issue.message)


def _unpacked(body: bytes) -> bytes:
    """The report itself: whether it is packed is seen by its first bytes, whatever was said of it."""
    if not body.startswith(GZIP):
        return body
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacking.decompress(body, REPORT_MAX)
    except zlib.error as error:
        raise Nonsense(f"the report cannot be unpacked: {error}") from error
    if not unpacking.eof:
        raise Nonsense(f"the report is cut off, or more than {REPORT_MAX} bytes")
    return unpacked
