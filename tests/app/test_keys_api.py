"""API keys over HTTP: who makes them, how they rotate and how they end."""

import asyncio

import httpx
import pytest

from app.opening import open_sellers
from app.store.keys import find_key, revoke_key, rotate_key
from app.store.sellers import ensure_seller
from app.times import now_ms
from tests.app.holders import bearer, make
from tests.app.talk import line, order, slug

TILL = {"name": "till 3", "role": "pos", "channels": ["till"], "locations": ["oslo"], "requests_per_minute": 600}
DAY_MS = 86_400_000


async def status(stranger: httpx.AsyncClient, key) -> int:
    return (await stranger.get("/v1/me", headers=bearer(key))).status_code


# --- making and showing ----------------------------------------------------------------------------------------


async def test_a_new_key_opens_what_its_role_and_limits_allow(client, stranger):
    made = (await client.post("/v1/keys", json=TILL)).json()
    stranger.headers.update(bearer(made["secret"]))

    sold = await order(stranger, "till/1", line("CUP", 1), at="oslo")
    elsewhere = await order(stranger, "till/2", line("CUP", 1), at="rome")

    assert (sold.status_code, elsewhere.status_code) == (201, 403)
    assert made["key"] | TILL == made["key"]
    assert made["secret"].startswith(f"allot_live_{made['key']['id']}_")


async def test_the_secret_is_in_the_first_answer_and_nowhere_else(client):
    made = (await client.post("/v1/keys", json=TILL)).json()
    secret = made["secret"].split("_", 3)[3]

    answers = [
        await client.get("/v1/keys"),
        await client.get(f"/v1/keys/{made['key']['id']}"),
        await client.get("/v1/audit"),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert all(secret not in answer.text for answer in answers)


async def test_a_key_says_who_it_is(state, stranger):
    made = await make(state, "warehouse", locations=["rome"])

    me = (await stranger.get("/v1/me", headers=bearer(made))).json()

    assert me["seller"] == {"code": "main", "name": "Main"}
    assert (me["key"]["id"], me["key"]["role"], me["key"]["state"]) == (made.id, "warehouse", "good")
    assert (me["key"]["channels"], me["key"]["locations"]) == (None, ["rome"])
    assert "stock:write" in me["key"]["scopes"]
    assert "keys:write" not in me["key"]["scopes"]


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"role": "king"}, "body /role"),
        ({"name": ""}, "body /name"),
        ({"requests_per_minute": 0}, "body /requests_per_minute"),
        ({"channels": ["not a code"]}, "body /channels/0"),
        ({"scopes": ["orders:write"]}, "body /"),
    ],
)
async def test_a_key_that_makes_no_sense_is_not_made(client, wrong: dict, where: str):
    answer = await client.post("/v1/keys", json={**TILL, **wrong})

    assert (answer.status_code, slug(answer)) == (422, "unfit")
    assert answer.json()["where"].startswith(where)


async def test_keys_are_listed_page_by_page_and_none_twice(client, state):
    made = [(await make(state, "pos")).id for _ in range(5)]

    seen, cursor = [], ""
    while cursor is not None:
        page = (await client.get("/v1/keys", params={"limit": 2, "cursor": cursor})).json()
        seen += [key["id"] for key in page["data"]]
        cursor = page["next_cursor"]

    assert len(seen) == 6
    assert set(made) < set(seen)


async def test_a_cursor_of_somebody_else_is_refused(client):
    answers = [await client.get(f"/v1/{path}", params={"cursor": "x"}) for path in ("keys", "audit")]

    assert {(answer.status_code, answer.json()["where"]) for answer in answers} == {(422, "query cursor")}


# --- nobody gives more than he has -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted",
    [
        {"channels": None},
        {"channels": ["shop", "amazon"]},
        {"channels": []},
        {"locations": None},
        {"locations": ["rome"]},
    ],
)
async def test_a_limited_admin_makes_no_key_that_reaches_further(state, stranger, wanted: dict):
    stranger.headers.update(bearer(await make(state, channels=["shop"], locations=["oslo"])))
    own = {"name": "x", "role": "pos", "channels": ["shop"], "locations": ["oslo"]}

    further = await stranger.post("/v1/keys", json={**own, **wanted})
    within = await stranger.post("/v1/keys", json=own)

    assert (further.status_code, slug(further)) == (403, "outside-limits")
    assert within.status_code == 200


