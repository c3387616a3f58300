"""What people do about orders from channels, each in the caller's transaction and with its entry in the audit."""

from app.audit import By, note
from app.errors import Unfit
from app.store.audit import add_entries
from app.store.connections import change_connection
from app.store.database import Session
from app.store.errands import revive_errands
from app.store.heard import wake
from app.times import now_ms

from .desk import find
from .in_words import PullAsked, Pulled, ReplayErrands, ReplayOrders, Woken


async def replay_orders(session: Session, by: By, code: str, asked: ReplayOrders) -> Woken:
    """Let parked orders be taken again. Raises ConnectionUnknown."""
    await find(session, by.seller, code)
    woken = await wake(session, by.seller, code, now_ms=now_ms(), ids=asked.orders)
    detail = {"orders": asked.orders, "woken": woken}
    await add_entries(session, [note(by, "connection.replay_orders", code, detail)])
    return Woken(woken)


async def replay_errands(session: Session, by: By, code: str, asked: ReplayErrands) -> Woken:
    """Let dead errands be told again. Raises ConnectionUnknown."""
    await find(session, by.seller, code)
    woken = await revive_errands(session, by.seller, code, now_ms=now_ms(), keys=asked.keys)
    detail = {"keys": asked.keys, "woken": woken}
    await add_entries(session, [note(by, "connection.replay_errands", code, detail)])
    return Woken(woken)


async def pull_now(session: Session, by: By, code: str, asked: PullAsked) -> Pulled:
    """Have orders looked for at once, from further back if a time is named. Raises ConnectionUnknown, Unfit."""
    facts = await find(session, by.seller, code, lock=True)
    since_ms = facts.watermark_ms if asked.since_ms is None else asked.since_ms
    if since_ms > now_ms():
        raise Unfit("orders of the future are not known yet", where="body /since_ms")
    await change_connection(session, by.seller, code, pulled_ms=0, watermark_ms=min(since_ms, facts.watermark_ms))
    await add_entries(session, [note(by, "connection.pull", code, {"since_ms": asked.since_ms})])
    return Pulled(code, min(since_ms, facts.watermark_ms))
