"""Every kind of config over HTTP: the same promises for all, and those of each alone."""

from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest

from app.config.kinds import KINDS
from app.config.reading import read_changes
from app.main import create_app
from app.opening import make_first_key
from tests.app.talk import slug

ETAG = "etag"


class Case(NamedTuple):
    """A new thing of a kind, one field to change, a filter that finds it and one that does not."""

    kind: str
    item: dict[str, Any]
    change: dict[str, Any]
    found: dict[str, Any]
    missed: dict[str, Any]

    @property
    def key(self) -> str:
        return "/".join(quote(self.item[name], safe="") for name in KINDS[self.kind].keys)

    @property
    def path(self) -> str:
        return f"/v1/{self.kind}/{self.key}"


CASES = (
    Case("locations", {"code": "bergen", "country": "NO"}, {"priority": 7}, {"country": "NO"}, {"active": False}),
    Case("channels", {"code": "ebay", "kind": "marketplace"}, {"rank": 7}, {"kind": "marketplace"}, {"kind": "pos"}),
    Case(
        "skus", {"sku": "TEE/M", "category": "clothes"}, {"name": "T-shirt"}, {"category": "clothes"}, {"category": ""}
    ),
    Case(
        "listings",
        {"channel": "shop", "listing": "a/b 1", "sku": "CUP"},
        {"pack_size": 6},
        {"channel": "shop", "sku": "CUP"},
        {"channel": "shop", "sku": "PLATE"},
    ),
    Case(
        "rules",
        {"id": "r-1", "kind": "cutoff", "units": 2},
        {"units": 3},
        {"kind": "cutoff", "in_force": True},
        {"in_force": False},
    ),
    Case(
        "carriers",
        {
            "code": "dpd",
            "name": "DPD",
            "zones": {"NO": "home"},
            "rates": [{"origin": "", "zone": "home", "cost": 490, "transit_days": 2}],
        },
        {"working_days": ["mon", "tue"]},
        {"name": "DPD"},
        {"name": "UPS"},
    ),
    Case("reasons", {"code": "lost", "effect": "less"}, {"recount": True}, {"effect": "less"}, {"effect": "zero"}),
    Case("zones", {"area": "NO/03", "zone": "north"}, {"zone": "far-north"}, {"zone": "north"}, {"zone": "south"}),
)

every_kind = pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)


async def make(client: httpx.AsyncClient, case: Case) -> str:
    """Create it; its ETag."""
    made = await client.put(case.path, json=case.item)
    assert made.status_code == 201, made.text
    return made.headers[ETAG]


async def versions(state) -> list[int]:
    changes, _ = await read_changes(state.database, "main", kind="", key="", cursor="", limit=1_000)
    return [change.version for change in changes]


def test_there_is_a_case_for_every_kind():
    assert {case.kind for case in CASES} == KINDS.keys()


# --- what every kind keeps ---------------------------------------------------------------------------------------


@every_kind
async def test_what_was_put_is_read_back_with_its_version(client, case: Case):
    made = await client.put(case.path, json=case.item)

    read = await client.get(case.path)

    assert made.status_code == 201
    assert read.json() == made.json()
    assert read.headers[ETAG] == made.headers[ETAG] == f'"{read.json()["version"]}"'
    assert case.item.items() <= read.json()["item"].items()


@every_kind
async def test_what_is_read_can_be_put_again_and_changes_nothing(client, state, case: Case):
    await make(client, case)
    before, read = await versions(state), await client.get(case.path)

    again = await client.put(case.path, json=read.json()["item"])

    assert (again.status_code, again.json()) == (200, read.json())
    assert await versions(state) == before


@every_kind
async def test_a_replacement_needs_the_version_it_replaces(client, case: Case):
    etag = await make(client, case)
    changed = {**case.item, **case.change}

    missing = await client.put(case.path, json=changed)
    other = await client.put(case.path, json=changed, headers={"If-Match": '"999"'})
    create = await client.put(case.path, json=changed, headers={"If-None-Match": "*"})
    right = await client.put(case.path, json=changed, headers={"If-Match": etag})

    assert [(said.status_code, slug(said)) for said in (missing, other, create)] == [
        (428, "if-match-missing"),
        (412, "changed-meanwhile"),
        (412, "changed-meanwhile"),
    ]
    assert right.status_code == 200
    assert case.change.items() <= right.json()["item"].items()
    assert right.json()["version"] == missing.json()["facts"]["version"] + 1


@every_kind
async def test_a_lost_answer_is_found_by_sending_the_same_again(client, case: Case):
    etag = await make(client, case)
    changed = {**case.item, **case.change}
    first = await client.put(case.path, json=changed, headers={"If-Match": etag})

    again = await client.put(case.path, json=changed, headers={"If-Match": etag})

    assert (again.status_code, again.json()) == (200, first.json())


