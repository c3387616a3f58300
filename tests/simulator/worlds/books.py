"""What a world left behind: the ledger in SQL, the records in Valkey, and what happened at the server."""

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from allocator.reading import Books, read_books
from allocator.records import Entry
from tests.allocator.town import SELLER
from tests.simulator.loop import drive
from tests.simulator.pipe import Client, Network

from .chronicle import Begun, Copied, Execution, FellBack

if TYPE_CHECKING:
    from .world import World

_entry = msgspec.msgpack.Decoder(Entry).decode


Key = tuple[str, str, bytes]
"""An entry's epoch, its id, and the answer it tells."""


class Row(NamedTuple):
    """One ledger entry in SQL."""

    number: int
    epoch: str
    id: str
    hash: str
    body: bytes
    at_ms: int
    recorded_ms: int
    entry: Entry

    @property
    def key(self) -> Key:
        """What tells it from any other; after a fail-over two may have one id."""
        return self.epoch, self.id, self.entry.answer


class Left(NamedTuple):
    """
    All of it.

    kept: runs of scripts that count now; lost: those that went with Valkey's data; silent: those among them that went
    without a trace, with a primary whose replica was behind.
    """

    world: "World"
    client: Client
    records: Books
    rows: list[Row]
    kept: list[Execution]
    lost: list[Execution]
    silent: list[Execution]


def read_left(world: "World") -> Left:
    """Read everything once; nobody lives here any more."""
    client = Client(Network(world.server.store))
    rows = [
        Row(*row, _entry(row[4]))
        for row in world.sql.rows(
            "SELECT number, epoch, id, hash, body, at_ms, recorded_ms FROM ledger_entry ORDER BY number"
        )
    ]
    books = drive(read_books(client, SELLER, every_op=True))
    return Left(world, client, books, rows, *_sort_out(world, rows))


def _sort_out(world: "World", rows: list[Row]) -> tuple[list[Execution], list[Execution], list[Execution]]:
    """
    Runs of scripts that count, in order; those that a loss of Valkey's data took; and of these those that nobody can
    know of: a replica lacked them, nothing of it was in SQL, and so all went on.
    """
    numbers = {row.key: row.number for row in rows}
    kept: list[Execution] = []
    behind: list[Execution] = []
    lost: list[Execution] = []
    silent: list[Execution] = []
    copied = fell = 0
    for happened in world.server.history:
        if isinstance(happened, Execution):
            kept.append(happened)
        elif isinstance(happened, Copied):
            copied = len(kept)
        elif isinstance(happened, FellBack):
            behind += kept[copied:]
            del kept[copied:]
            fell = copied
        elif isinstance(happened, Begun):
            there = [run for run in kept + behind if 0 < numbers.get(key_of(run), 0) <= happened.number]
            lost += [run for run in kept + behind if run not in there]
            if any(run.made for run in kept[fell:]):
                silent += [run for run in behind if run not in there]
            kept, behind, copied, fell = sorted(there, key=lambda run: numbers[key_of(run)]), [], 0, 0
    return kept, lost + behind, silent


def key_of(run: Execution) -> Key:
    """The key of the entry that this run made."""
    return run.arguments[0].decode(), run.entry, run.packed
