"""A real server and the oracle, asked the very same; whatever differs is an error."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import deepcopy
from itertools import permutations
from typing import Any, NamedTuple

import msgspec

from allocator import Allocator, Config, HeldFor, Pipe, SellerKeys, answers, errors, make_client
from allocator.answers import unpack
from allocator.check import find_violations
from allocator.reading import Books as Records
from allocator.reading import read_books
from allocator.scripts import Script, scripts
from tests.allocator.oracle import Oracle, Said
from tests.allocator.oracle_arguments import ARGUMENTS
from tests.allocator.oracle_state import Books, Hold, Take
from tests.allocator.town import EPOCH, NOON, SELLER, town

Call = tuple[str, list[Any]]


class Heard(NamedTuple):
    """One call of a script and what it answered."""

    verb: str
    arguments: list[Any]
    said: Said


class Ear(Pipe):
    """A pipe that remembers what went through it."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self.heard: list[Heard] = []

    async def run(self, script: Script, keys: list[str], arguments: list[Any]) -> Any:
        word, packed, replayed, echo = await super().run(script, keys, arguments)
        said = Said(word.decode(), unpack(packed) if script.name != "find" else None, bool(replayed))
        self.heard.append(Heard(script.name, list(arguments), said))
        return word, packed, replayed, echo


def comparable(said: Said) -> Said:
    """Nonsense is refused in free words; what is unknown may be named twice; an unused quota may be shown or not."""
    if said.word == "explained":
        version, overflow, shelves, *rest = said.facts
        shown = [[*shelf[:-1], [quota for quota in shelf[-1] if any(quota[1:])]] for shelf in shelves]
        return said._replace(facts=[version, overflow, shown, *rest])
    if said.word == "invalid":
        return said._replace(facts=None)
    if said.word in {"unknown_sku", "unknown_location"}:
        return said._replace(facts=list(dict.fromkeys(said.facts)))
    return said


class Twins:
    def __init__(self, url: str, config: Config | None = None, *, seller: str = SELLER, agree: bool = True) -> None:
        self.url, self.seller, self.agree = url, seller, agree
        self.runner = asyncio.Runner()
        self.client = make_client(url)
        self.ear = Ear(self.client)
        self.allocator = Allocator(self.ear, seller, EPOCH)
        self.allocator.now_ms = NOON
        self.oracle = Oracle(EPOCH)
        self.run(self.client.delete(*SellerKeys(seller).all()))
        self.run(self.allocator.begin())
        self.configure(config or town())

    def run(self, work: Awaitable[Any]) -> Any:
        async def wait() -> Any:
            return await work

        return self.runner.run(wait())

    def close(self) -> None:
        self.run(self.ear.close())
        self.runner.close()

    # --- asking both -------------------------------------------------------------------------------------------

    def configure(self, config: Config) -> None:
        self.oracle.coming = config
        self.ask(self.allocator.configure_all(config))

    def ask(self, work: Awaitable[Any]) -> Said:
        """Do it with the allocator; let the oracle follow every script that was run. Returns the last answer."""
        self.ear.heard.clear()
        with suppress(errors.Refusal, errors.Invalid, errors.NotReady):
            self.run(work)
        return self.follow(self.ear.heard)

    def follow(self, heard: list[Heard]) -> Said:
        known = [call for call in heard if call.verb in ARGUMENTS]
        for call in known:
            said, expected = comparable(call.said), comparable(self.oracle.call(call.verb, call.arguments))
            assert said == expected or not self.agree, (
                f"{call.verb} {call.arguments[3:]}\n  server {said}\n  oracle {expected}"
            )
        return known[-1].said if known else Said("", None)

    def ask_raw(self, verb: str, arguments: list[Any]) -> Said:
        """The script itself, with arguments that no caller of ours would send."""
        return self.ask(self.send(verb, arguments))

    async def send(self, verb: str, arguments: list[Any]) -> None:
        script = scripts()[verb]
        await self.ear.run(script, SellerKeys(self.seller).named(*script.keys), arguments)

    def ask_together(self, works: list[Callable[[Allocator], Awaitable[Any]]]) -> None:
        """Each on a connection of its own, at once: what came out is what one of the serial orders says."""
        heard, before = self.run(self._together(works)), self.oracle
        for turn in permutations(heard):
            self.oracle = deepcopy(before)
            if all(self._agrees(call) for call in turn) and self._same_books():
                return
        assert not self.agree, f"no serial order explains {[(call.arguments[3], call.said) for call in heard]}"

    async def _together(self, works: list[Callable[[Allocator], Awaitable[Any]]]) -> list[Heard]:
        ears = [Ear(make_client(self.url)) for _ in works]
        callers = [self._caller(ear) for ear in ears]
        await asyncio.gather(
            *(work(caller) for work, caller in zip(works, callers, strict=True)), return_exceptions=True
        )
        for ear in ears:
            await ear.close()
        return [call for ear in ears for call in ear.heard if call.verb in ARGUMENTS]

    def _caller(self, ear: Ear) -> Allocator:
        caller = Allocator(ear, self.seller, EPOCH)
        caller.now_ms = self.allocator.now_ms
        return caller

    def _agrees(self, call: Heard) -> bool:
        return comparable(call.said) == comparable(self.oracle.call(call.verb, call.arguments))

    def _same_books(self) -> bool:
        records, books = self.records(), self.oracle.books
        same = stock_of_server(records) == stock_of_oracle(books) and holds_of_server(records) == holds_of_oracle(books)
        return same and orders_of_server(records) == orders_of_oracle(books)

    # --- comparing all -----------------------------------------------------------------------------------------

    def records(self) -> Records:
        return self.run(read_books(self.client, self.seller, every_op=True))

    def compare_books(self) -> None:
        """Every bucket, hold, order and remembered answer is the same on both sides, and the books are true."""
        records, books = self.records(), self.oracle.books
        assert stock_of_server(records) == stock_of_oracle(books)
        assert holds_of_server(records) == holds_of_oracle(books)
        assert orders_of_server(records) == orders_of_oracle(books)
        answers = {op: Said(kept.word, unpack(kept.answer)) for op, kept in records.ops.items()}
        expected = {op: said for op, (_, said) in self.oracle.ops.items()}
        assert {op: comparable(said) for op, said in answers.items()} == {
            op: comparable(said) for op, said in expected.items()
        }
        assert len(records.ledger) == self.oracle.effects
        assert find_violations(records) == []

    def compare_atp(self) -> None:
        """Every channel may promise the same of every sku."""
        channels = [channel.code for channel in self.oracle.books.config.channels]
        self.ask(self.allocator.availability(list(self.oracle.books.versions), channels))


