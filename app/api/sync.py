"""The way of numbers to a channel: how far it is, what did not arrive and why, and what was said."""

from typing import Final

import msgspec
from fastapi import Request, Response
from redis.exceptions import RedisError

from allocator import ledger
from app.audit import by
from app.deps import caller_of, state_of
from app.edge import Body, Path, Query, answer
from app.errors import ConnectionUnknown
from app.guarding import guarded_router
from app.history import Whole, cut, read_cursor_of
from app.openapi import documented
from app.store.connections import ConnectionFacts
from app.store.database import Session
from app.store.exchanges import ExchangeFacts, page_exchanges
from app.store.shown import ShownFacts, page_shown
from app.sync import desk, overview
from app.sync.sync_words import (
    ExchangePage,
    ExchangeShown,
    ExchangesQuery,
    Marked,
    ShownPage,
    ShownQuery,
    SkusAsked,
    SyncStatus,
)
from app.sync.words import ConnectionPath

router = guarded_router("/v1/connections", "connections")

CONNECTION: Final = Path(ConnectionPath)
SHOWN: Final = Query(ShownQuery)
EXCHANGES: Final = Query(ExchangesQuery)
SKUS: Final = Body(SkusAsked, optional=True)

READ: Final = "connections:read"
WRITE: Final = "connections:write"
UNKNOWN: Final = (ConnectionUnknown,)

_listing = msgspec.json.Decoder(tuple[str]).decode
_exchange = msgspec.json.Decoder(tuple[Whole]).decode


@router.get("/{connection}/sync", **documented(CONNECTION, scope=READ, answers=SyncStatus, refuses=UNKNOWN))
async def get_sync(request: Request) -> Response:
    """How many numbers are pushed, wait, failed or differ from what the channel shows, and how old the oldest is."""
    newest = await _newest(request)
    async with state_of(request).database.reading() as session:
        facts = await desk.find(session, caller_of(request).seller, CONNECTION(request).connection)
        return answer(await overview.status_of(session, facts, newest=newest))


@router.get("/{connection}/shown", **documented(CONNECTION, SHOWN, scope=READ, answers=ShownPage, refuses=UNKNOWN))
async def list_shown(request: Request) -> Response:
    """Each listing with the number it was told and the one it shows, when, and what is wrong with it."""
    asked, code, seller = SHOWN(request), CONNECTION(request).connection, caller_of(request).seller
    after = read_cursor_of(asked.cursor, _listing)
    async with state_of(request).database.reading() as session:
        await desk.find(session, seller, code)
        found = await page_shown(
            session,
            seller,
            code,
            state=asked.state or "",
            sku=asked.sku or "",
            after=after[0] if after else "",
            limit=asked.limit + 1,
        )
    page, more = cut(found, asked.limit, _listing_key)
    return answer(ShownPage([overview.show_listing(row) for row in page], more))


@router.post("/{connection}/push", **documented(CONNECTION, SKUS, scope=WRITE, answers=Marked, refuses=UNKNOWN))
async def push_shown(request: Request) -> Response:
    """Tell the newest numbers of these skus, or of all, once more, even where the channel seems to show them."""
    asked = await SKUS(request)
    async with state_of(request).database.writing() as session:
        facts = await _find(session, request)
        return answer(await overview.push_again(session, by(request), facts, asked.skus))


@router.post("/{connection}/replay", **documented(CONNECTION, SKUS, scope=WRITE, answers=Marked, refuses=UNKNOWN))
async def replay_shown(request: Request) -> Response:
    """Try what was given up once more, of these skus or of all; the number is the one it has by then."""
    asked = await SKUS(request)
    async with state_of(request).database.writing() as session:
        facts = await _find(session, request)
        return answer(await overview.replay(session, by(request), facts, asked.skus))


@router.post("/{connection}/reconcile", **documented(CONNECTION, scope=WRITE, answers=SyncStatus, refuses=UNKNOWN))
async def reconcile_shown(request: Request) -> Response:
    """Compare everything the channel shows with what it was told, beginning within seconds, a page at a time."""
    async with state_of(request).database.writing() as session:
        return answer(await overview.reconcile_now(session, by(request), await _find(session, request)))


@router.get(
    "/{connection}/exchanges", **documented(CONNECTION, EXCHANGES, scope=READ, answers=ExchangePage, refuses=UNKNOWN)
)
async def list_exchanges(request: Request) -> Response:
    """What was said with the channel, newest first: every request and its answer, without secrets and buyers."""
    asked, code, seller = EXCHANGES(request), CONNECTION(request).connection, caller_of(request).seller
    before = read_cursor_of(asked.cursor, _exchange)
    async with state_of(request).database.reading() as session:
        await desk.find(session, seller, code)
        found = await page_exchanges(
            session,
            seller,
            code,
            before=before[0] if before else None,
            limit=asked.limit + 1,
            operation=asked.operation or None,
            failed=asked.failed,
        )
    page, more = cut(found, asked.limit, _exchange_key)
    return answer(ExchangePage([_shown(one) for one in page], more))


async def _find(session: Session, request: Request) -> ConnectionFacts:
    return await desk.find(session, caller_of(request).seller, CONNECTION(request).connection, lock=True)


async def _newest(request: Request) -> str | None:
    """Where the seller's ledger ends, or None while the store does not answer."""
    try:
        return await ledger.last_id(state_of(request).pipe.client, caller_of(request).seller)
    except (RedisError, OSError):
        return None


def _listing_key(row: ShownFacts) -> tuple[object, ...]:
    return (row.listing,)


def _exchange_key(one: ExchangeFacts) -> tuple[object, ...]:
    return (one.id,)


def _shown(one: ExchangeFacts) -> ExchangeShown:
    return ExchangeShown(**{name: getattr(one, name) for name in ExchangeShown.__struct_fields__})
