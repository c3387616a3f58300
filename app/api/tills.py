"""Tills: what has happened at them, and the numbers they may sell."""

from typing import Any, Final

from fastapi import Request, Response

from allocator import errors
from app.acknowledging import acknowledged, deciding
from app.audit import by
from app.counts.service import desk_of
from app.deps import caller_of, state_of
from app.edge import Body, Path, Query, answer
from app.errors import ConnectionUnknown, OutsideLimits, SignatureWrong
from app.guarding import guarded_router
from app.lines.lines import connector_of
from app.openapi import documented
from app.rights import Caller, refuse_outside
from app.store.connections import ConnectionFacts
from app.sync import desk
from app.sync.words import ConnectionPath
from app.tills.booking import Booker
from app.tills.feed import Reader
from app.tills.forms import EventResults, Feed, FeedQuery
from app.tills.taking import Tills
from app.times import now_ms
from channels.base import Delivery
from channels.errors import Unauthorized
from channels.pos import Pos, TillEvents
from channels.pos.signing import HEADER

router = guarded_router("/v1/pos", "tills")

CONNECTION: Final = Path(ConnectionPath)
EVENTS: Final = Body(TillEvents)
SINCE: Final = Query(FeedQuery)


def _signed() -> dict[str, Any]:
    """What documents the route: everything, and the header that proves the body."""
    said = documented(
        CONNECTION,
        EVENTS,
        scope="tills:write",
        answers=EventResults,
        acknowledges=True,
        stops="facts",
        refuses=(ConnectionUnknown, SignatureWrong),
    )
    said["openapi_extra"]["parameters"].append(
        {
            "name": HEADER,
            "in": "header",
            "required": False,
            "description": "Needed where the connection has a secret: the moment in unix seconds, at most 300 from "
            "now, and for each secret the hex HMAC-SHA256 of that moment, a dot and the raw body.",
            "schema": {"type": "string"},
            "example": "t=1795262400,v1=30ec5002948f9a3f19e66e797377fc293f0bcda552a0b8bd98d47406360a7f02",
        }
    )
    return said


@router.post("/{connection}/events", **_signed())
@acknowledged
async def take_till_events(request: Request) -> Response:
    """
    Say what has happened at tills: sales, returns, adjustments, counts and transfers, up to 500 of them at once.

    They may come late (up to 7 days), twice and in any order. A sale is booked whether the units were there or not. A
    count says what lay there when it happened: what happened later stays booked on top, whenever it is heard. Each
    event has one effect, whatever becomes of the others; repeat the request as often as you like, signed anew.
    """
    caller, code = caller_of(request), CONNECTION(request).connection
    body, asked = await EVENTS.with_bytes(request)
    facts = await _find(request, code)
    _prove(request, facts, body)
    _keep_limits(caller, facts, asked)
    state, allocator = state_of(request), await deciding(request, facts.channel)
    counts = desk_of(state, caller.allocator)
    booker = Booker(allocator, state.database, counts, state.metrics, by(request), facts.code)
    return answer(EventResults(await Tills(state.database, facts, booker).take(asked.events)))


@router.get(
    "/{connection}/stock",
    **documented(
        CONNECTION,
        SINCE,
        scope="availability:read",
        answers=Feed,
        refuses=(ConnectionUnknown, errors.UnknownChannel),
    ),
)
async def read_till_stock(request: Request) -> Response:
    """
    What tills may sell: everything at first, page by page, and with `since` what may have changed after that.

    As they change the numbers are in GET /v1/events/availability?channel=…, as a stream.
    """
    caller, asked, state = caller_of(request), SINCE(request), state_of(request)
    facts = await _find(request, CONNECTION(request).connection)
    if not caller.sees_channel(facts.channel):
        raise OutsideLimits("this key is limited to other channels", where="path connection")
    reader = Reader(state.database, state.pipe.client, caller.allocator, facts.channel)
    return answer(await reader.feed(asked.since, asked.limit))


async def _find(request: Request, code: str) -> ConnectionFacts:
    """The connection of these tills. Raises ConnectionUnknown."""
    facts = await desk.find_among(state_of(request), caller_of(request).seller, code)
    if facts.connector != Pos.facts.name:
        raise ConnectionUnknown(f"{code} is a connection to {facts.connector}, not to tills", where="path connection")
    return facts


def _prove(request: Request, facts: ConnectionFacts, body: bytes) -> None:
    """Nothing where the body is signed, or the connection has nothing to sign with. Raises SignatureWrong."""
    connector = connector_of(facts, state_of(request).sealer)
    assert isinstance(connector, Pos)
    if not connector.secrets.all:
        return
    try:
        connector.prove(Delivery(dict(request.headers), body), now_ms())
    except Unauthorized as error:
        raise SignatureWrong(str(error), where=f"header {HEADER}") from error


def _keep_limits(caller: Caller, facts: ConnectionFacts, asked: TillEvents) -> None:
    """Hold the places of events against the key's limits, by our names for them. Raises OutsideLimits."""
    if caller.limits is None:
        return
    places = [
        ("location", facts.locations.get(said, said), f"/events/{number}/{field}")
        for number, event in enumerate(asked.events)
        for field, said in (("location", event.location), ("to_location", event.to_location))
        if said
    ]
    refuse_outside(caller.limits, [("channel", facts.channel, "/events"), *places], part="body", writes=True)
