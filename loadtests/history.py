"""What locust measured, second by second, from the CSV file it writes."""

import csv
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

ALL: Final = "Aggregated"
NOT_KNOWN: Final = ("", "N/A")


@dataclass
class Moment:
    """One second: when, since the first row; requests a second since the row before; recent waiting times."""

    second: float
    requests_per_second: float
    p50_ms: float
    p99_ms: float


def read_history(file: Path) -> list[Moment]:
    """The moments of all requests together; one without a waiting time is left out."""
    rows = [row for row in _rows(file) if row["Name"] == ALL]
    moments = (_moment(row, before, rows[0]) for before, row in pairwise(rows) if row["99%"] not in NOT_KNOWN)
    return [moment for moment in moments if moment.p99_ms > 0]


def _moment(row: dict[str, str], before: dict[str, str], first: dict[str, str]) -> Moment:
    # locust's own rate is an average of ten seconds that lags behind; its count of all requests is exact.
    answered = int(row["Total Request Count"]) - int(before["Total Request Count"])
    passed = max(1.0, float(row["Timestamp"]) - float(before["Timestamp"]))
    second = float(row["Timestamp"]) - float(first["Timestamp"])
    return Moment(second, answered / passed, float(row["50%"]), float(row["99%"]))


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))
