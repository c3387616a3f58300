"""What is to be counted because of a reject, as rows of a table for those who walk to the shelves."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from allocator.model import Code, Sku


class RecountTableRow(msgspec.Struct, frozen=True):
    """A sku to be counted at a location; what begins with `counted` is empty while nobody has. Times are UTC."""

    sku: Sku
    location: Code
    since: datetime
    reason: str
    units: int
    rejects: int
    channel: str
    external_id: str
    actor: str = ""
    entry: int = 0
    counted_at: datetime | None = None
    counted_by: str = ""
    counted_difference: int | None = None


def recount_item(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of GET /v1/recounts with the names of the columns."""
    counted = row["counted"]
    item = {**row, "since": _time(row["at_ms"])}
    if counted is None:
        return item
    done = {"at": _time(counted["at_ms"]), "by": counted["actor"], "difference": counted["difference"]}
    return item | {f"counted_{name}": value for name, value in done.items()}


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).isoformat()
