"""
The states that an order may be in, and what may happen next: data, so that a new verb or state is one line.

The order has three cups and two tees. In a state it has got there by verbs alone. A verb does what somebody could mean
by it just then: it ships where units lie, and where none do it names a place all the same, and is refused.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from allocator import Allocator, Rule
from allocator.announced import AnnounceLine, AnnounceRequest
from allocator.model import (
    AdjustLine,
    ArrivedLine,
    CancelLine,
    EditLine,
    EditRequest,
    HoldRequest,
    Line,
    OrderRequest,
    ReturnLine,
    SentLine,
    ShipLine,
    ShipTo,
    StockLine,
    UnitsLine,
)
from tests.allocator.oracle_returns import Return
from tests.allocator.town import CUP, TEE, town

CHANNEL, ORDER, TRANSFER = "web", "O", "T"
SUBJECT = CHANNEL, ORDER
LINES = [Line("1", CUP, 3), Line("2", TEE, 2)]
CONFIG = town(rules=[Rule(kind="safety_stock", location="oslo", units=1), Rule(kind="buffer", channel="web", units=1)])


class Scene(Protocol):
    """What a verb may look at when it is its turn: whom to ask, under which name, and how things are."""

    allocator: Allocator
    op: str

    @property
    def place(self) -> str:
        """Where units of the order's first line lie, or lay."""

    @property
    def returns(self) -> list[Return]:
        """What is known of the order's returns."""

    def later(self, milliseconds: int) -> None:
        """Time passes."""

    def again(self) -> Awaitable[Any]:
        """The last call that had an op, once more."""


Verb = Callable[[Scene], Awaitable[Any]]


def placed(kind: str, **told: Any) -> Verb:
    """The order is sent, as a promise or as a firm one."""
    return lambda s: s.allocator.order(OrderRequest(channel=CHANNEL, external_id=ORDER, lines=LINES, kind=kind, **told))


def received(sku: str, location: str, units: int) -> Verb:
    return lambda s: s.allocator.receive([StockLine(sku, location, units)], op=s.op)


def adjusted(sku: str, units: int) -> Verb:
    """Fewer or more cups are found where the order's lie."""
    return lambda s: s.allocator.adjust([AdjustLine(sku, s.place, units)], op=s.op, why="looked")


def back(units: int, disposition: str) -> list[ReturnLine]:
    return [ReturnLine(line="1", location="oslo", units=units, disposition=disposition)]


def all_came_back(s: Scene) -> Awaitable[Any]:
    lines = [ReturnLine(line=line.line, location="oslo", units=line.units, disposition="quarantine") for line in LINES]
    return s.allocator.return_units(lines, op=s.op, order=SUBJECT)


def expired(s: Scene) -> Awaitable[Any]:
    s.later(61_000)
    return s.allocator.expire(elapsed_ms=61_000)


def announced(units: int) -> Verb:
    """A newer word about the return R: so many of the order's first line come back with it."""

    def ask(s: Scene) -> Awaitable[Any]:
        revision = 1 + max([known.revision for known in s.returns], default=0)
        request = AnnounceRequest(revision=revision, lines=[AnnounceLine("1", units)], location="oslo")
        return s.allocator.announce_return(*SUBJECT, "R", request)

    return ask


