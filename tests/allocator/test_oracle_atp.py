"""Whatever the stock, the rules and the quotas are: the server's ATP is that of the five steps, number by number."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allocator import Channel, ChannelLocation, Config, Location, Rule, SellerKeys, SkuConfig
from tests.allocator.oracle_state import Hold, Line, Order, Part, Shelf, Take
from tests.allocator.town import CHANNELS, CUP, LOCATIONS, NOON, PEN, SELLER, TEE
from tests.allocator.twins import Twins
from tests.allocator.wishes import flat

SKUS = {CUP: "kitchen", TEE: "kitchen", PEN: ""}
few, some, rare = st.integers(0, 4), st.integers(0, 30), st.sampled_from([0, 0, 0, 0, 1, 3])
huge = st.sampled_from([0, 7, 10_000, 10_000_000_000])
percents = st.sampled_from([0, 1, 3_333, 5_000, 9_999, 10_000]) | st.integers(0, 10_000)


@pytest.fixture(scope="module")
def twins(server_url: str) -> Iterator[Twins]:
    both = Twins(server_url)
    yield both
    both.close()


# --- config ----------------------------------------------------------------------------------------------------


@st.composite
def channels(draw: st.DrawFn, code: str) -> Channel:
    codes = draw(st.lists(st.sampled_from(LOCATIONS), unique=True))
    shelves = [ChannelLocation(code=place, own_shelf=draw(st.booleans())) for place in codes]
    overflow = draw(st.sampled_from(["none", "shared", "borrow"]))
    return Channel(code=code, rank=draw(st.integers(1, 3)), overflow=overflow, locations=shelves)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    kind = draw(st.sampled_from(["safety_stock", "buffer", "cutoff", "max_published"]))
    scope = draw(st.sampled_from([{}, {"sku": CUP}, {"sku": PEN}, {"category": "kitchen"}]))
    where = "location" if kind == "safety_stock" else "channel"
    place = draw(st.sampled_from(LOCATIONS if kind == "safety_stock" else CHANNELS))
    if draw(st.booleans()):
        scope = {**scope, where: place}
    bp = draw(percents) if kind == "buffer" else 0
    return Rule(kind=kind, units=draw(few | some), percent_bp=bp, **scope)


def scope(rule: Rule) -> tuple[str, ...]:
    return rule.kind, rule.sku, rule.category, rule.location, rule.channel


@st.composite
def configs(draw: st.DrawFn) -> Config:
    return Config(
        locations=[Location(code=code, active=draw(st.integers(0, 5)) > 0) for code in LOCATIONS],
        channels=[draw(channels(code)) for code in draw(st.permutations(CHANNELS))],
        skus=[SkuConfig(sku=sku, category=category) for sku, category in SKUS.items()],
        rules=draw(st.lists(rules(), unique_by=scope, max_size=12)),
    )


# --- stock -----------------------------------------------------------------------------------------------------


@st.composite
def parts(draw: st.DrawFn) -> list[Part]:
    row = st.builds(Part, st.just("own"), st.integers(1, 5), st.sampled_from(["", *CHANNELS]))
    return draw(st.lists(row, max_size=2))


@st.composite
def places(draw: st.DrawFn) -> tuple[Shelf, list[Part], list[Part]]:
    """One location's shelf, and what a hold and an order have taken there."""
    shelf = Shelf(on_hand=draw(some | huge))
    shelf.reasons.update({reason: draw(rare) for reason in ("damaged", "lost")})
    for channel in draw(st.lists(st.sampled_from([*CHANNELS, "closed"]), unique=True)):
        shelf.quotas[channel] = [draw(some | huge), draw(few)]
        shelf.spent[channel] = draw(rare)
    held, committed = draw(parts()), draw(parts())
    for part in (*held, *committed):
        if part.quota:
            shelf.quotas.setdefault(part.quota, [0, 0])
    return shelf, held, committed


stocks = st.fixed_dictionaries({(sku, code): places() for sku in SKUS for code in LOCATIONS})
debts = st.fixed_dictionaries({sku: st.tuples(rare, rare) for sku in SKUS})


def put_in_oracle(twins: Twins, stock: dict[Any, Any], owed: dict[str, tuple[int, int]]) -> None:
    """Book the drawn units as one hold and one order."""
    books = twins.oracle.books
    hold, lines = Hold("web", "ann", "open", NOON, {}), []
    for sku, (backordered, conflict) in owed.items():
        line = Line(sku, sku, 0, backordered=backordered, conflict=conflict)
        hold.takes[sku] = [Take(code, parts=stock[sku, code][1]) for code in LOCATIONS]
        line.takes = [Take(code, parts=stock[sku, code][2]) for code in LOCATIONS]
        lines.append(line)
    books.shelves = {place: shelf for place, (shelf, _, _) in stock.items()}
    books.holds = {"h": hold}
    books.orders = {"web:1": Order("web", "1", "firm", "op", NOON, 1, [], lines)}


async def put_in_server(twins: Twins) -> None:
    """Store the oracle's sums in the form the scripts keep them."""
    keys, books = SellerKeys(SELLER), twins.oracle.books
    [stock, holds, owners] = keys.named("stock", "holds", "owners")
    for sku, version in books.versions.items():
        owes = [books.debt(sku, "backordered"), books.debt(sku, "conflict")]
        packed = [version, owes if any(owes) else 0]
        for code in LOCATIONS:
            shelf = books.shelf(sku, code)
            uses = [
                (channel, quota, books.consumed(sku, code, channel), shelf.spent[channel], floor)
                for channel, (quota, floor) in shelf.quotas.items()
            ]
            quotas = [value for use in uses if any(use[1:]) for value in use]
            reasons = [value for reason in shelf.reasons.items() for value in reason]
            units = [shelf.on_hand, books.held(sku, code), books.committed(sku, code)]
            packed += [code, *units, [books.deficit(sku, code), reasons, quotas]]
        await twins.client.hset(stock, sku, msgspec.msgpack.encode(packed))
    hold = books.holds["h"]
    takes = [[sku, [take.row() for take in taken if take.parts]] for sku, taken in hold.takes.items()]
    row = [hold.channel, hold.owner, hold.state, hold.deadline_ms, takes]
    await twins.client.hset(holds, "h", msgspec.msgpack.encode(row))
    await twins.client.hset(owners, "web:ann", "h")


owners = st.sampled_from(["", "ann", "bob"])
asked_locations = st.just([""]) | st.lists(st.sampled_from([*LOCATIONS, "atlantis"]), max_size=3).map(flat)
questions = st.tuples(owners, asked_locations)


@given(configs(), stocks, debts, questions)
@settings(
    max_examples=2 * settings.default.max_examples,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_availability_and_explain_are_the_five_steps(twins, config, stock, owed, asked):
    owner, locations = asked
    twins.configure(config)
    put_in_oracle(twins, stock, owed)
    twins.run(put_in_server(twins))
    head = [twins.oracle.epoch, "", NOON, owner, *locations]

    twins.ask_raw("availability", [*head, len(CHANNELS), *CHANNELS, len(SKUS), *SKUS, 0])
    for channel in CHANNELS:
        for sku in SKUS:
            twins.ask_raw("explain", [*head, channel, sku])
