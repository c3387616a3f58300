"""
What the users of a load test were told, written down for the check afterwards.

Nothing here knows locust: it changes how Python does sockets and threads in whatever process imports it.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any, Final

SAMPLES_MAX: Final = 5
ZIPF_EXPONENT: Final = 1.1
"""About the popularity of articles in a web shop: one in eight asks for the first of 10,000."""

PLACED, PLACED_BEFORE, REFUSED = 201, 200, 409
NO_ANSWER: Final = 0
"""What locust calls the status of a request that got none."""

PASSING: Final = ("replayed", "request_id")
"""What may differ between the first answer and its repetition."""


Answers = Sequence[tuple[int, Mapping[str, Any]]]
"""Status and body of each."""


@dataclass
class Wave:
    """Orders for one hot sku, all sent at once; seconds since the test began."""

    sent: int = 0
    accepted: int = 0
    began: float = 0.0
    ended: float = 0.0


@dataclass
class Total:
    """A whole run, of one kind of request or of all."""

    name: str
    requests: int
    failures: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float


@dataclass
class Book:
    """
    Units of accepted orders, cancelled and shipped; orders by answer; and what must not happen, with samples.

    lost: requests without an answer, repeated with the same id; unanswered: repeated in vain. unexpected: answers that
    the API does not document for the request. differing: repetitions that were answered otherwise than the first time.
    errors: failures of the users' own code. totals: what locust measured, of each kind of request and last of all.
    """

    accepted_units: int = 0
    cancelled_units: int = 0
    shipped_units: int = 0
    orders: int = 0
    placed: int = 0
    refused: int = 0
    holds: int = 0
    repeated: int = 0
    lost: int = 0
    unanswered: int = 0
    unexpected: int = 0
    differing: int = 0
    errors: int = 0
    samples: list[str] = field(default_factory=list)
    waves: dict[str, Wave] = field(default_factory=dict)
    totals: list[Total] = field(default_factory=list)

    def ordered(self, statuses: Collection[int], units: int) -> bool:
        """
        One order had these answers, all of them to the same id; whether it was accepted.

        An order that was accepted, but whose first answer was lost, only hears that it was placed before.
        """
        self.orders += 1
        self.refused += REFUSED in statuses
        if not {PLACED, PLACED_BEFORE} & set(statuses):
            return False
        self.placed += 1
        self.accepted_units += units
        return True

    def wondered(self, what: str, status: int, body: str) -> None:
        """An answer is not one that the API documents for this request."""
        self.unexpected += 1
        self._keep(f"{what}: {status} {body[:200]}")

    def failed(self, error: str) -> None:
        """A user's own code failed, so what it was told may be missing here."""
        self.errors += 1
        self._keep(error[:300])

    def compared(self, id: str, answers: Answers, *, lost: bool = False) -> None:
        """All answers to one order, sent several times with the same id, in any order; `lost`: one may be missing."""
        self.repeated += max(0, len(answers) - 1)
        if answers and not agree(answers, lost=lost):
            self.differing += 1
            self._keep(f"order {id}: {[status for status, _ in answers]} {[dict(body) for _, body in answers]}"[:600])

    def _keep(self, sample: str) -> None:
        if len(self.samples) < SAMPLES_MAX:
            self.samples.append(sample)

    def write(self, file: Path) -> None:
        """As JSON."""
        file.write_text(json.dumps(asdict(self)))


def read_book(file: Path) -> Book:
    """What `write` wrote."""
    stored = json.loads(file.read_text())
    waves = {sku: Wave(**wave) for sku, wave in stored.pop("waves").items()}
    return Book(**stored | {"waves": waves, "totals": [Total(**total) for total in stored["totals"]]})


def agree(answers: Answers, *, lost: bool = False) -> bool:
    """
    Whether repetitions had one effect: the same content every time, and placed now exactly once or refused always.

    lost: an answer is missing, so that "placed now" may be the one nobody heard.
    """
    statuses, contents = [status for status, _ in answers], [_content(body) for _, body in answers]
    if any(content != contents[0] for content in contents):
        return False
    if REFUSED in statuses:
        return set(statuses) == {REFUSED}
    placed = statuses.count(PLACED)
    return set(statuses) <= {PLACED, PLACED_BEFORE} and (placed == 1 or (lost and placed == 0))


def _content(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in PASSING}


class PowerLaw:
    """Picks numbers from 0: the n-th is asked for in proportion to 1 / n^1.1 (Zipf)."""

    def __init__(self, size: int) -> None:
        self._numbers = range(size)
        self._weights = list(accumulate((rank + 1) ** -ZIPF_EXPONENT for rank in self._numbers))

    def pick(self, chance: Random, count: int = 1) -> list[int]:
        """Different numbers, `count` at most."""
        return list(dict.fromkeys(chance.choices(self._numbers, cum_weights=self._weights, k=count)))


def wave_of(seconds: float, tick: float) -> tuple[int, float]:
    """Which wave it is, so long after the beginning, and how long until the next."""
    number = int(seconds / tick)
    return number, (number + 1) * tick - seconds
