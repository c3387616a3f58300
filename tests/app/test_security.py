import hashlib
import re

import httpx
import pytest
from fastapi import Request

from app.answers import Levels
from app.data_folder import DataFolder
from app.errors import NoKey
from app.guarding import Guarded, guarded_router
from app.main import create_app
from app.openapi import documented
from app.opening import make_first_key, now_ms
from app.security import Keys
from app.store.database import Database, sqlite_url
from app.store.keys import make_key, revoke_key
from app.store.sellers import ensure_seller
from tests.app.away import sql_away
from tests.app.talk import atp, hold, line, order, slug

SIGNED = {"/v1/hooks/{seller}/{connection}"}
"""Where channels post: what they post is proved by its signature."""

OPEN = {"/livez", "/readyz", "/metrics", "/problems/{slug}", *SIGNED}
WELL_FORMED = "allot_live_" + "0" * 12 + "_" + "x" * 43


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def everything(app) -> list[tuple[str, str]]:
    return [(method, path) for path, operations in app.openapi()["paths"].items() for method in operations]


async def test_every_route_but_health_is_denied_without_a_key(app, stranger):
    denied, open_ = set(), set()
    for method, path in await everything(app):
        answer = await stranger.request(method, re.sub(r"{\w+}", "x", path))
        (denied if answer.status_code == 401 else open_).add(path)

    assert open_ == OPEN
    assert denied == {path for _, path in await everything(app) if path.startswith("/v1/")} - SIGNED


async def test_no_route_below_v1_can_be_reached_past_the_guard(app):
    below = [route for route in app.routes if getattr(route, "path", "").startswith("/v1")]

    assert len(below) > 28
    assert {type(route) for route in below if route.path not in SIGNED} == {Guarded}


def test_a_route_without_a_scope_fails_at_the_start():
    async def endpoint(request: Request) -> None:
        """Never reached."""

    with pytest.raises(TypeError, match=r"endpoint needs \*\*documented\(\.\.\., scope="):
        guarded_router("/v1/new", "new").add_api_route("", endpoint)


def test_a_scope_there_is_none_of_fails_at_the_start():
    with pytest.raises(TypeError, match="there is no scope orders:wirte; there are me:read"):
        documented(scope="orders:wirte", answers=Levels)


def test_an_endpoint_that_leaves_its_parameters_to_the_framework_fails_at_the_start():
    async def endpoint(request: Request, sku: str) -> None:
        """Never reached."""

    with pytest.raises(TypeError, match="must take the request alone"):
        guarded_router("/v1/new", "new").get("/{sku}", **documented(scope="stock:read", answers=Levels))(endpoint)


async def test_every_open_route_says_so_and_every_other_one_asks_for_the_key(app):
    paths = app.openapi()["paths"]

    for path, operations in paths.items():
        for operation in operations.values():
            assert operation["security"] == ([] if path in OPEN else [{"key": [operation["x-scope"]]}])
            assert ({"401", "403"} <= operation["responses"].keys()) == (path not in OPEN)


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer no-key"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": f"Bearer {WELL_FORMED}"},
        {"Authorization": f"bearer {WELL_FORMED}"},
        {"Authorization": "Bearer å".encode("latin-1")},
        {"Authorization": f"Bearer {WELL_FORMED}" + "x" * 10_000},
    ],
)
async def test_a_key_that_is_none_is_denied(stranger, header):
    answer = await stranger.get("/v1/availability/CUP", headers=header)

    assert (answer.status_code, slug(answer)) == (401, "no-key")
    assert answer.headers["www-authenticate"] == 'Bearer realm="allot"'
    assert answer.json()["where"] == "header Authorization"


async def test_a_good_key_with_one_wrong_letter_is_denied(stranger, key):
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")

    good = await stranger.get("/v1/availability/CUP", headers=bearer(key))
    bad = await stranger.get("/v1/availability/CUP", headers=bearer(wrong))

    assert (good.status_code, bad.status_code) == (200, 401)