async def test_an_admin_limited_to_a_channel_does_not_see_or_touch_what_reaches_further(state, stranger, key):
    stranger.headers.update(bearer(await make(state, channels=["shop"])))
    own = await make(state, "pos", channels=["shop"])
    first = key.split("_")[2]

    seen = [row["id"] for row in (await stranger.get("/v1/keys")).json()["data"]]
    touched = [
        await stranger.get(f"/v1/keys/{first}"),
        await stranger.post(f"/v1/keys/{first}/rotate"),
        await stranger.delete(f"/v1/keys/{first}"),
    ]

    assert own.id in seen
    assert first not in seen
    assert {(answer.status_code, slug(answer)) for answer in touched} == {(404, "unknown-key")}
    async with state.database.reading() as session:
        facts = await find_key(session, first, seller="main")
    assert (facts.revoked_ms, facts.expires_ms) == (None, None)


async def test_only_an_admin_may_look_at_keys(state, stranger):
    answers = [
        await stranger.get("/v1/keys", headers=bearer(await make(state, role))) for role in ("operator", "analyst")
    ]

    assert {(answer.status_code, slug(answer)) for answer in answers} == {(403, "scope-missing")}


# --- rotation --------------------------------------------------------------------------------------------------


async def test_a_rotated_key_and_its_follower_are_both_good_for_the_overlap(client, stranger, state):
    old = await make(state, "warehouse", locations=["oslo"], requests_per_minute=600)
    before = now_ms()

    new = (await client.post(f"/v1/keys/{old.id}/rotate", json={"overlap_seconds": 3_600})).json()

    assert [await status(stranger, key) for key in (old, new["secret"])] == [200, 200]
    shown = (await client.get(f"/v1/keys/{old.id}")).json()
    assert 3_600_000 <= shown["expires_ms"] - before < 3_660_000
    assert new["key"]["replaces"] == old.id
    rights = ("role", "channels", "locations", "requests_per_minute", "name", "scopes")
    assert {name: new["key"][name] for name in rights} == {name: shown[name] for name in rights}


async def test_the_overlap_is_a_day_unless_said(client, state):
    old, before = await make(state), now_ms()

    await client.post(f"/v1/keys/{old.id}/rotate")

    shown = (await client.get(f"/v1/keys/{old.id}")).json()
    assert DAY_MS <= shown["expires_ms"] - before < DAY_MS + 60_000


async def test_the_old_key_ends_with_its_overlap_without_anybody_doing_anything(client, stranger, state):
    old = await make(state)
    assert await status(stranger, old) == 200
    async with state.database.writing() as session:
        pepper = state.keys.pepper
        await rotate_key(session, old.id, seller="main", pepper=pepper, now_ms=now_ms(), overlap_ms=300)
    state.keys.forget(old.id)
    during = await status(stranger, old)

    await asyncio.sleep(0.35)

    assert (during, await status(stranger, old)) == (200, 401)
    assert (await client.get(f"/v1/keys/{old.id}")).json()["state"] == "expired"


async def test_a_rotation_without_overlap_ends_the_old_key_at_once(client, stranger, state):
    old = await make(state)
    assert await status(stranger, old) == 200

    new = (await client.post(f"/v1/keys/{old.id}/rotate", json={"overlap_seconds": 0})).json()

    assert [await status(stranger, key) for key in (old, new["secret"])] == [401, 200]


async def test_there_are_never_more_than_two_good_keys_of_one_rotation(client, state):
    old = await make(state)
    new = (await client.post(f"/v1/keys/{old.id}/rotate")).json()["key"]["id"]

    refused = [await client.post(f"/v1/keys/{id}/rotate") for id in (old.id, new)]
    await client.delete(f"/v1/keys/{old.id}")
    ended, again = [await client.post(f"/v1/keys/{id}/rotate") for id in (old.id, new)]

    assert {(answer.status_code, slug(answer)) for answer in refused} == {(409, "rotation-under-way")}
    assert (ended.status_code, again.status_code) == (409, 200)


