"""What orders ask for besides units, and what they are promised about time, as the oracle keeps it."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.allocator.oracle_arguments_cursor import CODE, UNITS, Cursor, Nonsense

DAY = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
OPTIONS_MAX, LOCATIONS_MAX, RULES_MAX, TIME_MAX = 5, 15, 50, 9_999_999_999_999


@dataclass
class Option:
    """A day that a location may be promised for."""

    day: str
    ship_by: int
    deliver_by: int


@dataclass
class Asked:
    """The argument. limits: category, split limit. promises: how many orders a day (-1: any), and the days."""

    complete: bool
    country: str
    region: str
    pickup: str
    limits: list[tuple[str, int]]
    promises: dict[str, tuple[int, list[Option]]]


@dataclass
class Place:
    """What was promised at one location; `left` when units have been shipped from there."""

    location: str
    option: Option
    counted: bool
    left: bool = False

    def row(self) -> list[Any]:
        day = self.option.day if self.counted else ""
        return [self.location, day, self.option.ship_by, self.option.deliver_by, int(self.left)]


@dataclass
class Terms:
    """What an order keeps of it."""

    asked: Asked
    ship_by: int = 0
    deliver_by: int = 0
    places: list[Place] = field(default_factory=list)

    def copy(self) -> "Terms":
        places = [Place(place.location, place.option, place.counted, place.left) for place in self.places]
        return Terms(self.asked, self.ship_by, self.deliver_by, places)

    def row(self) -> list[Any]:
        asked = self.asked
        told = [int(asked.complete), asked.country, asked.region, asked.pickup]
        return [self.ship_by, self.deliver_by, *told, *(place.row() for place in self.places)]


def terms_or_none(cursor: Cursor) -> Asked | None:
    text = cursor.optional(16_000)
    if not text:
        return None
    try:
        complete, country, region, pickup, limits, promises = json.loads(text)[:6]
    except (ValueError, TypeError, KeyError):
        raise Nonsense(f"no terms: {text!r}") from None
    _demand(isinstance(limits, list) and len(limits) <= RULES_MAX and isinstance(promises, dict), text)
    _demand(len(promises) <= LOCATIONS_MAX and all(_is_text(word) for word in (country, region, pickup)), text)
    for row in limits:
        _demand(isinstance(row, list) and len(row) > 1 and _is_text(row[0]) and _is_whole(row[1], 1, 15), text)
    known = {code: _options(code, row, text) for code, row in promises.items()}
    _demand(_is_whole(complete, 0, 1), text)
    return Asked(complete == 1, country, region, pickup, [(row[0], int(row[1])) for row in limits], known)


def _demand(fine: bool, text: str) -> None:
    if not fine:
        raise Nonsense(f"no terms: {text!r}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value.encode()) <= CODE and not re.search(r"[\x00-\x1f\x7f]", value)


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0 and least <= value <= most


def _options(code: str, row: Any, text: str) -> tuple[int, list[Option]]:
    _demand(_is_text(code) and code != "" and isinstance(row, list) and 4 <= len(row) <= 1 + 3 * OPTIONS_MAX, text)
    _demand(len(row) % 3 == 1 and _is_whole(row[0], -1, UNITS), text)
    found = []
    for day, ship_by, deliver_by in zip(row[1::3], row[2::3], row[3::3], strict=True):
        _demand(isinstance(day, str) and bool(DAY.match(day)), text)
        _demand(_is_whole(ship_by, 1, TIME_MAX) and _is_whole(deliver_by, 0, TIME_MAX), text)
        found.append(Option(day, int(ship_by), int(deliver_by)))
    return int(row[0]), found
