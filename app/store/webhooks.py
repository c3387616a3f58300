"""Where sellers want events sent, and what became of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import delete, exists, func, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from .comparing import number, words
from .statements import dialect
from .tables import WebhookDelivery, WebhookEndpoint

R = TypeVar("R", WebhookDelivery, WebhookEndpoint)

WAITING: Final = "waiting"
DELIVERED: Final = "delivered"
FAILED: Final = "failed"

INSERT_MAX: Final = 500
"""Rows of one INSERT: databases limit the values of one statement."""


@dataclass(frozen=True)
class EndpointFacts:
    """An endpoint; `secrets` are [{"secret", "op", "until_ms"}], newest first."""

    id: str
    seller: str
    url: str
    events: list[str]
    channels: list[str] | None
    secrets: list[dict[str, Any]]
    active: bool
    disabled_why: str
    failing_since_ms: int | None
    created_ms: int


class NewDelivery(NamedTuple):
    """An event for an endpoint, to be sent at once."""

    id: str
    endpoint: str
    seller: str
    event: str
    payload: str


@dataclass(frozen=True)
class DeliveryFacts:
    """What became of an event for an endpoint."""

    id: str
    endpoint: str
    seller: str
    event: str
    payload: str
    state: str
    attempts: int
    next_ms: int
    last_status: int | None
    last_error: str
    last_ms: int | None
    created_ms: int


# --- endpoints -----------------------------------------------------------------------------------------------------


async def add_endpoint(session: AsyncSession, facts: EndpointFacts) -> None:
    """Remember a new endpoint."""
    session.add(WebhookEndpoint(**vars(facts)))
    await session.flush()


async def find_endpoint(session: AsyncSession, seller: str, id: str, *, lock: bool = False) -> EndpointFacts | None:
    """An endpoint of this seller, or None; `lock` keeps other writers of it waiting."""
    row = await session.get(WebhookEndpoint, id, with_for_update=lock)
    return _endpoint(row) if row is not None and row.seller == seller else None


async def list_endpoints(session: AsyncSession, seller: str) -> list[EndpointFacts]:
    """The seller's endpoints, oldest first."""
    mine = select(WebhookEndpoint).where(WebhookEndpoint.seller == seller)
    rows = await session.exec(mine.order_by(col(WebhookEndpoint.created_ms), col(WebhookEndpoint.id)))
    return [_endpoint(row) for row in rows]


async def active_endpoints(session: AsyncSession) -> list[EndpointFacts]:
    """Every seller's endpoints that are sent to, by id."""
    rows = await session.exec(
        select(WebhookEndpoint).where(col(WebhookEndpoint.active)).order_by(col(WebhookEndpoint.id))
    )
    return [_endpoint(row) for row in rows]


async def change_endpoint(session: AsyncSession, id: str, **changes: Any) -> EndpointFacts | None:
    """The endpoint with these fields changed; None if there is none."""
    row = await _change(session, WebhookEndpoint, id, changes)
    return None if row is None else _endpoint(row)


async def delete_endpoint(session: AsyncSession, id: str) -> None:
    """Forget an endpoint and its deliveries."""
    await session.exec(delete(WebhookEndpoint).where(col(WebhookEndpoint.id) == id))


# --- deliveries ----------------------------------------------------------------------------------------------------


async def add_deliveries(session: AsyncSession, deliveries: Sequence[NewDelivery], *, now_ms: int) -> None:
    """Remember events to be sent; one that is known already stays as it is, one of a deleted endpoint is dropped."""
    wanted = {delivery.endpoint for delivery in deliveries}
    there = select(WebhookEndpoint.id).where(col(WebhookEndpoint.id).in_(wanted))
    # FOR KEY SHARE: nobody deletes one of them until we commit.
    found = await session.exec(there.with_for_update(read=True, key_share=True))
    known = set(found.all())
    rows = [_row(delivery, now_ms) for delivery in deliveries if delivery.endpoint in known]
    for start in range(0, len(rows), INSERT_MAX):
        insert = dialect(session).insert(WebhookDelivery).values(rows[start : start + INSERT_MAX])
        await session.exec(insert.on_conflict_do_nothing())


async def find_delivery(session: AsyncSession, seller: str, id: str) -> DeliveryFacts | None:
    """A delivery of this seller, or None."""
    row = await session.get(WebhookDelivery, id)
    return _delivery(row) if row is not None and row.seller == seller else None


