"""
Webhooks that have been proved, written down: those that came at the same moment in one transaction.

What one says and that it was heard are one transaction, so one that comes again changes nothing. An old one that is
sent again under another id changes nothing either: pictures have revisions.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from app.lines.lag import Arrival
from app.store.connections import ConnectionFacts
from app.store.database import Database, Session
from app.store.heard import note_named, note_news, note_odd, note_told
from app.times import now_ms
from channels.base import News

from .pictures import told_of
from .told import look_again, note_shown, ticket_finished

VIA: Final = "hook"
TOPIC_MAX: Final = 100


class Note(NamedTuple):
    """What a webhook says, whose it is, and the name by which it is known when it comes again."""

    facts: ConnectionFacts
    id: str
    news: News


async def write_all(database: Database, notes: Sequence[Note]) -> list[list[Arrival]]:
    """Write all down; the numbers that have arrived by that, those of a connection with its first note of them."""
    arrivals: list[list[Arrival]] = [[] for _ in notes]
    by_connection = defaultdict[tuple[str, str], list[int]](list)
    for place, note in enumerate(notes):
        by_connection[note.facts.seller, note.facts.code].append(place)
    async with database.writing() as session:
        # Always in one order: whoever writes beside us must not wait for us while we wait for him.
        for _, places in sorted(by_connection.items()):
            for new in rounds([notes[place] for place in places]):
                arrivals[places[0]] += await _write(session, new)
    return arrivals


def rounds(notes: Sequence[Note]) -> Iterator[list[Note]]:
    """
    The notes in parts that are written one after the other.

    No two of one part say something of the same thing, so it does not matter which of them came first; between parts it
    does.
    """
    parts: list[list[Note]] = []
    after: dict[tuple[str, str], int] = {}
    for note in notes:
        things = set(_things(note))
        part = max(after.get(thing, 0) for thing in things)
        if part == len(parts):
            parts.append([])
        parts[part].append(note)
        after |= dict.fromkeys(things, part + 1)
    yield from parts


def _things(note: Note) -> Iterator[tuple[str, str]]:
    news = note.news
    yield "news", note.id
    yield from (("order", order.external_id) for order in news.orders)
    yield from (("order", id) for id in news.ask)
    yield from (("order", one.external_id) for one in news.odd)
    yield from (("listing", one.listing) for one in news.shown)
    yield from (("listing", one) for one in news.look)
    yield from (("ticket", one) for one in news.finished)


async def _write(session: Session, notes: Sequence[Note]) -> list[Arrival]:
    """Notes of one connection that name nothing twice."""
    facts, at_ms = notes[0].facts, now_ms()
    mine = facts.seller, facts.code
    unheard = await note_news(session, *mine, {note.id: note.news.topic[:TOPIC_MAX] for note in notes}, now_ms=at_ms)
    new = [note.news for note in notes if note.id in unheard]
    told = [told_of(order) for news in new for order in news.orders]
    await note_told(session, *mine, told, via=VIA, now_ms=at_ms)
    await note_named(session, *mine, [id for news in new for id in news.ask], via=VIA, now_ms=at_ms)
    for one in (one for news in new for one in news.odd):
        await note_odd(session, *mine, one.external_id, one.says, via=VIA, now_ms=at_ms)
    arrivals = await note_shown(session, facts, [one for news in new for one in news.shown])
    await look_again(session, facts, [one for news in new for one in news.look])
    await ticket_finished(session, facts, [one for news in new for one in news.finished])
    return arrivals
