"""API keys: made, shown, rotated and revoked by whoever has at least their rights."""

from fastapi import Request, Response

from app import keyring
from app.audit import by
from app.deps import State, caller_of, state_of
from app.edge import Body, Path, Query, answer
from app.errors import BeyondOwnRights, KeyUnknown, RotationUnderWay, Unfit
from app.guarding import guarded_router
from app.key_forms import (
    KeyAsked,
    KeyMade,
    KeyPage,
    KeyPath,
    KeyShown,
    KeysQuery,
    Me,
    RotateAsked,
    SellerShown,
    show_key,
)
from app.openapi import documented
from app.rights import UNLIMITED, Caller, Limits, limits_of, scopes_of
from app.signals import announce
from app.store.database import Session
from app.store.keys import KeyFacts, MadeKey, list_keys
from app.store.sellers import require_seller
from app.times import now_ms

router = guarded_router("/v1/keys", "keys")
me = guarded_router("/v1/me", "keys")

KEY = Path(KeyPath)
PAGE = Query(KeysQuery)
MAKE = Body(KeyAsked)
ROTATE = Body(RotateAsked, optional=True)


@me.get("", **documented(scope="me:read", answers=Me))
async def get_me(request: Request) -> Response:
    """Which key this is, what it may do and where, and whose it is."""
    caller = caller_of(request)
    async with state_of(request).database.reading() as session:
        seller = await require_seller(session, caller.seller)
        key = await keyring.find(session, caller.seller, caller.key_id)
    return answer(Me(SellerShown(seller.code, seller.name), show_key(key, now_ms())))


@router.get("", **documented(PAGE, scope="keys:write", answers=KeyPage))
async def get_keys(request: Request) -> Response:
    """The seller's keys, ended ones too, as far as they have no more rights than the caller."""
    caller, page = caller_of(request), PAGE(request)
    async with state_of(request).database.reading() as session:
        found = await list_keys(session, seller=caller.seller, after=_after(page.cursor), limit=page.limit)
    shown = [show_key(key, now_ms()) for key in found if not _is_beyond(caller, key.role, _limits(key))]
    more = f"{found[-1].created_ms}.{found[-1].id}" if len(found) == page.limit else None
    return answer(KeyPage(shown, more))


@router.post("", **documented(MAKE, scope="keys:write", answers=KeyMade, refuses=(BeyondOwnRights,)))
async def make_key(request: Request) -> Response:
    """Make a key with at most the rights of the caller's own. The answer alone has its secret."""
    caller, asked, state = caller_of(request), await MAKE(request), state_of(request)
    if _is_beyond(caller, asked.role, limits_of(asked.channels, asked.locations)):
        raise BeyondOwnRights("this key would have more rights than your own", where="body /role")
    async with state.database.writing() as session:
        made = await keyring.make(session, by(request), asked, pepper=state.keys.pepper)
        shown = await _shown(session, caller, made)
    return answer(shown)


@router.get("/{key_id}", **documented(KEY, scope="keys:write", answers=KeyShown, refuses=(KeyUnknown,)))
async def get_key(request: Request) -> Response:
    """One key: role, limits, last used, and whether it is still good."""
    caller, id = caller_of(request), KEY(request).key_id
    async with state_of(request).database.reading() as session:
        key = await _find_own(session, caller, id)
    return answer(show_key(key, now_ms()))


@router.delete("/{key_id}", **documented(KEY, scope="keys:write", answers=KeyShown, refuses=(KeyUnknown,)))
async def revoke_key(request: Request) -> Response:
    """End a key at once and for ever, on every process. Again: the same answer."""
    caller, id, state = caller_of(request), KEY(request).key_id, state_of(request)
    async with state.database.writing() as session:
        await _find_own(session, caller, id)
        key = await keyring.revoke(session, by(request), id)
    await _end(state, id)
    return answer(show_key(key, now_ms()))


@router.post(
    "/{key_id}/rotate",
    **documented(KEY, ROTATE, scope="keys:write", answers=KeyMade, refuses=(KeyUnknown, RotationUnderWay)),
)
async def rotate_key(request: Request) -> Response:
    """Make a key with the same rights; the old one stays good for the overlap, so that nobody is locked out."""
    caller, id, asked, state = caller_of(request), KEY(request).key_id, await ROTATE(request), state_of(request)
    async with state.database.writing() as session:
        await _find_own(session, caller, id)
        overlap_ms = asked.overlap_seconds * 1000
        made = await keyring.rotate(session, by(request), id, overlap_ms=overlap_ms, pepper=state.keys.pepper)
        shown = await _shown(session, caller, made)
    await _end(state, id)
    return answer(shown)


async def _end(state: State, id: str) -> None:
    """Let every process ask SQL about this key again."""
    state.keys.forget(id)
    await announce(state.pipe.client, id)


async def _shown(session: Session, caller: Caller, made: MadeKey) -> KeyMade:
    return KeyMade(show_key(await keyring.find(session, caller.seller, made.id), now_ms()), made.plaintext)


async def _find_own(session: Session, caller: Caller, id: str) -> KeyFacts:
    """A key of the seller that has no more rights than the caller; any other one is as unknown as none."""
    key = await keyring.find(session, caller.seller, id)
    if _is_beyond(caller, key.role, _limits(key)):
        raise KeyUnknown(f"there is no key {id}")
    return key


def _limits(key: KeyFacts) -> Limits:
    return limits_of(key.channels, key.locations)


def _is_beyond(caller: Caller, role: str, limits: Limits) -> bool:
    """Whether a key of this role and these limits could do what the caller cannot."""
    return not (scopes_of(role, limits) <= caller.scopes and limits.within(caller.limits or UNLIMITED))


def _after(cursor: str) -> tuple[int, str] | None:
    if not cursor:
        return None
    created, _, id = cursor.partition(".")
    if not (created.isascii() and created.isdigit()):
        raise Unfit("this is no cursor of ours", where="query cursor")
    return int(created), id
