"""What limits to channels and locations mean, request by request."""

import msgspec
import pytest

from allocator import Code
from app.errors import OutsideLimits
from app.reach import Reach
from app.requests import MoveQuotaAsked, OrderAsked, OrderPath, ShipAsked, SkuPath
from app.rights import ROLES, SCOPES, UNLIMITED, WHOLE, Limits, limits_of, refuse_outside, scopes_of
from tests.app.holders import bearer, make
from tests.app.talk import hold, line, new_op, order, slug


@pytest.fixture
async def shop_keeper(state, stranger):
    """Somebody who may do everything, but only with the channel shop."""
    stranger.headers.update(bearer(await make(state, channels=["shop"])))
    return stranger


@pytest.fixture
async def oslo_keeper(state, stranger):
    """Somebody who may do everything, but only at oslo."""
    stranger.headers.update(bearer(await make(state, locations=["oslo"])))
    return stranger


# --- the table -------------------------------------------------------------------------------------------------


def test_every_role_has_scopes_that_exist_and_may_see_itself():
    for role, scopes in ROLES.items():
        assert "me:read" in scopes, role
        assert scopes <= SCOPES.keys(), role


def test_only_an_admin_makes_keys():
    assert {role for role, scopes in ROLES.items() if "keys:write" in scopes} == {"admin"}


def test_an_analyst_changes_nothing():
    assert [scope for scope in ROLES["analyst"] if not scope.endswith(":read")] == []


def test_a_role_nobody_knows_may_do_nothing():
    assert scopes_of("king") == frozenset()


def test_a_key_with_limits_has_no_scope_of_the_whole_seller():
    assert scopes_of("admin", Limits(channels=frozenset({"shop"}))) == SCOPES.keys() - WHOLE
    assert scopes_of("admin") == SCOPES.keys()


@pytest.mark.parametrize(
    ("mine", "others", "is_within"),
    [
        (UNLIMITED, UNLIMITED, True),
        (limits_of(["a"], None), UNLIMITED, True),
        (limits_of(["a"], None), limits_of(["a", "b"], None), True),
        (limits_of([], None), limits_of(["a"], None), True),
        (UNLIMITED, limits_of(["a"], None), False),
        (limits_of(["a", "b"], None), limits_of(["a"], None), False),
        (limits_of(["a"], None), limits_of(["a"], ["oslo"]), False),
    ],
)
def test_limits_are_within_those_that_allow_at_least_as_much(mine: Limits, others: Limits, is_within: bool):
    assert mine.within(others) == is_within


# --- what a request names --------------------------------------------------------------------------------------


def test_a_path_names_its_channel():
    assert Reach(OrderPath).named(OrderPath(channel="shop", external_id="1")) == [("channel", "shop", "/channel")]


def test_what_names_nothing_costs_nothing():
    assert not Reach(SkuPath)


def test_lines_name_their_locations_and_no_lines_leave_them_out():
    reach = Reach(ShipAsked)
    two = msgspec.convert({"lines": [{"line": "1", "location": at, "units": 1} for at in ("oslo", "rome")]}, ShipAsked)

    assert [code for _, code, _ in reach.named(two)] == ["oslo", "rome"]
    assert reach.named(ShipAsked()) == [("location", "", "/lines")]


def test_a_wish_may_be_left_out_and_counts_when_it_is_there():
    asked = msgspec.convert({"lines": [{"sku": "CUP", "units": 1}], "prefer": ["rome"]}, OrderAsked)

    assert Reach(OrderAsked).named(asked) == [("location", "", "/at"), ("location", "rome", "/prefer")]
    assert Reach(OrderAsked).named(msgspec.structs.replace(asked, prefer=[])) == [("location", "", "/at")]


def test_both_ends_of_a_move_are_named():
    asked = MoveQuotaAsked(sku="CUP", location="oslo", from_channel="shop", to_channel="amazon", units=1)

    assert [code for _, code, _ in Reach(MoveQuotaAsked).named(asked)] == ["oslo", "shop", "amazon"]


class Place(msgspec.Struct):
    code: Code


class Part(msgspec.Struct):
    locations: list[Place] | None = None
    parts: "list[Part]" = []


class Whole(msgspec.Struct):
    rows: dict[str, Part | None]
    channel: str | msgspec.UnsetType = msgspec.UNSET


def test_reach_goes_through_dicts_unions_lists_of_structs_and_types_that_hold_themselves():
    whole = msgspec.convert({"rows": {"a": {"locations": [{"code": "oslo"}]}, "b": {}}}, Whole)

    assert Reach(Whole).named(whole) == [
        ("location", "oslo", "/rows/locations"),
        ("location", "", "/rows/locations"),
        ("channel", "", "/channel"),
    ]


def test_a_read_may_leave_out_what_a_change_must_name():
    limits = limits_of(["shop"], None)

    refuse_outside(limits, [("channel", "", "/channel")], part="query", writes=False)
    with pytest.raises(OutsideLimits, match="must name one"):
        refuse_outside(limits, [("channel", "", "/channel")], part="query", writes=True)


# --- what that means for callers -------------------------------------------------------------------------------


async def test_another_channel_is_refused_and_the_own_one_is_not(shop_keeper):
    other = await order(shop_keeper, "amazon/1", line("CUP", 1))
    own = await order(shop_keeper, "shop/1", line("CUP", 1))

    assert (other.status_code, slug(other), other.json()["where"]) == (403, "outside-limits", "path channel")
    assert own.status_code == 201


async def test_a_channel_that_does_not_exist_is_refused_like_any_other(shop_keeper):
    there = await order(shop_keeper, "amazon/1", line("CUP", 1))
    not_there = await order(shop_keeper, "nowhere/1", line("CUP", 1))

    assert {there.json()["detail"], not_there.json()["detail"]} == {"this key is limited to other channels"}