async def test_a_revoked_key_is_denied_once_the_keys_were_refreshed(state, client, key):
    assert await atp(client, "CUP") == 15
    async with state.database.writing() as session:
        await revoke_key(session, key.split("_")[2], seller="main", now_ms=now_ms())

    await state.keys.refresh()

    assert (await client.get("/v1/availability/CUP")).status_code == 401


async def test_a_key_stays_good_when_another_one_is_revoked(state, client, stranger, key):
    async with state.database.writing() as session:
        made = await make_key(
            session, seller="main", name="till", role="pos", pepper=state.keys.pepper, now_ms=now_ms()
        )
    assert (await stranger.get("/v1/availability/CUP", headers=bearer(made.plaintext))).status_code == 200
    assert await atp(client, "CUP") == 15
    async with state.database.writing() as session:
        await revoke_key(session, made.id, seller="main", now_ms=now_ms())

    await state.keys.refresh()

    assert (await stranger.get("/v1/availability/CUP", headers=bearer(made.plaintext))).status_code == 401
    assert await atp(client, "CUP") == 15


# Connections that could not be opened: see tests/app/away.py.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_a_known_key_works_without_the_database_and_an_unknown_one_is_told_to_wait(state, client, stranger):
    assert await atp(client, "CUP") == 15
    async with sql_away(state):
        known = await order(client, "shop/1", line("CUP", 1))
        unknown = await stranger.get("/v1/availability/CUP", headers=bearer(WELL_FORMED))

    assert known.status_code == 201
    assert (unknown.status_code, slug(unknown)) == (503, "keys-unknown")


async def test_no_key_is_kept_in_memory(state, client, key):
    await atp(client, "CUP")

    secret = key.split("_", 3)[3]
    assert secret not in repr(vars(state.keys))
    assert hashlib.sha256(key.encode()).digest() not in state.keys._known


@pytest.fixture
async def two_sellers(settings):
    """A service of two sellers from its first start on, and a client of each."""
    with DataFolder(settings.data_dir) as folder:
        pepper = folder.pepper()
    async with await Database.open(sqlite_url(settings.data_dir)) as database, database.writing() as session:
        await ensure_seller(session, "other", "Other")
        other = await make_key(session, seller="other", name="first", role="admin", pepper=pepper, now_ms=now_ms())
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        main = await make_first_key(app.service, None)
        transport = httpx.ASGITransport(app)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://allot", headers=bearer(main)) as ours,
            httpx.AsyncClient(transport=transport, base_url="http://allot", headers=bearer(other.plaintext)) as theirs,
        ):
            yield ours, theirs


@pytest.mark.from_nothing
async def test_a_seller_sees_nothing_of_another(two_sellers):
    ours, theirs = two_sellers
    await order(ours, "shop/1", line("CUP", 1))
    await hold(ours, "cart-1", line("CUP", 1))

    answers = [
        await theirs.get("/v1/orders/shop/1"),
        await theirs.get("/v1/holds/cart-1"),
        await theirs.delete("/v1/holds/cart-1"),
        await order(theirs, "shop/1", line("CUP", 1)),
        await theirs.get("/v1/availability/CUP", params={"channel": "shop"}),
        await theirs.post("/v1/orders/shop/1/cancel", headers={"Idempotency-Key": "mine"}),
    ]

    assert [slug(answer) for answer in answers] == [
        "unknown-order",
        "unknown-hold",
        "unknown-hold",
        "unknown-channel",
        "unknown-channel",
        "unknown-order",
    ]
    assert (await theirs.get("/v1/availability/CUP")).json() == {"levels": []}
    assert await atp(ours, "CUP") == 13


async def test_keys_of_one_pepper_are_not_known_under_another(state, key):
    with pytest.raises(NoKey, match="unknown, wrong, expired or revoked"):
        await Keys(state.database, b"another pepper").verify(f"Bearer {key}".encode())
