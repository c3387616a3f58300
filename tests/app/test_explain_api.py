import re

from app.order_explaining import PLANS, REMOVALS, VERDICTS
from tests.app.talk import hold, line, new_op, order, slug
from tests.servers import ROOT

TEXT = {"Accept": "text/plain"}
LUA = ROOT / "allocator" / "lua" / "shared"


async def explained(client, place: str, **asked):
    answer = await client.get(f"/v1/orders/{place}/explain", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def read(client, place: str, **asked) -> str:
    answer = await client.get(f"/v1/orders/{place}/explain", params=asked, headers=TEXT)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME", answer.text)


def by_location(said: dict, *fields: str) -> dict[str, tuple]:
    return {row["location"]: tuple(row[field] for field in fields) for row in said["locations"]}


# --- numbers -------------------------------------------------------------------------------------------------------


async def test_a_number_is_explained_as_json_unless_text_is_asked_for(client):
    plain = await client.get("/v1/availability/CUP/explain?channel=shop")
    asked = await client.get("/v1/availability/CUP/explain?channel=shop", headers=TEXT)
    named = await client.get("/v1/availability/CUP/explain?channel=shop&format=text")
    both = await client.get("/v1/availability/CUP/explain?channel=shop&format=json", headers=TEXT)
    browser = await client.get(
        "/v1/availability/CUP/explain?channel=shop", headers={"Accept": "text/html,text/plain;q=0.9"}
    )

    kinds = [answer.headers["content-type"].partition(";")[0] for answer in (plain, asked, named, both, browser)]
    assert kinds == ["application/json", "text/plain", "text/plain", "application/json", "application/json"]
    assert asked.text == named.text
    assert asked.text.endswith("\n\nshop may promise 15 CUP: 15 open at oslo and rome; it is told 15.\n")


async def test_the_text_tells_the_buffer_that_the_json_has(client):
    said = (await client.get("/v1/availability/PLATE/explain?channel=amazon")).json()
    text = (await client.get("/v1/availability/PLATE/explain?channel=amazon", headers=TEXT)).text

    assert (said["open"], said["buffer"], said["atp_now"]) == (3, 2, 1)
    assert text.endswith("amazon may promise 1 PLATE: 3 open at oslo, less 2 kept back as its buffer; it is told 1.\n")
    assert "  oslo: 1 for shop, 0 of them consumed\n" in text


async def test_another_form_than_these_is_refused(client):
    answer = await client.get("/v1/availability/CUP/explain?channel=shop&format=xml")

    assert (answer.status_code, slug(answer), answer.json()["allowed"]) == (422, "unfit", ["json", "text"])


# --- accepted orders -----------------------------------------------------------------------------------------------


async def test_an_accepted_order_says_what_became_of_each_location(client, allocator):
    await order(client, "shop/1", line("CUP", 7))

    said = await explained(client, "shop/1")

    assert (said["outcome"], said["kind"], said["plan"], said["attempt"]) == ("accepted", "promise", "single", 1)
    assert by_location(said, "verdict", "units", "removed", "tie") == {
        "oslo": ("taken", 7, "", 0),
        "rome": ("not_needed", 0, "", 1),
    }
    assert said["locations"][0]["rankings"] == [{"ranking": "channel_rank", "value": 0}]
    assert [(row["sku"], row["units"], row["committed"]) for row in said["lines"]] == [("CUP", 7, 7)]
    assert said["ranked_with"] == allocator.version


async def test_an_accepted_order_reads_as_text(client, allocator):
    await order(client, "shop/1", line("CUP", 7), line("A/4", 1))

    assert (
        await read(client, "shop/1")
        == f"""\
Order 1 of shop, attempt 1, promise, TIME

Lines
  1  CUP  7  7 from oslo
  2  A/4  1  1 from oslo

Locations as they were tried; values and ties as config {allocator.version}, in force now, ranks them
  oslo  8 taken                        channel_rank 0 · tie class 1
  rome  had units, and was not needed  channel_rank 1 · tie class 2

Accepted: oslo (8) because one location could give all that could be had, and the best ranked of those does.
"""
    )


async def test_a_marketplace_order_tells_its_reserve_and_what_waits(client):
    await order(client, "amazon/1", line("PLATE", 9))

    text = await read(client, "amazon/1")

    assert "9  4 from oslo (2 buffer, 1 borrowed of shop), 5 backordered\n" in text
    assert text.endswith("; 5 units wait for stock.\n")


async def test_goods_that_are_gone_were_not_routed(client):
    await order(client, "till/1", line("CUP", 2))

    said = await explained(client, "till/1")
    text = await read(client, "till/1")

    assert by_location(said, "verdict", "units") == {"oslo": ("taken", 2)}
    assert "the goods had left oslo (2) already, so nothing was routed" in text


async def test_a_hold_that_was_taken_over_is_told_and_one_that_had_ended(client):
    await hold(client, "cart-1", line("CUP", 2))
    await hold(client, "cart-2", line("CUP", 2))
    await client.delete("/v1/holds/cart-2")
    await order(client, "shop/1", line("CUP", 2), hold="cart-1")
    await order(client, "shop/2", line("CUP", 2), hold="cart-2")

    used, ended = await read(client, "shop/1"), await read(client, "shop/2")

    assert used.endswith("It took over its hold.\n")
    assert ended.endswith("The hold it named had ended: released.\n")


async def test_the_decision_stays_what_it_was_when_the_order_moves_on(client):
    await order(client, "shop/1", line("CUP", 2))
    before = await explained(client, "shop/1")
    await client.post("/v1/orders/shop/1/ship", headers=new_op())

    assert await explained(client, "shop/1") == before


# --- refused orders ------------------------------------------------------------------------------------------------


async def test_a_short_order_says_what_could_be_promised_by_line(client):
    await order(client, "shop/1", line("CUP", 99), line("PLATE", 1))

    said = await explained(client, "shop/1")
    text = await read(client, "shop/1")

    assert said["outcome"] == "short"
    assert [(row["sku"], row["units"], row["atp_now"]) for row in said["lines"]] == [("CUP", 99, 15), ("PLATE", 1, 4)]
    assert by_location(said, "verdict", "removed") == {"oslo": ("", ""), "rome": ("", "")}
    assert text.endswith("Refused: it asked for 99 CUP where 15 could be promised.\n")


async def test_an_unroutable_order_says_which_locations_could_not_be_combined(client):
    await order(client, "shop/1", line("CUP", 12))

    said = await explained(client, "shop/1")
    text = await read(client, "shop/1")

    assert said["outcome"] == "unroutable"
    assert said["facts"]["split_limit"] == 1
    assert by_location(said, "verdict") == {"oslo": ("left_out",), "rome": ("left_out",)}
    assert "not within one location, which is the channel's split limit" in text


async def test_an_unknown_sku_is_said_by_its_title(client):
    await order(client, "shop/1", line("SAUCER", 1))

    said = await explained(client, "shop/1")

    assert (said["outcome"], said["facts"]) == ("unknown-sku", {"skus": ["SAUCER"]})
    assert said["says"] == "refused: No such sku."


async def test_each_attempt_has_a_decision_of_its_own(client):
    await order(client, "shop/1", line("CUP", 99))
    await order(client, "shop/1", line("CUP", 1), attempt=2)

    outcomes = [(await explained(client, "shop/1", attempt=number))["outcome"] for number in (1, 2)]
    missing = await client.get("/v1/orders/shop/1/explain?attempt=3")

    assert outcomes == ["short", "accepted"]
    assert (missing.status_code, slug(missing)) == (404, "unknown-order")
    assert missing.json()["detail"] == "no answer to attempt 3 is remembered"


async def test_an_order_nobody_placed_is_unknown(client):
    answer = await client.get("/v1/orders/shop/nobody/explain")

    assert (answer.status_code, slug(answer)) == (404, "unknown-order")


# --- rankings ------------------------------------------------------------------------------------------------------


async def test_rankings_are_computed_for_the_ship_to_that_is_named(client, state, allocator):
    await order(client, "shop/1", line("CUP", 1))

    said = await explained(client, "shop/1", prefer="rome")

    assert by_location(said, "tie") == {"oslo": (1,), "rome": (0,)}
    assert said["locations"][1]["rankings"][0] == {"ranking": "preferred", "value": 0}


def test_there_are_words_for_every_plan_of_the_scripts():
    plans = set(re.findall(r"'(\w+)'", re.search(r"SIZES = {(.*)}", (LUA / "route.lua").read_text())[1]))

    assert plans == {"single", "pair", "triple"}
    assert PLANS.keys() == plans | {"greedy", "none"}


def test_there_are_words_for_every_verdict_of_the_scripts():
    said = re.search(r"verdict  (.*); at_capacity:", (LUA / "tracing.lua").read_text())[1]

    assert VERDICTS.keys() == set(re.split(", | or ", said))


def test_there_are_words_for_everything_that_removes_a_location():
    source = (ROOT / "allocator" / "ranking.py").read_text()

    assert set(re.findall(r'return "(\w+)"|Reason\(code, "(\w+)"', source)) == {
        ("inactive", ""),
        ("other_region", ""),
        ("beyond_limit", ""),
        ("", "not_listed"),
    }
    assert REMOVALS.keys() == {"inactive", "other_region", "beyond_limit", "not_listed"}


async def test_an_order_placed_by_an_exchange_is_explained(client):
    await order(client, "shop/1", line("CUP", 4))
    await client.post("/v1/orders/shop/1/ship", json={}, headers=new_op())
    back = {"line": "1", "location": "oslo", "units": 4, "disposition": "restock"}
    new = {"channel": "shop", "external_id": "1-B", "lines": [line("PLATE", 2)]}
    await client.post("/v1/orders/shop/1/exchange", json={"lines": [back], "order": new}, headers=new_op())

    said = await explained(client, "shop/1-B")

    assert (said["outcome"], said["lines"][0]["sku"], said["lines"][0]["committed"]) == ("accepted", "PLATE", 2)
