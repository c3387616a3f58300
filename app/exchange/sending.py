"""
Sends chunks of rows, and says row by row what became of them.

Whatever is sent twice has one effect: config is put as it is, and the ops of stock are named by the file's digest and
the chunk's number, which depend on the file alone.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import quote

import httpx

from .calls import Answer, Service, Stopped
from .kinds import Kind
from .rows import Good

CONFIG_ROWS_MAX: Final = 1_000
CONFIG_BYTES_MAX: Final = 500_000
STOCK_ROWS_MAX: Final = 500
STOCK_BYTES_MAX: Final = 50_000
"""Well below what any service reads (ALLOT_BODY_BYTES_MAX): a chunk of stock must never have to be cut again."""

RECEIVED, ALREADY, UNCHANGED, REFUSED, FITS = "received", "already", "unchanged", "refused", "fits"
"""Outcomes of stock: `already` was received from this file before, `fits` was only tried."""

UNKNOWN_SKU: Final = "is no known sku"
UNKNOWN_LOCATION: Final = "is no known location"


Result = dict[str, Any]
"""What the service says of one row of a bulk."""

VERSION_PROBLEMS: Final = frozenset({"if-match-missing", "changed-meanwhile"})

TURNS_MAX: Final = 5
"""How often a row is put again when somebody else keeps changing it."""


class Outcome(NamedTuple):
    """What became of one row: created, replaced, unchanged, received, already, fits or refused and then why."""

    word: str
    field: str = ""
    reason: str = ""


class Sender(Protocol):
    """Sends one chunk of at most `rows_max` rows and `bytes_max` bytes of JSON."""

    rows_max: int
    bytes_max: int

    async def send(self, number: int, rows: Sequence[Good], /) -> list[Outcome]:
        """An outcome for each row, in order. Raises Stopped."""


class ConfigSender:
    """
    Puts rows of config in bulk, whatever was there.

    The service wants to hear which version is replaced, so rows that exist and differ are put a second time with it.
    """

    rows_max = CONFIG_ROWS_MAX
    bytes_max = CONFIG_BYTES_MAX

    def __init__(self, service: Service, kind: Kind, *, note: str, dry_run: bool) -> None:
        self._service = service
        self._path = f"/v1/{kind.name}/bulk"
        self._extra = {"note": note, "dry_run": dry_run}

    async def send(self, _: int, rows: Sequence[Good], /) -> list[Outcome]:
        """Put the rows. Raises Stopped."""
        results: dict[int, Result] = {}
        left: list[tuple[Good, int | None]] = [(row, None) for row in rows]
        for _turn in range(TURNS_MAX):
            results |= await self._put(left)
            left = [
                (row, version) for row, _version in left if (version := _version_there(results[row.line])) is not None
            ]
            if not left:
                break
        return [_outcome(results[row.line]) for row in rows]

    async def _put(self, rows: Sequence[tuple[Good, int | None]]) -> dict[int, Result]:
        """Results by line; in halves where the service reads less at once."""
        wishes = [{"put": row.item} | ({} if version is None else {"version": version}) for row, version in rows]
        answer = await self._service.post(self._path, {"rows": wishes, **self._extra})
        if answer.status == httpx.codes.REQUEST_ENTITY_TOO_LARGE and len(rows) > 1:
            half = len(rows) // 2
            return await self._put(rows[:half]) | await self._put(rows[half:])
        return dict(zip((row.line for row, _ in rows), answer.good()["results"], strict=True))


def _version_there(result: Result) -> int | None:
    """The version a row must name to be put, when that is all that was wrong with it."""
    return result["facts"].get("version") if result["problem"] in VERSION_PROBLEMS else None


def _outcome(result: Result) -> Outcome:
    return Outcome(result["outcome"], _field(result["where"]), result["detail"])


def _field(where: str) -> str:
    """The field a row's problem is about, of a place such as /rows/2/put/locations/0/code."""
    names = where.rpartition("/put/")[2].strip("/").split("/")
    return names[0]


