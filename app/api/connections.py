"""Connections: accounts on channels, which numbers go to and orders come from."""

from typing import Final

from fastapi import Request, Response

from allocator import errors
from app.audit import by
from app.deps import caller_of, state_of
from app.edge import Body, Path, answer
from app.errors import ChannelConnected, ConnectionUnknown, TooManyConnections
from app.guarding import guarded_router
from app.openapi import documented
from app.store.connections import ConnectionFacts, list_connections
from app.sync import desk
from app.sync.trying import try_line
from app.sync.words import (
    ConnectionList,
    ConnectionPath,
    ConnectionPut,
    ConnectionShown,
    ConnectionTested,
    show_connection,
)

router = guarded_router("/v1/connections", "connections")

CONNECTION: Final = Path(ConnectionPath)
PUT: Final = Body(ConnectionPut)

READ: Final = "connections:read"
WRITE: Final = "connections:write"


@router.get("", **documented(scope=READ, answers=ConnectionList))
async def get_connections(request: Request) -> Response:
    """The seller's connections by code."""
    async with state_of(request).database.reading() as session:
        found = await list_connections(session, caller_of(request).seller)
    return answer(ConnectionList([_shown(request, facts) for facts in found]))


@router.get(
    "/{connection}", **documented(CONNECTION, scope=READ, answers=ConnectionShown, refuses=(ConnectionUnknown,))
)
async def get_connection(request: Request) -> Response:
    """One connection: how far it is, and what keeps it from going on."""
    code = CONNECTION(request).connection
    async with state_of(request).database.reading() as session:
        return answer(_shown(request, await desk.find(session, caller_of(request).seller, code)))


@router.put(
    "/{connection}",
    **documented(
        CONNECTION,
        PUT,
        scope=WRITE,
        answers=ConnectionShown,
        created=True,
        refuses=(errors.UnknownChannel, errors.UnknownLocation, TooManyConnections, ChannelConnected),
    ),
)
async def put_connection(request: Request) -> Response:
    """
    Make a connection, or change all of it; what its secrets are nobody is ever told again.

    A new one begins with the orders that are placed from now on, and shows its first numbers within seconds.
    """
    code, asked, state = CONNECTION(request).connection, await PUT(request), state_of(request)
    async with state.database.writing() as session:
        allocator = caller_of(request).allocator
        facts, is_new = await desk.put(session, by(request), code, asked, sealer=state.sealer, allocator=allocator)
    return answer(_shown(request, facts), 201 if is_new else 200)


@router.delete(
    "/{connection}", **documented(CONNECTION, scope=WRITE, answers=ConnectionShown, refuses=(ConnectionUnknown,))
)
async def delete_connection(request: Request) -> Response:
    """Forget a connection and what is known of its channel; orders from there stay. The answer is as it was."""
    async with state_of(request).database.writing() as session:
        return answer(_shown(request, await desk.remove(session, by(request), CONNECTION(request).connection)))


@router.post(
    "/{connection}/pause", **documented(CONNECTION, scope=WRITE, answers=ConnectionShown, refuses=(ConnectionUnknown,))
)
async def pause_connection(request: Request) -> Response:
    """Neither push nor pull until it is resumed; webhooks are still taken, and what they say waits."""
    return await _pause(request, paused=True)


@router.post(
    "/{connection}/resume", **documented(CONNECTION, scope=WRITE, answers=ConnectionShown, refuses=(ConnectionUnknown,))
)
async def resume_connection(request: Request) -> Response:
    """Go on: what has changed meanwhile is pushed, and the orders of the time between are asked for."""
    return await _pause(request, paused=False)


@router.post(
    "/{connection}/test", **documented(CONNECTION, scope=WRITE, answers=ConnectionTested, refuses=(ConnectionUnknown,))
)
async def test_connection(request: Request) -> Response:
    """Try its token, its listings and its orders, and say how that went. Nothing is changed anywhere."""
    state, code = state_of(request), CONNECTION(request).connection
    async with state.database.reading() as session:
        facts = await desk.find(session, caller_of(request).seller, code)
    return answer(await try_line(await state.lines.line(facts)))


test_connection.__test__ = False  # type: ignore[attr-defined] # pytest takes it for one


async def _pause(request: Request, *, paused: bool) -> Response:
    code = CONNECTION(request).connection
    async with state_of(request).database.writing() as session:
        return answer(_shown(request, await desk.pause(session, by(request), code, paused=paused)))


def _shown(request: Request, facts: ConnectionFacts) -> ConnectionShown:
    return show_connection(facts, sorted(desk.secrets_of(facts, state_of(request).sealer)))