async def test_availability_of_all_channels_is_that_of_the_own_ones(shop_keeper):
    one = await shop_keeper.get("/v1/availability/CUP")
    many = await shop_keeper.post("/v1/availability", json={"skus": ["CUP", "PLATE"]})

    assert {level["channel"] for level in one.json()["levels"] + many.json()["levels"]} == {"shop"}


async def test_availability_of_another_channel_is_refused(shop_keeper):
    answer = await shop_keeper.get("/v1/availability/CUP", params={"channel": ["shop", "amazon"]})

    assert (answer.status_code, slug(answer), answer.json()["where"]) == (403, "outside-limits", "query channel")


async def test_a_hold_of_another_channel_looks_like_none(state, client, shop_keeper):
    body = {"channel": "amazon", "lines": [line("CUP", 1)]}
    assert (await client.put("/v1/holds/cart-9", json=body)).status_code == 201

    answers = (
        [await shop_keeper.get(f"/v1/holds/{id}") for id in ("cart-9", "cart-0")]
        + [
            await shop_keeper.post(f"/v1/holds/{id}/extend", json={"ttl_seconds": 90}, headers=new_op())
            for id in ("cart-9", "cart-0")
        ]
        + [await shop_keeper.delete(f"/v1/holds/{id}") for id in ("cart-9", "cart-0")]
    )

    assert {(answer.status_code, slug(answer)) for answer in answers} == {(404, "unknown-hold")}
    there, not_there = (answer.json() for answer in answers[:2])
    assert there["facts"] == {"hold": "cart-9"}
    assert there.keys() == not_there.keys()
    assert there["detail"] == not_there["detail"]
    assert (await client.get("/v1/holds/cart-9")).json()["state"] == "open"


async def test_the_own_hold_is_read_extended_and_released(shop_keeper):
    await hold(shop_keeper, "cart-1", line("CUP", 1))

    read = await shop_keeper.get("/v1/holds/cart-1")
    extended = await shop_keeper.post("/v1/holds/cart-1/extend", json={"ttl_seconds": 90}, headers=new_op())
    released = await shop_keeper.delete("/v1/holds/cart-1")

    assert [answer.status_code for answer in (read, extended, released)] == [200, 200, 200]


async def test_a_change_must_name_the_location(client, oslo_keeper):
    await order(client, "shop/1", line("CUP", 1))

    everywhere = await oslo_keeper.post("/v1/orders/shop/1/pick", headers=new_op())
    elsewhere = await oslo_keeper.post("/v1/orders/shop/1/pick", json={"location": "rome"}, headers=new_op())
    here = await oslo_keeper.post("/v1/orders/shop/1/pick", json={"location": "oslo"}, headers=new_op())

    assert [slug(answer) for answer in (everywhere, elsewhere)] == ["outside-limits", "outside-limits"]
    assert everywhere.json()["detail"] == "this key is limited to locations and must name one"
    assert everywhere.json()["where"] == "body /location"
    assert here.status_code == 200


async def test_one_line_elsewhere_is_one_too_many(oslo_keeper):
    body = {"lines": [line("CUP", 1, location="oslo"), line("CUP", 1, location="rome")]}

    answer = await oslo_keeper.post("/v1/stock/receive", json=body, headers=new_op())

    assert (answer.status_code, slug(answer), answer.json()["where"]) == (403, "outside-limits", "body /lines/location")


async def test_an_explanation_shows_the_own_shelf_alone(client, oslo_keeper):
    whole = (await client.get("/v1/availability/CUP/explain", params={"channel": "shop"})).json()
    narrow = (await oslo_keeper.get("/v1/availability/CUP/explain", params={"channel": "shop"})).json()

    assert [shelf["location"] for shelf in whole["shelves"]] == ["oslo", "rome"]
    assert [shelf["location"] for shelf in narrow["shelves"]] == ["oslo"]
    assert set(whole["spread"]) == {"oslo", "rome"}
    assert set(narrow["spread"]) == {"oslo"}
    assert {rule["place"] for rule in narrow["rules"]} <= {"shop", "oslo"}
    assert narrow["atp_now"] == whole["atp_now"]


async def test_the_quotas_of_others_are_not_shown_to_a_key_of_one_channel(state, stranger):
    stranger.headers.update(bearer(await make(state, channels=["till"])))

    shown = (await stranger.get("/v1/availability/PLATE/explain", params={"channel": "till"})).json()

    assert [shelf["quotas"] for shelf in shown["shelves"]] == [[]]


async def test_what_concerns_the_whole_seller_is_closed_to_a_limited_key(shop_keeper):
    answer = await shop_keeper.post("/v1/clock/accept")

    assert (answer.status_code, slug(answer), answer.json()["where"]) == (403, "scope-missing", "scope ops:write")
    assert answer.json()["detail"].endswith("keys with limits do not have it")


async def test_a_refusal_says_which_scope_is_missing(state, stranger):
    stranger.headers.update(bearer(await make(state, "storefront")))

    answer = await stranger.post("/v1/stock/receive", json={}, headers=new_op())

    assert (answer.status_code, slug(answer), answer.json()["where"]) == (403, "scope-missing", "scope stock:write")
    assert "the role storefront does not have it" in answer.json()["detail"]


async def test_an_empty_list_of_channels_allows_none(state, stranger):
    stranger.headers.update(bearer(await make(state, channels=[])))

    assert (await stranger.get("/v1/availability/CUP")).json() == {"levels": []}
    assert (await order(stranger, "shop/1", line("CUP", 1))).status_code == 403
