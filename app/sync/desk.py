"""What can be done with connections, each in the caller's transaction and with its entry in the audit."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import msgspec

from allocator import Allocator, errors
from app.audit import By, note
from app.deps import State
from app.edge import unfit
from app.errors import ChannelConnected, ConnectionUnknown, TooManyConnections, Unfit
from app.lines.lines import secrets_purpose
from app.sealing import Sealer
from app.store.audit import add_entries
from app.store.connections import (
    ConnectionFacts,
    change_connection,
    drop_connection,
    find_connection,
    list_connections,
    put_connection,
)
from app.store.database import Database, Session
from app.store.sellers import require_seller
from app.times import now_ms
from channels import CHANNELS, Connector

from .words import ConnectionPut

CONNECTIONS_MAX: Final = 100
"""Most connections of a seller."""


async def find(session: Session, seller: str, code: str, *, lock: bool = False) -> ConnectionFacts:
    """A connection of this seller. Raises ConnectionUnknown."""
    return _there(code, await find_connection(session, seller, code, lock=lock))


async def find_among(state: State, seller: str, code: str) -> ConnectionFacts:
    """The same for what many ask at once, who are answered together. Raises ConnectionUnknown, DatabaseAway."""
    return _there(code, await state.found.add((seller, code), partial(_find_all, state.database)))


async def _find_all(database: Database, asked: Sequence[tuple[str, str]]) -> list[ConnectionFacts | None]:
    async with database.reading() as session:
        found = {one: await find_connection(session, *one) for one in sorted(set(asked))}
    return [found[one] for one in asked]


def _there(code: str, found: ConnectionFacts | None) -> ConnectionFacts:
    if found is None:
        raise ConnectionUnknown(f"there is no connection {code}", where="path connection")
    return found


def judged(allocator: Allocator, asked: ConnectionPut, known: dict[str, str]) -> dict[str, str]:
    """
    The secrets of a connection that would work, as far as that can be seen from here; `known` if it gives none.

    Raises Unfit, UnknownChannel, UnknownLocation.
    """
    kind = _kind(asked.connector)
    if asked.channel not in {channel.code for channel in allocator.config.channels}:
        raise errors.UnknownChannel(facts={"channel": asked.channel})
    missing = {*asked.locations.values()} - {location.code for location in allocator.config.locations}
    if missing:
        raise errors.UnknownLocation(facts={"locations": sorted(missing)})
    secrets = known if asked.secrets is None else asked.secrets
    _convert(asked.settings, kind.settings_type, "settings")
    _convert(secrets, kind.secrets_type, "secrets")
    return secrets


async def put(
    session: Session, by: By, code: str, asked: ConnectionPut, *, sealer: Sealer, allocator: Allocator
) -> tuple[ConnectionFacts, bool]:
    """
    Make a connection or change it; whether it is new. What it is told of the channel's orders begins now.

    Raises what `judged` raises, Unsealable, TooManyConnections, ChannelConnected.
    """
    await require_seller(session, by.seller, lock=True)
    before = await find_connection(session, by.seller, code, lock=True)
    others = [facts for facts in await list_connections(session, by.seller) if facts.code != code]
    if before is None and len(others) >= CONNECTIONS_MAX:
        raise TooManyConnections(f"{CONNECTIONS_MAX} connections are the most a seller may have")
    _free(asked.channel, before, others)
    if before is not None and before.connector != asked.connector:
        raise Unfit(f"it is a connection to {before.connector}: make another one", where="body /connector")
    secrets = judged(allocator, asked, {} if asked.secrets is not None else secrets_of(before, sealer))
    facts = ConnectionFacts(
        seller=by.seller,
        code=code,
        connector=asked.connector,
        channel=asked.channel,
        settings=asked.settings,
        secrets=sealer.seal(secrets_purpose(by.seller, code), secrets),
        counts=asked.counts or _kind(asked.connector).facts.counts,
        locations=asked.locations,
        **_kept(before, is_same=asked.secrets is None),
    )
    await put_connection(session, facts)
    await add_entries(session, [note(by, "connection.put", code, {"before": _told(before), "after": _told(facts)})])
    return facts, before is None


async def pause(session: Session, by: By, code: str, *, paused: bool) -> ConnectionFacts:
    """Stop talking to a channel, or go on. Raises ConnectionUnknown."""
    before = await find(session, by.seller, code, lock=True)
    if before.paused != paused:
        await change_connection(session, by.seller, code, paused=paused, version=before.version + 1)
        await add_entries(session, [note(by, "connection.pause" if paused else "connection.resume", code, {})])
    return await find(session, by.seller, code)


async def remove(session: Session, by: By, code: str) -> ConnectionFacts:
    """Forget a connection and what is known of its channel. Raises ConnectionUnknown."""
    before = await find(session, by.seller, code, lock=True)
    await drop_connection(session, by.seller, code)
    await add_entries(session, [note(by, "connection.remove", code, {"before": _told(before)})])
    return before


def secrets_of(facts: ConnectionFacts | None, sealer: Sealer) -> dict[str, str]:
    """The secrets of a connection by name, none where there is no connection. Raises Unsealable."""
    if facts is None:
        return {}
    return sealer.open(secrets_purpose(facts.seller, facts.code), facts.secrets, dict[str, str])


def _convert(given: dict[str, Any], type: Any, name: str) -> None:
    try:
        msgspec.convert(given, type)
    except msgspec.ValidationError as error:
        raise unfit(error, f"body /{name}", type) from None


def _free(channel: str, before: ConnectionFacts | None, others: list[ConnectionFacts]) -> None:
    """
    Raises ChannelConnected: an order is known by its channel and its id there, so two accounts need two channels.

    One that has shared its channel since before that was refused can be changed nevertheless.
    """
    taken = [facts.code for facts in others if facts.channel == channel]
    if taken and (before is None or before.channel != channel):
        raise ChannelConnected(f"the connection {taken[0]} leads to {channel} already", where="body /channel")


def _kind(connector: str) -> type[Connector[Any, Any]]:
    if connector not in CHANNELS:
        raise Unfit(f"there is no connector {connector}", where="body /connector", allowed=sorted(CHANNELS))
    return CHANNELS[connector]


def _kept(before: ConnectionFacts | None, *, is_same: bool) -> dict[str, Any]:
    """What a change leaves as it is; with other secrets the token is another one too."""
    now = now_ms()
    if before is None:
        return {"created_ms": now, "watermark_ms": now}
    names = (
        "created_ms",
        "paused",
        "position",
        "watermark_ms",
        "pulled_ms",
        "reconciled_ms",
        "subscribed_ms",
        "subscribed_url",
    )
    kept = {name: getattr(before, name) for name in names}
    return {**kept, "token": before.token if is_same else None, "version": before.version + 1}


def _told(facts: ConnectionFacts | None) -> dict[str, Any] | None:
    """What the audit may know."""
    if facts is None:
        return None
    names = ("connector", "channel", "settings", "counts", "locations", "paused", "version")
    return {name: getattr(facts, name) for name in names}