@every_kind
async def test_creating_what_must_exist_is_refused(client, case: Case):
    answer = await client.put(case.path, json=case.item, headers={"If-Match": '"1"'})

    assert (answer.status_code, slug(answer)) == (412, "changed-meanwhile")


@every_kind
async def test_deleting_needs_the_version_and_leaves_nothing(client, case: Case):
    etag = await make(client, case)

    missing = await client.delete(case.path)
    other = await client.delete(case.path, headers={"If-Match": '"999"'})
    gone = await client.delete(case.path, headers={"If-Match": etag})
    again = await client.delete(case.path, headers={"If-Match": etag})
    read = await client.get(case.path)

    assert [said.status_code for said in (missing, other, gone, again, read)] == [428, 412, 200, 404, 404]
    assert [slug(again), slug(read)] == ["unknown-item"] * 2


@every_kind
async def test_what_you_have_already_is_not_sent_again(client, case: Case):
    etag = await make(client, case)

    same = await client.get(case.path, headers={"If-None-Match": f'"999", {etag}'})
    other = await client.get(case.path, headers={"If-None-Match": '"999"'})

    assert (same.status_code, same.content, same.headers[ETAG]) == (304, b"", etag)
    assert other.status_code == 200


@every_kind
async def test_a_list_can_be_narrowed(client, case: Case):
    await make(client, case)

    found = (await client.get(f"/v1/{case.kind}", params=case.found)).json()["data"]
    missed = (await client.get(f"/v1/{case.kind}", params=case.missed)).json()["data"]

    assert any(is_case(row, case) for row in found)
    assert not any(is_case(row, case) for row in missed)


def is_case(row: dict[str, Any], case: Case) -> bool:
    return all(row["item"][name] == case.item[name] for name in case.item)


@every_kind
async def test_the_path_and_the_body_name_the_same(client, case: Case):
    name = KINDS[case.kind].keys[-1]

    answer = await client.put(case.path, json={**case.item, name: "other"})

    assert (slug(answer), answer.json()["where"]) == ("unfit", f"body /{name}")


@every_kind
async def test_a_dry_run_writes_nothing(client, state, case: Case):
    before = await versions(state)

    tried = await client.post(f"/v1/{case.kind}/bulk", json={"rows": [{"put": case.item}], "dry_run": True})

    assert [row["outcome"] for row in tried.json()["results"]] == ["created"]
    assert (tried.json()["version"], await versions(state)) == (None, before)
    assert (await client.get(case.path)).status_code == 404


@every_kind
async def test_a_bulk_says_of_each_row_what_became_of_it(client, case: Case):
    await make(client, case)
    version = (await client.get(case.path)).json()["version"]
    changed = {**case.item, **case.change}
    key = "/".join(case.item[name] for name in KINDS[case.kind].keys)
    rows = [
        {"put": case.item},
        {"put": changed},
        {"put": {**changed, "nonsense": 1}},
        {"delete": "shop/nothing"},
        {},
    ]

    said = await client.post(f"/v1/{case.kind}/bulk", json={"rows": rows})
    deleted = await client.post(f"/v1/{case.kind}/bulk", json={"rows": [{"delete": key, "version": version}]})

    results = said.json()["results"]
    assert [(row["outcome"], row["problem"]) for row in results] == [
        ("unchanged", ""),
        ("refused", "invalid"),
        ("refused", "unfit"),
        ("refused", "unknown-item"),
        ("refused", "unfit"),
    ]
    assert [row["where"] for row in results[2:]] == ["/rows/2/put", "/rows/3/delete", "/rows/4"]
    assert (said.json()["refused"], said.json()["version"]) == (4, None)
    assert [row["outcome"] for row in deleted.json()["results"]] == ["deleted"]


@every_kind
async def test_the_history_of_one_thing_says_who_and_why(client, case: Case):
    etag = await make(client, case)
    note = {"If-Match": etag, "Config-Note": "better so"}
    await client.put(case.path, json={**case.item, **case.change}, headers=note)
    key = "/".join(case.item[name] for name in KINDS[case.kind].keys)

    changes = (await client.get("/v1/config/changes", params={"kind": case.kind, "key": key})).json()["data"]
    detail = (await client.get(f"/v1/config/changes/{changes[0]['version']}")).json()

    assert [change["note"] for change in changes] == ["better so", ""]
    assert all(change["actor"].startswith("key:") and change["state"] == "active" for change in changes)
    [row] = detail["rows"]
    assert (row["kind"], row["key"]) == (case.kind, key)
    assert case.item.items() <= row["before"].items()
    assert case.change.items() <= row["after"].items()


# --- pages and bulk ----------------------------------------------------------------------------------------------


async def all_pages(client: httpx.AsyncClient, path: str, limit: int) -> list[list[dict[str, Any]]]:
    pages, cursor = [], ""
    while True:
        page = (await client.get(path, params={"limit": limit, **({"cursor": cursor} if cursor else {})})).json()
        pages.append(page["data"])
        cursor = page["next_cursor"]
        if cursor is None:
            return pages