class StockSender:
    """
    Receives rows of stock.

    A receipt is all or nothing, so what the service refuses of a chunk is taken out and the rest sent again, under a
    name that says how often that was. An answer is remembered with the name: the same file takes the same way again.
    """

    rows_max = STOCK_ROWS_MAX
    bytes_max = STOCK_BYTES_MAX

    def __init__(self, service: Service, digest: str, *, why: str) -> None:
        self._service = service
        self._digest = digest
        self._why = why

    async def send(self, number: int, rows: Sequence[Good], /) -> list[Outcome]:
        """Receive the rows. Raises Stopped."""
        outcomes = {row.line: Outcome(UNCHANGED) for row in rows if not row.item["units"]}
        left = [row for row in rows if row.item["units"]]
        for turn in range(len(rows) + 1):
            if not left:
                break
            answer = await self._receive(f"import:{self._digest}:{number}.{turn}", left)
            if answer.status == httpx.codes.OK:
                word = ALREADY if answer.replayed else RECEIVED
                outcomes |= {row.line: Outcome(word) for row in left}
                break
            refused = {row.line: outcome for row in left if (outcome := _why_refused(answer, row.item))}
            if not refused:
                raise Stopped(_not_received(answer))
            outcomes |= refused
            left = [row for row in left if row.line not in refused]
        return [outcomes[row.line] for row in rows]

    async def _receive(self, op: str, rows: Sequence[Good]) -> Answer:
        return await self._service.post(
            "/v1/stock/receive", {"lines": [row.item for row in rows], "why": self._why}, op=op
        )


def _why_refused(answer: Answer, item: dict[str, Any]) -> Outcome | None:
    """The outcome of a row that the service's refusal is about."""
    facts = answer.facts
    if item["sku"] in facts.get("skus", ()):
        return Outcome(REFUSED, "sku", UNKNOWN_SKU)
    if item["location"] in facts.get("locations", ()):
        return Outcome(REFUSED, "location", UNKNOWN_LOCATION)
    if (facts.get("sku"), facts.get("location")) == (item["sku"], item["location"]):
        return Outcome(REFUSED, "units", f"would be more than one place can count: {facts.get('units')} are there")
    return None


def _not_received(answer: Answer) -> str:
    if answer.slug == "op-conflict":
        return (
            "this file was imported before, read in another way (other columns, --map or --delimiter); nothing was "
            "received twice. What was refused then is in its rejects file"
        )
    return f"stock cannot be received: {answer.detail}"


class StockTrial:
    """Tries rows of stock: are sku and location known? Nothing is received."""

    rows_max = STOCK_ROWS_MAX
    bytes_max = STOCK_BYTES_MAX

    def __init__(self, service: Service) -> None:
        self._service = service
        self._locations: set[str] = set()

    async def send(self, _: int, rows: Sequence[Good], /) -> list[Outcome]:
        """Hold the rows against what the service knows. Raises Stopped."""
        self._locations = self._locations or await self._read_locations()
        skus = await self._known_skus(sorted({row.item["sku"] for row in rows}))
        return [self._judge(row.item, skus) for row in rows]

    def _judge(self, item: dict[str, Any], skus: set[str]) -> Outcome:
        if item["sku"] not in skus:
            return Outcome(REFUSED, "sku", UNKNOWN_SKU)
        known = item["location"] in self._locations
        return Outcome(FITS) if known else Outcome(REFUSED, "location", UNKNOWN_LOCATION)

    async def _read_locations(self) -> set[str]:
        return {row["item"]["code"] async for row in self._service.list("/v1/locations")}

    async def _known_skus(self, skus: Sequence[str]) -> set[str]:
        """A thousand at once; one by one in a shop without channels, where there is nothing to promise yet."""
        answer = await self._service.post("/v1/availability", {"skus": skus})
        levels = answer.good()["levels"]
        if levels:
            return {level["sku"] for level in levels if level["version"] >= 0}
        found = [await self._service.get(f"/v1/skus/{quote(sku, safe='')}") for sku in skus]
        return {sku for sku, answer in zip(skus, found, strict=True) if answer.status == httpx.codes.OK}