async def test_two_who_rotate_at_once_make_one_key(client, state):
    old = await make(state)

    answers = await asyncio.gather(*(client.post(f"/v1/keys/{old.id}/rotate") for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


# --- revocation ------------------------------------------------------------------------------------------------


async def test_a_revoked_key_is_refused_from_the_next_request_on(client, stranger, state):
    made = await make(state, "pos")
    assert await status(stranger, made) == 200

    ended = await client.delete(f"/v1/keys/{made.id}")

    assert ended.json()["state"] == "revoked"
    assert await status(stranger, made) == 401
    assert (await client.delete(f"/v1/keys/{made.id}")).json() == ended.json()


async def test_a_key_that_is_none_cannot_be_touched(client):
    answers = [
        await client.get("/v1/keys/000000000000"),
        await client.delete("/v1/keys/000000000000"),
        await client.post("/v1/keys/000000000000/rotate"),
    ]

    assert {(answer.status_code, slug(answer)) for answer in answers} == {(404, "unknown-key")}


async def test_a_key_revoked_while_it_is_looked_up_is_not_remembered(state):
    made = await make(state)
    header = f"Bearer {made.plaintext}".encode()
    reading = state.database.reading

    def revoked_meanwhile():
        state.database.reading = reading
        return _after(reading, state, made.id)

    state.database.reading = revoked_meanwhile
    with pytest.raises(Exception, match="revoked"):
        await state.keys.verify(header)

    assert state.keys.recall(header) is None


class _after:  # noqa: N801 reads like a function where it is used
    """A transaction at whose end, after everything was read, the key is revoked."""

    def __init__(self, reading, state, id: str) -> None:
        self.inner, self.state, self.id = reading(), state, id

    async def __aenter__(self):
        return await self.inner.__aenter__()

    async def __aexit__(self, *error):
        await self.inner.__aexit__(*error)
        async with self.state.database.writing() as session:
            await revoke_key(session, self.id, seller="main", now_ms=now_ms())
        self.state.keys.forget(self.id)


async def test_the_keys_of_another_seller_are_as_unknown_as_none(client, state, stranger, key):
    async with state.database.writing() as session:
        await ensure_seller(session, "other", "Other")
    await open_sellers(state)
    stranger.headers.update(bearer(await make(state, seller="other")))
    first = key.split("_")[2]

    answers = [
        await stranger.get(f"/v1/keys/{first}"),
        await stranger.post(f"/v1/keys/{first}/rotate"),
        await stranger.delete(f"/v1/keys/{first}"),
    ]

    assert {(answer.status_code, slug(answer)) for answer in answers} == {(404, "unknown-key")}
    assert first not in (await stranger.get("/v1/keys")).text
    shown = (await client.get(f"/v1/keys/{first}")).json()
    assert (shown["state"], shown["expires_ms"]) == ("good", None)


# --- last used -------------------------------------------------------------------------------------------------


async def test_it_is_written_down_when_a_key_was_used_and_not_for_others(client, state, stranger):
    used, unused = await make(state, "pos"), await make(state, "pos")
    before = now_ms()
    await status(stranger, used)

    await state.keys.write_used()

    shown = {row["id"]: row["last_used_ms"] for row in (await client.get("/v1/keys")).json()["data"]}
    assert shown[unused.id] is None
    assert before <= shown[used.id] <= now_ms()


async def test_a_key_that_is_not_used_again_keeps_its_time(state, stranger):
    made = await make(state, "pos")
    await status(stranger, made)
    await state.keys.write_used()
    async with state.database.reading() as session:
        first = await find_key(session, made.id, seller="main")

    await asyncio.sleep(0.005)
    await state.keys.write_used()

    async with state.database.reading() as session:
        assert await find_key(session, made.id, seller="main") == first


async def test_the_last_use_of_a_key_that_was_revoked_is_not_lost(client, state, stranger):
    made = await make(state, "pos")
    await status(stranger, made)
    await client.delete(f"/v1/keys/{made.id}")

    await state.keys.write_used()

    assert (await client.get(f"/v1/keys/{made.id}")).json()["last_used_ms"] is not None


async def test_uses_that_could_not_be_written_are_written_later(state, stranger, monkeypatch):
    made = await make(state, "pos")
    await status(stranger, made)
    with monkeypatch.context() as broken:
        broken.setattr(state.database, "writing", None)
        with pytest.raises(TypeError):
            await state.keys.write_used()

    await state.keys.write_used()

    async with state.database.reading() as session:
        assert (await find_key(session, made.id, seller="main")).last_used_ms is not None


# --- the seller ------------------------------------------------------------------------------------------------


async def test_a_seller_gets_another_name_and_the_audit_says_so(client):
    answer = await client.put("/v1/seller", json={"name": "Cups and Plates"})

    assert answer.json() == {"code": "main", "name": "Cups and Plates"}
    assert (await client.get("/v1/me")).json()["seller"]["name"] == "Cups and Plates"
    [entry] = (await client.get("/v1/audit", params={"action": "seller.rename"})).json()["data"]
    assert entry["detail"] == {"before": "Main", "after": "Cups and Plates"}