def stock_of_server(records: Records) -> dict[Any, Any]:
    stock: dict[Any, Any] = {}
    for sku, state in records.stock.items():
        stock[sku] = state.version, state.backordered, state.conflict
        for code, place in state.places.items():
            quotas = {channel: (use.quota, use.floor, use.consumed, use.spent) for channel, use in place.quotas.items()}
            units = place.on_hand, place.held, place.committed, place.deficit
            stock[sku, code] = *units, dict(place.reasons), quotas, dict(place.transit)
    return stock


def stock_of_oracle(books: Books) -> dict[Any, Any]:
    stock: dict[Any, Any] = {}
    for sku, version in books.versions.items():
        stock[sku] = version, books.debt(sku, "backordered"), books.debt(sku, "conflict")
        for code in books.locations_of(sku):
            place = place_of_oracle(books, sku, code)
            if any(place):
                stock[sku, code] = place
    return stock


def place_of_oracle(books: Books, sku: str, code: str) -> tuple[Any, ...]:
    shelf = books.shelf(sku, code)
    quotas = {
        channel: (quota, floor, books.consumed(sku, code, channel), shelf.spent[channel])
        for channel, (quota, floor) in shelf.quotas.items()
    }
    promised = books.held(sku, code), books.committed(sku, code), books.deficit(sku, code)
    used = {channel: use for channel, use in quotas.items() if any(use)}
    return shelf.on_hand, *promised, dict(+shelf.reasons), used, dict(+shelf.transit)


def holds_of_server(records: Records) -> dict[str, Any]:
    return {
        id: (hold.channel, hold.owner, hold.state, hold.deadline_ms, sorted(take_rows(hold.takes)), waiting(hold.order))
        for id, hold in records.holds.items()
    }


def waiting(order: HeldFor | None) -> Any:
    """What a hold says of the pending order it is."""
    if order is None:
        return None
    lines = [(line.line, line.sku, line.units, line.held) for line in order.lines]
    terms = order.terms and msgspec.structs.astuple(order.terms)
    return order.external_id, order.reason, order.kind, lines, terms


def waiting_of_oracle(hold: Hold) -> Any:
    if hold.order is None:
        return None
    lines = [(name, sku, units, held if hold.state == "open" else 0) for name, sku, units, held in hold.order.lines]
    said = tuple(json.loads(hold.order.terms)[:4]) if hold.order.terms else ()
    return hold.order.external_id, hold.order.reason, hold.order.kind, lines, said if any(said) else None


def take_rows(takes: list[Any]) -> list[Any]:
    parts = [[(part.source, part.units, part.quota) for part in take.parts] for take in takes]
    return [[t.sku, t.location, t.units, t.picking, *some] for t, some in zip(takes, parts, strict=True)]


def holds_of_oracle(books: Books) -> dict[str, Any]:
    return {
        id: (
            hold.channel,
            hold.owner,
            hold.state,
            hold.deadline_ms,
            sorted(row for sku, takes in hold.takes.items() for row in oracle_rows(sku, takes)),
            waiting_of_oracle(hold),
        )
        for id, hold in books.holds.items()
    }


def oracle_rows(sku: str, takes: list[Take]) -> list[Any]:
    return [
        [sku, t.location, t.units, t.picking, *((part.source, part.units, part.quota) for part in t.parts)]
        for t in takes
    ]


def orders_of_server(records: Records) -> dict[str, Any]:
    found = {}
    for id, record in records.orders.items():
        order = record.order
        lines = [(*(getattr(line, name) for name in LINE), take_rows(line.takes)) for line in order.lines]
        kept = (order.channel, order.external_id, order.kind, order.state, order.placed_ms, record.op, record.rank)
        found[id] = *kept, record.candidates, lines, order.promised, order.announced
    return found


LINE = ("line", "sku", "ordered", "committed", "shipped", "backordered", "conflict", "cancelled", "returned")


def orders_of_oracle(books: Books) -> dict[str, Any]:
    found = {}
    for id, order in books.orders.items():
        lines = [(*(getattr(line, name) for name in LINE), oracle_rows(line.sku, line.takes)) for line in order.lines]
        kept = (order.channel, order.external_id, order.kind, order.state, order.placed_ms, order.op, order.rank)
        promised = answers.promised(order.terms.row()) if order.terms else None
        announced = [answers.announced_return(one.row()) for one in order.returns.values()]
        found[id] = *kept, order.candidates, lines, promised, announced
    return found
