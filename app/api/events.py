"""What changes of the numbers channels may promise: as a stream of server-sent events, or asked for in steps."""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any, Final, cast

import msgspec
from fastapi import Request, Response

from allocator import errors, ledger
from app.deps import caller_of, state_of
from app.edge import Query, answer
from app.errors import KeysUnknown, RequestRefused, TooManyStreams, Unfit
from app.events.hub import Hub
from app.events.stream import EventStream, told
from app.events.subscription import PENDING_MAX, Filters
from app.events.words import EventsQuery, News
from app.examples import EXAMPLES
from app.guarding import guarded_router
from app.openapi import documented
from app.rights import Caller

router = guarded_router("/v1/events", "events")

WANTED = Query(EventsQuery)

LAST_EVENT_ID: Final = "Last-Event-ID"
EVENT_STREAM: Final = "text/event-stream"

SETTLE_SECONDS: Final = 10.0
"""How long one answer may wait for the numbers of what changed."""

_EXAMPLE: Final = msgspec.convert(EXAMPLES[News], News)


def _streamed() -> dict[str, Any]:
    """What documents the route: one answer as JSON, or the stream."""
    refuses = (TooManyStreams, errors.UnknownChannel, errors.UnknownLocation)
    said = documented(WANTED, scope="events:read", answers=News, refuses=refuses)
    said["openapi_extra"]["parameters"].append(
        {
            "name": LAST_EVENT_ID,
            "in": "header",
            "required": False,
            "description": "As `after`; it counts when both are there, since browsers send it when they come back.",
            "schema": {"type": "string"},
        }
    )
    content = said["openapi_extra"]["responses"]["200"]["content"]
    content[EVENT_STREAM] = {"schema": {"type": "string"}, "example": told(_EXAMPLE).decode()}
    return said


@router.get("/availability", **_streamed())
async def follow_availability(request: Request) -> Response:
    """
    Changes of availability: with `Accept: text/event-stream` as they happen, else as one answer since `after`.

    Events: `availability` with {"levels": [...]}, the newest numbers of up to 100 skus and channels, several changes
    taken together; `reload` with {"channels", "why"}: too much changed to tell it one by one, so ask again for the
    numbers of these channels, of all when none is named. Named skus are told at once with the numbers they have, and
    never need a reload. The `id` is a position: whoever comes back with it in Last-Event-ID hears of all that changed
    since, as the newest numbers. Without skus, follow first and then ask for the numbers: nothing is lost in between.
    """
    wanted, caller = WANTED(request), caller_of(request)
    filters = await _filters(caller, wanted)
    following = _hub(request).following(caller.allocator, filters, _after(request, wanted))
    if EVENT_STREAM in request.headers.get("accept", ""):
        # Entered here, where what it can be refused for still has an answer of its own.
        until = AsyncExitStack()
        return EventStream(await until.enter_async_context(following), until, lambda: _is_welcome(request))
    async with following as subscription:
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await subscription.settled.wait()
        except TimeoutError as error:
            raise errors.Unanswered("the numbers could not be read in time; repeat the request") from error
        news = subscription.take(PENDING_MAX, time.monotonic())
        return answer(news or News(subscription.position, [], None))


def _hub(request: Request) -> Hub:
    return cast(Hub, request.app.state.events)


async def _filters(caller: Caller, wanted: EventsQuery) -> Filters:
    """What the request names, or else what the key is limited to. Raises UnknownChannel, UnknownLocation."""
    channels, locations = _known(caller)
    if not (channels.issuperset(wanted.channel) and locations.issuperset(wanted.location)):
        await caller.allocator.reload()
        channels, locations = _known(caller)
    for code in wanted.channel:
        if code not in channels:
            raise errors.UnknownChannel(facts={"channel": code})
    if unknown := [code for code in wanted.location if code not in locations]:
        raise errors.UnknownLocation(facts={"locations": unknown})
    return Filters(
        frozenset(wanted.channel) or caller.channels,
        frozenset(wanted.location) or caller.locations,
        frozenset(wanted.sku) or None,
    )


def _known(caller: Caller) -> tuple[set[str], set[str]]:
    config = caller.allocator.config
    return {channel.code for channel in config.channels}, {location.code for location in config.locations}


def _after(request: Request, wanted: EventsQuery) -> str:
    """The position to go on from. Raises Unfit."""
    header = request.headers.get(LAST_EVENT_ID, "")
    after, where = (header, f"header {LAST_EVENT_ID}") if header else (wanted.after, "query after")
    try:
        if after:
            ledger.place(after)
    except ValueError as error:
        raise Unfit(str(error), where=where) from error
    return after


async def _is_welcome(request: Request) -> bool:
    """Whether the key is still good. While nobody knows, it is."""
    keys = state_of(request).keys
    header = next((value for name, value in request.scope["headers"] if name == b"authorization"), None)
    try:
        return bool(keys.recall(header) or await keys.verify(header))
    except KeysUnknown:
        return True
    except RequestRefused:
        return False
