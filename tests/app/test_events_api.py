import pytest

from tests.app.holders import make
from tests.app.listener import hub_of, listening, reachable
from tests.app.talk import line, order, receive, slug

EVENTS = "/v1/events/availability"


async def ask(client, **query) -> dict:
    answer = await client.get(EVENTS, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def numbers(news: dict) -> dict[tuple[str, str], int]:
    return {(level["sku"], level["channel"]): level["atp_now"] for level in news["levels"]}


async def test_who_asks_in_steps_begins_with_a_position(client):
    news = await ask(client)

    assert news["levels"] == []
    assert news["reload"] is None
    assert news["position"] > "0-0"


async def test_who_asks_in_steps_gets_what_changed_since(client):
    position = (await ask(client))["position"]
    await order(client, "shop/1", line("CUP", 3))
    await receive(client, "PLATE", "rome", 6)

    news = await ask(client, after=position, channel="shop")
    nothing = await ask(client, after=news["position"], channel="shop")

    assert numbers(news) == {("CUP", "shop"): 12, ("PLATE", "shop"): 10}
    assert news["position"] > position
    assert nothing == {"position": news["position"], "levels": [], "reload": None}


async def test_who_asks_for_named_skus_gets_their_numbers(client):
    news = await ask(client, sku=["CUP", "A/4"], channel="till")

    assert numbers(news) == {("CUP", "till"): 10, ("A/4", "till"): 1}


async def test_a_sku_nobody_knows_has_no_number(client):
    assert (await ask(client, sku="SAUCER"))["levels"] == []


async def test_the_header_counts_when_a_position_is_in_both(client):
    position = (await ask(client))["position"]
    await receive(client, "CUP", "oslo", 1)
    newest = (await ask(client))["position"]

    answer = await client.get(EVENTS, params={"after": position}, headers={"Last-Event-ID": newest})

    assert answer.json()["levels"] == []


@pytest.mark.parametrize("after", ["0-0", "99999999999999-0"])
async def test_a_position_from_elsewhere_asks_for_everything_again(client, redis_of_service, after: str):
    await redis_of_service.xtrim("{main}:ledger", maxlen=1, approximate=False)

    news = await ask(client, after=after)

    assert news["reload"]["channels"] == []
    assert news["position"] not in {"", after}


@pytest.mark.parametrize("after", ["yesterday", "5", f"{2**64}-0"])
async def test_a_position_of_another_form_is_refused(client, after: str):
    query = await client.get(EVENTS, params={"after": after})
    header = await client.get(EVENTS, headers={"Last-Event-ID": after})

    assert (query.status_code, slug(query), query.json()["where"]) == (422, "unfit", "query after")
    assert (header.status_code, slug(header), header.json()["where"]) == (422, "unfit", "header Last-Event-ID")


async def test_a_channel_or_location_nobody_knows_is_refused(client):
    channel = await client.get(EVENTS, params={"channel": "bazaar"})
    location = await client.get(EVENTS, params={"location": "paris"})

    assert (channel.status_code, slug(channel)) == (404, "unknown-channel")
    assert (location.status_code, slug(location)) == (404, "unknown-location")


async def test_more_skus_than_one_stream_may_name_are_refused(client):
    answer = await client.get(EVENTS, params={"sku": [f"S{number}" for number in range(101)]})

    assert (answer.status_code, slug(answer)) == (422, "unfit")


async def test_a_stream_too_many_is_refused_and_the_others_go_on(app, client, key):
    hub_of(app)._streams_max = 1
    async with reachable(app) as address, listening(address, key, channel="shop") as till:
        refused = await client.get(EVENTS, headers={"Accept": "text/event-stream"})
        await receive(client, "CUP", "oslo", 1)
        await till.sees("CUP", "shop", 16)

    assert (refused.status_code, slug(refused)) == (503, "too-many-streams")
    assert refused.headers["Retry-After"] == "5"


async def test_a_key_limited_to_channels_hears_of_no_other(client, state, app, stranger):
    limited = await make(state, "storefront", channels=["till"])
    headers = {"Authorization": f"Bearer {limited.plaintext}"}

    own = await stranger.get(EVENTS, params={"sku": "CUP"}, headers=headers)
    other = await stranger.get(EVENTS, params={"channel": "shop"}, headers=headers)

    assert numbers(own.json()) == {("CUP", "till"): 10}
    assert (other.status_code, slug(other)) == (403, "outside-limits")


async def test_the_stream_is_documented_with_an_example_of_its_text(app):
    operation = app.openapi()["paths"][EVENTS]["get"]

    example = operation["responses"]["200"]["content"]["text/event-stream"]["example"]

    assert example.count("\n\n") == 2
    assert "event: reload\n" in example
    assert "event: availability\n" in example