async def list_deliveries(
    session: AsyncSession, endpoint: str, *, state: str, before: tuple[int, str] | None, limit: int
) -> list[DeliveryFacts]:
    """An endpoint's deliveries, newest first, of one `state` or of all (''); `before`: time and id of the last seen."""
    query = select(WebhookDelivery).where(WebhookDelivery.endpoint == endpoint)
    if state:
        query = query.where(WebhookDelivery.state == state)
    if before is not None:
        made, id = number(before[0]), words(before[1])
        older = (col(WebhookDelivery.created_ms) == made) & (col(WebhookDelivery.id) < id)
        query = query.where((col(WebhookDelivery.created_ms) < made) | older)
    query = query.order_by(col(WebhookDelivery.created_ms).desc(), col(WebhookDelivery.id).desc()).limit(limit)
    return [_delivery(row) for row in await session.exec(query)]


async def due_endpoints(session: AsyncSession, *, now_ms: int) -> list[str]:
    """The active endpoints that something is to be sent to now."""
    due = exists().where(
        col(WebhookDelivery.endpoint) == col(WebhookEndpoint.id),
        col(WebhookDelivery.state) == WAITING,
        col(WebhookDelivery.next_ms) <= now_ms,
    )
    rows = await session.exec(select(WebhookEndpoint.id).where(col(WebhookEndpoint.active), due))
    return sorted(rows.all())


async def claim(session: AsyncSession, endpoint: str, *, now_ms: int, until_ms: int, limit: int) -> list[DeliveryFacts]:
    """
    The deliveries that are due, oldest first, each with one more attempt; nobody else gets them until then.

    Whoever claimed them and dies leaves them to be sent again, under the same id.
    """
    query = (
        select(WebhookDelivery)
        .where(
            WebhookDelivery.endpoint == endpoint,
            WebhookDelivery.state == WAITING,
            col(WebhookDelivery.next_ms) <= now_ms,
        )
        .order_by(col(WebhookDelivery.next_ms), col(WebhookDelivery.created_ms), col(WebhookDelivery.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = (await session.exec(query)).all()
    for row in rows:
        row.attempts, row.next_ms = row.attempts + 1, until_ms
        session.add(row)
    await session.flush()
    return [_delivery(row) for row in rows]


async def change_delivery(session: AsyncSession, id: str, **changes: Any) -> DeliveryFacts | None:
    """The delivery with these fields changed; None if there is none."""
    row = await _change(session, WebhookDelivery, id, changes)
    return None if row is None else _delivery(row)


async def _change(session: AsyncSession, table: type[R], id: str, changes: Mapping[str, Any]) -> R | None:
    row = await session.get(table, id, with_for_update=True)
    if row is not None:
        for name, value in changes.items():
            setattr(row, name, value)
        session.add(row)
        await session.flush()
    return row


async def put_off(session: AsyncSession, ids: Iterable[str], *, now_ms: int) -> None:
    """Give claimed deliveries back untried: somebody may send them now."""
    mine = col(WebhookDelivery.id).in_(list(ids)) & (col(WebhookDelivery.state) == WAITING)
    attempts = col(WebhookDelivery.attempts) - 1
    await session.exec(update(WebhookDelivery).where(mine).values(next_ms=now_ms, attempts=attempts))


async def delete_deliveries(session: AsyncSession, endpoint: str, *, before_ms: int, limit: int) -> int:
    """Forget an endpoint's deliveries from before this time, at most so many; how many they were."""
    old = (
        select(WebhookDelivery.id)
        .where(WebhookDelivery.endpoint == endpoint, col(WebhookDelivery.created_ms) < before_ms)
        .limit(limit)
    )
    result = await session.exec(delete(WebhookDelivery).where(col(WebhookDelivery.id).in_(old)))
    return int(result.rowcount)


async def all_endpoint_ids(session: AsyncSession) -> list[str]:
    """Every endpoint there is, active or not."""
    return list((await session.exec(select(WebhookEndpoint.id).order_by(col(WebhookEndpoint.id)))).all())


async def count_endpoints(session: AsyncSession, seller: str, *, active: bool = False) -> int:
    """How many endpoints the seller has, or how many are active."""
    query = select(func.count()).where(col(WebhookEndpoint.seller) == seller)
    query = query.where(col(WebhookEndpoint.active)) if active else query
    return int((await session.exec(query)).one())


def _row(delivery: NewDelivery, now_ms: int) -> dict[str, Any]:
    blank = {"state": WAITING, "attempts": 0, "next_ms": now_ms, "last_status": None, "last_error": ""}
    return {**delivery._asdict(), **blank, "last_ms": None, "created_ms": now_ms}


def _endpoint(row: WebhookEndpoint) -> EndpointFacts:
    return EndpointFacts(**{name: getattr(row, name) for name in EndpointFacts.__dataclass_fields__})


def _delivery(row: WebhookDelivery) -> DeliveryFacts:
    return DeliveryFacts(**{name: getattr(row, name) for name in DeliveryFacts.__dataclass_fields__})
