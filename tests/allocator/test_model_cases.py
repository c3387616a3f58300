"""What the random sequences found, or were too random to find, as plain cases; the oracle agrees with each."""

from functools import partial

import pytest

from allocator import Rule
from allocator.arguments import fingerprint
from allocator.model import AdjustLine, HoldRequest, Line, OrderRequest, StockLine
from tests.allocator.town import CUP, EPOCH, town
from tests.allocator.twins import Twins


@pytest.fixture
def twins(server_url):
    both = Twins(server_url, town(rules=[]))
    yield both
    both.close()


@pytest.fixture
def short_hold(twins):
    """Ann holds 5 cups in oslo of which 2 have vanished since; 5 more lie in rome."""
    allocator = twins.allocator
    twins.ask(allocator.receive([StockLine(CUP, "oslo", 5), StockLine(CUP, "rome", 5)], op="delivery"))
    twins.ask(allocator.hold(hold_of_ann("ann-1", 5)))
    twins.ask(allocator.adjust([AdjustLine(CUP, "oslo", -2)], op="count", why="count"))
    return allocator


def hold_of_ann(id, count):
    return HoldRequest(hold_id=id, channel="web", owner="ann", ttl_ms=60_000, lines=[Line("1", CUP, count)])


def test_a_replaced_hold_takes_its_deficit_with_it(twins, short_hold):
    [level] = twins.run(short_hold.availability([CUP], ["web"], owner="ann"))

    said = twins.ask(short_hold.hold(hold_of_ann("ann-2", level.atp_now)))

    assert (level.atp_now, said.word) == (8, "held")


@pytest.mark.parametrize("kind", ["promise", "firm"])
def test_a_hold_that_is_taken_over_takes_its_deficit_with_it(twins, short_hold, kind):
    order = OrderRequest(channel="web", external_id="W1", kind=kind, hold="ann-1", lines=[Line("1", CUP, 8)])

    said = twins.ask(short_hold.order(order))

    assert (said.word, said.facts[1]) == ("placed", "committed")


def test_an_order_gets_of_its_hold_only_what_earlier_orders_left_there(twins):
    allocator = twins.allocator
    twins.ask(allocator.receive([StockLine(CUP, "oslo", 4)], op="delivery"))
    twins.ask(allocator.order(OrderRequest(channel="web", external_id="W1", lines=[Line("1", CUP, 2)])))
    twins.ask(allocator.hold(hold_of_ann("ann-1", 2)))
    twins.ask(allocator.adjust([AdjustLine(CUP, "oslo", -1)], op="count", why="count"))
    order = OrderRequest(channel="web", external_id="W2", kind="firm", hold="ann-1", lines=[Line("1", CUP, 2)])

    said = twins.ask(allocator.order(order))

    [line] = said.facts[3]
    assert line[3:6] == [1, 0, 1]


def test_a_location_with_nothing_but_safety_stock_was_not_passed_over_for_lack_of_need(twins):
    twins.configure(town(rules=[Rule(kind="safety_stock", location="oslo", units=3)]))
    allocator = twins.allocator
    twins.ask(allocator.receive([StockLine(CUP, "oslo", 3), StockLine(CUP, "rome", 2)], op="delivery"))
    request = HoldRequest(hold_id="h", channel="web", partial=True, ttl_ms=60_000, lines=[Line("1", CUP, 4)])

    held = twins.run(allocator.hold(request))

    assert [(spot.location, spot.verdict) for spot in held.trace][:2] == [("oslo", "nothing_open"), ("rome", "taken")]


def test_an_op_of_the_last_millisecond_that_fits_is_remembered(twins):
    twins.allocator.now_ms = 9_999_999_999_999
    work = partial(twins.allocator.receive, [StockLine(CUP, "oslo", 1)], op="late")
    twins.ask(work())

    again = twins.ask(work())

    assert (again.word, again.replayed) == ("moved", True)


def test_a_time_of_more_digits_than_an_answer_keeps_is_nonsense(twins):
    work = twins.send("receive", [EPOCH, "", 10**13, "receive:x", fingerprint("x"), "", "", 1, CUP, "oslo", 1])

    twins.run(work)

    assert twins.ear.heard[-1].said.word == "invalid"