async def test_pages_have_every_thing_once_in_order(client):
    rows = [{"put": {"sku": f"NEW-{number:03}"}} for number in range(250)]
    await client.post("/v1/skus/bulk", json={"rows": rows})

    pages = await all_pages(client, "/v1/skus", 100)

    skus = [row["item"]["sku"] for page in pages for row in page]
    assert [len(page) for page in pages] == [100, 100, 53]
    assert skus == sorted({*(f"NEW-{number:03}" for number in range(250)), "CUP", "PLATE", "A/4"})


async def test_pages_of_listings_go_on_inside_a_channel(client):
    rows = [
        {"put": {"channel": channel, "listing": f"L-{number}", "sku": "CUP"}}
        for channel in ("shop", "amazon")
        for number in range(3)
    ]
    await client.post("/v1/listings/bulk", json={"rows": rows})

    pages = await all_pages(client, "/v1/listings", 2)

    found = [(row["item"]["channel"], row["item"]["listing"]) for page in pages for row in page]
    assert found == [(channel, f"L-{number}") for channel in ("amazon", "shop") for number in range(3)]


@pytest.mark.parametrize("cursor", ["%%%", "aGVsbG8=x", "ä"])
async def test_a_cursor_that_is_none_is_refused(client, cursor: str):
    answer = await client.get("/v1/config/changes", params={"cursor": cursor})

    assert (answer.status_code, slug(answer), answer.json()["where"]) == (422, "invalid", "query cursor")


async def test_the_history_is_paged_newest_first(client):
    for number in range(5):
        await client.put(f"/v1/skus/NEW-{number}", json={"sku": f"NEW-{number}"})

    pages = await all_pages(client, "/v1/config/changes", 2)

    assert [[change["version"] for change in page] for page in pages] == [[6, 5], [4, 3], [2, 1]]


@pytest.mark.parametrize("rows", [1_000, 1_001])
async def test_a_bulk_has_a_thousand_rows_at_most(settings, rows: int):
    app = create_app(settings.model_copy(update={"seed_path": None, "body_bytes_max": 1_000_000}))
    body = {"rows": [{"put": {"sku": f"NEW-{number}", "category": f"C-{number}"}} for number in range(rows)]}
    async with app.router.lifespan_context(app):
        key = await make_first_key(app.service, None)
        headers = {"Authorization": f"Bearer {key}"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://allot", headers=headers) as client:
            said = await client.post("/v1/skus/bulk", json=body)

    assert said.status_code == (200 if rows == 1_000 else 422)
    assert said.json().get("refused") == (0 if rows == 1_000 else None)


async def test_good_rows_of_a_bulk_are_one_version_and_bad_ones_are_left_out(client):
    rows = [
        {"put": {"id": "a", "kind": "buffer", "units": 1}},
        {"put": {"id": "b", "kind": "buffer", "units": 2}},
        {"put": {"id": "c", "kind": "buffer", "sku": "NONE", "units": 2}},
        {"put": {"id": "d", "kind": "cutoff", "channel": "shop", "units": 2}},
    ]

    said = (await client.post("/v1/rules/bulk", json={"rows": rows, "note": "spring"})).json()

    assert [row["outcome"] for row in said["results"]] == ["created", "refused", "refused", "created"]
    assert [row["problem"] for row in said["results"]] == ["", "rule-clash", "invalid", ""]
    assert said["results"][2]["where"] == "/rows/2/put/sku"
    detail = (await client.get(f"/v1/config/changes/{said['version']}")).json()
    assert [row["key"] for row in detail["rows"]] == ["a", "d"]
    assert detail["change"]["note"] == "spring"


@pytest.mark.parametrize("bad", [{"put": {"sku": ""}}, {"delete": "NONE"}], ids=["unreadable", "refused"])
async def test_an_atomic_bulk_with_a_bad_row_does_nothing(client, state, bad: dict):
    before = await versions(state)
    rows = [{"put": {"sku": "NEW"}}, bad]

    said = (await client.post("/v1/skus/bulk", json={"rows": rows, "atomic": True})).json()

    assert [row["outcome"] for row in said["results"]] == ["refused", "refused"]
    assert [bool(row["problem"]) for row in said["results"]] == [False, True]
    assert (said["version"], await versions(state)) == (None, before)


async def test_an_atomic_bulk_of_good_rows_is_one_version(client):
    rows = [{"put": {"sku": "NEW-1"}}, {"put": {"sku": "NEW-2"}}]

    said = (await client.post("/v1/skus/bulk", json={"rows": rows, "atomic": True})).json()

    assert [row["outcome"] for row in said["results"]] == ["created", "created"]
    assert (await client.get("/v1/skus/NEW-2")).json()["version"] == said["version"]