VERBS: dict[str, Verb] = {
    "pay": lambda s: s.allocator.pay(*SUBJECT),
    "pick": lambda s: s.allocator.pick(*SUBJECT, op=s.op),
    "ship": lambda s: s.allocator.ship(*SUBJECT, op=s.op),
    "ship one": lambda s: s.allocator.ship(*SUBJECT, [ShipLine("1", s.place, 1)], op=s.op),
    "cancel": lambda s: s.allocator.cancel(*SUBJECT, op=s.op, picked=True),
    "cancel one": lambda s: s.allocator.cancel(*SUBJECT, [CancelLine("1", 1)], op=s.op),
    "edit up": lambda s: s.allocator.edit(*SUBJECT, EditRequest(lines=[EditLine("1", CUP, 5)]), op=s.op),
    "edit down": lambda s: s.allocator.edit(*SUBJECT, EditRequest(lines=[EditLine("1", CUP, 1)]), op=s.op),
    "replan": lambda s: s.allocator.edit(
        *SUBJECT, EditRequest(ship_to=ShipTo(country="IT"), prefer=["rome"], replan=True, partial=True), op=s.op
    ),
    "announce": announced(2),
    "withdraw": announced(0),
    "announce late": lambda s: s.allocator.announce_return(
        *SUBJECT, "R", AnnounceRequest(revision=1, lines=[AnnounceLine("1", 3)])
    ),
    "return named": lambda s: s.allocator.return_units(back(1, "restock"), op=s.op, order=SUBJECT, return_id="R"),
    "return": lambda s: s.allocator.return_units(back(1, "restock"), op=s.op, order=SUBJECT),
    "scrap": lambda s: s.allocator.return_units(back(2, "scrap"), op=s.op, order=SUBJECT),
    "exchange": lambda s: s.allocator.exchange(
        *SUBJECT,
        back(1, "restock"),
        OrderRequest(channel=CHANNEL, external_id=f"new-{s.op}", lines=[Line("1", TEE, 1)]),
        op=s.op,
    ),
    "reject one": lambda s: s.allocator.reject(*SUBJECT, s.place, [UnitsLine("1", 1)], op=s.op, reason="damaged"),
    "reject": lambda s: s.allocator.reject(*SUBJECT, s.place, op=s.op, reason="not_found", rejects_max=2),
    "move": lambda s: s.allocator.move(*SUBJECT, "rome", [UnitsLine("1", 1)], op=s.op, origin=s.place),
    "move what waits": lambda s: s.allocator.move(*SUBJECT, "oslo", [UnitsLine("1", 1)], op=s.op),
    "rescue": lambda s: s.allocator.rescue(CUP, s.place, [SUBJECT]),
    "serve": lambda s: s.allocator.serve(),
    "receive": received(CUP, "oslo", 3),
    "lose": adjusted(CUP, -2),
    "find": adjusted(CUP, 1),
    "count": lambda s: s.allocator.count([AdjustLine(CUP, s.place, -3)], op=s.op, source="erp"),
    "quarantine": lambda s: s.allocator.unavailable(
        [StockLine(CUP, s.place, 2)], op=s.op, reason="put_away", direction="in"
    ),
    "put away": lambda s: s.allocator.unavailable(
        [StockLine(CUP, s.place, 1)], op=s.op, reason="put_away", direction="out"
    ),
    "fence": lambda s: s.allocator.set_quota(CUP, "oslo", "amazon", 2, op=s.op),
    "send": lambda s: s.allocator.transfer_out(f"{TRANSFER}-{s.op}", "oslo", "rome", [SentLine(CUP, 1)]),
    "arrive": lambda s: s.allocator.transfer_in(TRANSFER, "kyiv", [ArrivedLine(CUP, 1, 1)], op=s.op),
    "sell": lambda s: s.allocator.order(
        OrderRequest(channel="till", external_id=s.op, at="oslo", lines=[Line("1", CUP, 2)])
    ),
    "sell online": lambda s: s.allocator.order(
        OrderRequest(channel="amazon", external_id=s.op, lines=[Line("1", CUP, 2)])
    ),
    "hold": lambda s: s.allocator.hold(
        HoldRequest(hold_id=s.op, channel=CHANNEL, owner="ann", lines=[Line("1", CUP, 1)], ttl_ms=60_000)
    ),
    "keep pending": lambda s: s.allocator.keep_pending(
        OrderRequest(channel=CHANNEL, external_id=f"kept-{s.op}", lines=[Line("1", CUP, 1)]), "payment"
    ),
    "expire": expired,
    "again": lambda s: s.again(),
}
"""What may happen, by name."""

SHELVES: list[Verb] = [
    received(CUP, "oslo", 4),
    received(CUP, "rome", 2),
    received(TEE, "oslo", 2),
    received(TEE, "kyiv", 3),
]
"""What lies where before the order comes."""

STATES: dict[str, list[Verb]] = {
    "pending": [
        *SHELVES,
        lambda s: s.allocator.keep_pending(
            OrderRequest(channel=CHANNEL, external_id=ORDER, lines=LINES, kind="promise"), "payment"
        ),
    ],
    "committed": [*SHELVES, placed("promise")],
    "picking": [*SHELVES, placed("firm"), VERBS["pick"]],
    "partly shipped": [*SHELVES, placed("promise"), VERBS["ship one"]],
    "shipped": [*SHELVES, placed("firm"), VERBS["ship"]],
    "backordered": [received(CUP, "oslo", 1), placed("firm")],
    "held together": [received(CUP, "oslo", 5), received(TEE, "oslo", 1), placed("firm", ship_complete=True)],
    "conflict": [received(CUP, "oslo", 5), received(TEE, "oslo", 4), placed("promise"), VERBS["reject"]],
    "cancelled": [*SHELVES, placed("promise"), VERBS["cancel"]],
    "announced": [*SHELVES, placed("promise"), VERBS["ship"], VERBS["announce"]],
    "returned": [*SHELVES, placed("firm"), VERBS["ship"], all_came_back],
    "in transit": [
        *SHELVES,
        lambda s: s.allocator.transfer_out(TRANSFER, "rome", "kyiv", [SentLine(CUP, 2)]),
        placed("firm"),
    ],
}
"""How an order gets into each state, from an empty shop."""
