"""What the oracle says when it is only asked: availability and explain."""

from typing import Any

from allocator import Channel
from tests.allocator.oracle_atp import Atp, View, atp_of, rules_that_speak
from tests.allocator.oracle_state import Books

SCOPE_MARKS = {
    "sku and location": "sku+",
    "sku and channel": "sku+",
    "category and location": "category+",
    "category and channel": "category+",
    "sku": "sku",
    "category": "category",
    "location": "",
    "channel": "",
    "global": "global",
}


def without_hold_of(books: Books, channel: str, owner: str) -> Books:
    """The books as if the owner's open hold on this channel had never been made."""
    holds = [
        id
        for id, hold in books.holds.items()
        if owner and (hold.channel, hold.owner, hold.state) == (channel, owner, "open")
    ]
    if not holds:
        return books
    mine = books.copy()
    for id in holds:
        del mine.holds[id]
    return mine


def available(books: Books, owner: str, only: set[str] | None, channels: list[str], skus: list[str]) -> list[Any]:
    table = [[sku, books.versions.get(sku, -1)] for sku in skus]
    for code in channels:
        mine, channel = without_hold_of(books, code, owner), books.channel(code)
        assert channel is not None
        for row in table:
            atp = atp_of(mine, channel, row[0], only) if row[0] in books.versions else None
            row.extend([atp.now, atp.published] if atp else [0, 0])
    return [value for row in table for value in row]


def explained(books: Books, owner: str, only: set[str] | None, channel: Channel, sku: str) -> list[Any]:
    version, books = books.versions[sku], without_hold_of(books, channel.code, owner)
    atp = atp_of(books, channel, sku, only)
    debts = [books.debt(sku, "backordered"), books.debt(sku, "conflict")]
    return [
        version,
        channel.overflow,
        [shelf_row(books, sku, view) for view in atp.views.values()],
        [*debts, atp.owed - sum(debts)],
        [atp.open, atp.owed, atp.pool, atp.buffer, atp.now, atp.cutoff, atp.cap, atp.published],
        rule_rows(books, atp, channel.code, sku),
        atp.spread(),
    ]


def shelf_row(books: Books, sku: str, view: View) -> list[Any]:
    code, shelf = view.location, books.shelf(sku, view.location)
    lent = sum(lender.lendable for lender in view.lenders) if view.overflow == "borrow" else 0
    quotas = [
        [other, shelf.quotas[other][0], books.consumed(sku, code, other), shelf.quotas[other][1]]
        for other in sorted(shelf.quotas, key=lambda other: (books.rank(other), other))
    ]
    units = [shelf.on_hand, shelf.reasons.total(), books.held(sku, code), books.committed(sku, code)]
    promised = [books.available(sku, code), view.safety, view.free, view.own, view.shared, lent, view.open]
    return [code, *units, *promised, books.deficit(sku, code), shelf.transit.total(), quotas]


def rule_rows(books: Books, atp: Atp, channel: str, sku: str) -> list[Any]:
    asked = [("safety_stock", code) for code in atp.views]
    asked += [(kind, channel) for kind in ("buffer", "cutoff", "max_published")]
    return [
        [
            kind,
            place,
            [
                [SCOPE_MARKS[scope], [rule.units, rule.percent_bp] if kind == "buffer" else rule.units]
                for scope, rule in rules_that_speak(books, kind, sku, place)
            ],
        ]
        for kind, place in asked
    ]
