"""Stock as the ledger adds up to it: now, and as it was at any time. All from SQL."""

import msgspec
from fastapi import Request, Response

from allocator import SkuState, errors
from allocator.balances import add_moves, encode_state
from allocator.records import decode_state
from app.deps import caller_of, state_of
from app.edge import Path, Query, answer
from app.errors import Behind, Unfit
from app.guarding import guarded_router
from app.history import cut, one_of, read_cursor_of, wait_for
from app.history_forms import Balance, BalancePage, BalanceQuery, BalancesQuery
from app.openapi import documented
from app.requests import SkuPath
from app.stock_forms import stocked
from app.store.balances import (
    BalanceFacts,
    WantedBalances,
    list_balances,
    moved_since,
    moved_until,
    read_balance,
)
from app.store.comparing import number
from app.store.database import Session
from app.store.history import entry_at

router = guarded_router("/v1/balances", "stock")

BALANCES = Query(BalancesQuery)
SKU = Path(SkuPath)
BALANCE = Query(BalanceQuery)

_sku_key = msgspec.json.Decoder(tuple[str]).decode


@router.get("", **documented(BALANCES, scope="stock:read", answers=BalancePage, refuses=(Behind,)))
async def list_all_balances(request: Request) -> Response:
    """
    Stock by sku and location as SQL knows it, in the order of skus; `position` and `after` as for orders.

    `GET /v1/stock` has what Valkey knows at this moment.
    """
    caller, asked = caller_of(request), BALANCES(request)
    position = await wait_for(request, asked.after)
    [after] = read_cursor_of(asked.cursor, _sku_key) or ("",)
    wanted = WantedBalances(locations=one_of(asked.location, caller.locations), after=after)
    async with state_of(request).database.reading() as session:
        found = await list_balances(session, caller.seller, wanted, asked.limit + 1)
    page, more = cut(found, asked.limit, lambda balance: (balance.sku,))
    return answer(BalancePage([stocked(row.sku, decode_state(row.state)) for row in page], more, position))


@router.get(
    "/{sku}",
    **documented(SKU, BALANCE, scope="stock:read", answers=Balance, refuses=(errors.UnknownSku, Behind)),
)
async def get_balance(request: Request) -> Response:
    """Stock of a sku as SQL knows it, or as it was at a time or after an entry of the ledger."""
    caller, sku, asked = caller_of(request), SKU(request).sku, BALANCE(request)
    if asked.at_ms is not None and asked.entry is not None:
        raise Unfit("name a time or an entry, not both", where="query entry")
    position = await wait_for(request, asked.after)
    async with state_of(request).database.reading() as session:
        balance = await read_balance(session, caller.seller, sku)
        if balance is None:
            raise errors.UnknownSku(facts={"skus": [sku]})
        entry = await _entry(session, caller.seller, asked)
        state = await _state(session, caller.seller, balance, entry)
    shown = balance.number if entry is None else entry
    return answer(Balance(stocked(sku, state), shown, position))


async def _entry(session: Session, seller: str, asked: BalanceQuery) -> int | None:
    """The last entry that counts, or None when all do."""
    if asked.at_ms is None:
        return None if asked.entry is None else number(asked.entry)
    found = await entry_at(session, seller, asked.at_ms)
    return found[0] if found else 0


async def _state(session: Session, seller: str, balance: BalanceFacts, entry: int | None) -> SkuState:
    """The state after this entry, from whichever end of the sku's movements is nearer."""
    now = decode_state(balance.state)
    if entry is None or entry >= balance.number:
        return now
    if entry > balance.number // 2:
        since = await moved_since(session, seller, balance.sku, entry)
        back = [(location, bucket, of, -units) for location, bucket, of, units in since.moves]
        add_moves(now, since.version, back)
        return _without_empty(now)
    until, then = await moved_until(session, seller, balance.sku, entry), SkuState()
    add_moves(then, until.version, until.moves)
    return _without_empty(then)


def _without_empty(state: SkuState) -> SkuState:
    return decode_state(encode_state(state))
