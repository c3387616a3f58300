import asyncio
import random

import httpx
import pytest

from allocator import Level
from app.events import stream, subscription
from tests.app.holders import make
from tests.app.listener import hub_of, listening, reachable, until
from tests.app.talk import atp, hold, line, order, receive

LEDGER = "{main}:ledger"


@pytest.fixture
async def address(app):
    async with reachable(app) as address:
        yield address


async def test_a_change_is_told_with_the_number_that_can_be_asked(client, address, key):
    async with listening(address, key, channel="shop") as till:
        await order(client, "shop/1001", line("CUP", 2))

        told = await till.next()

    assert told.kind == "availability"
    [level] = told.data["levels"]
    assert level == {"sku": "CUP", "channel": "shop", "atp_now": 13, "published": 13, "version": level["version"]}
    assert await atp(client, "CUP") == 13


async def test_without_a_filter_every_channel_of_a_changed_sku_is_told(client, address, key):
    async with listening(address, key) as till:
        await hold(client, "cart-1", line("CUP", 1))

        told = await till.next()

    assert {level["channel"]: level["atp_now"] for level in told.data["levels"]} == {
        "shop": 14,
        "amazon": 14,
        "till": 9,
    }


async def test_named_skus_are_told_at_once_and_others_never(client, address, key):
    async with listening(address, key, sku=["CUP", "A/4"], channel="shop") as till:
        first = await till.next()
        await receive(client, "PLATE", "oslo", 5)
        await receive(client, "A/4", "oslo", 5)
        await till.sees("A/4", "shop", 6)

    assert {level["sku"]: level["atp_now"] for level in first.data["levels"]} == {"CUP": 15, "A/4": 1}
    assert till.levels == {("CUP", "shop"): 15, ("A/4", "shop"): 6}


async def test_with_a_location_only_changes_there_are_told(client, address, key):
    async with listening(address, key, location="rome", channel="shop") as till:
        await receive(client, "PLATE", "oslo", 5)
        await receive(client, "CUP", "rome", 5)

        told = await till.next()

    assert [level["sku"] for level in told.data["levels"]] == ["CUP"]


async def test_what_a_sku_owes_concerns_every_location(client, address, key):
    await order(client, "amazon/1", line("A/4", 3))
    async with listening(address, key, location="rome", channel="shop") as till:
        await client.post("/v1/orders/amazon/1/cancel", json={}, headers={"Idempotency-Key": "c-1"})

        told = await till.next()

    assert [(level["sku"], level["atp_now"]) for level in told.data["levels"]] == [("A/4", 1)]


async def test_a_burst_is_told_in_a_few_events(client, address, key):
    async with listening(address, key, channel="shop") as till:
        for number in range(60):
            await receive(client, "CUP", "oslo", 1)
            await order(client, f"shop/{number}", line("PLATE", 1)) if number < 2 else None
        await till.sees("CUP", "shop", 75)
        assert till.events.qsize() == 0

    assert till.levels["PLATE", "shop"] == 2


async def test_a_stream_goes_on_where_it_was_cut_off(client, address, key):
    async with listening(address, key, channel="shop") as till:
        await receive(client, "CUP", "oslo", 1)
        last = (await till.sees("CUP", "shop", 16)).id
    await receive(client, "CUP", "oslo", 1)
    await receive(client, "CUP", "rome", 1)
    await receive(client, "PLATE", "rome", 1)

    async with listening(address, key, last_id=last, channel="shop") as again:
        await again.sees("CUP", "shop", 18)
        await until(lambda: again.levels.get(("PLATE", "shop")) == 5)

    assert again.levels == {("CUP", "shop"): 18, ("PLATE", "shop"): 5}


async def test_the_id_of_an_idle_stream_follows_what_does_not_concern_it(client, address, key, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.1)
    async with listening(address, key, sku="A/4") as till:
        first = (await till.next()).id
        await receive(client, "CUP", "oslo", 1)

        await until(lambda: till.id > first)

    assert till.comments > 0


async def test_a_position_that_is_trimmed_away_asks_for_everything_again(client, address, key, redis_of_service):
    async with listening(address, key) as till:
        await receive(client, "CUP", "oslo", 1)
        last = (await till.next()).id
    await receive(client, "CUP", "oslo", 1)
    await receive(client, "CUP", "oslo", 1)
    await redis_of_service.xtrim(LEDGER, maxlen=1, approximate=False)

    async with listening(address, key, last_id=last) as again:
        told = await again.next()

    assert (told.kind, told.data) == ("reload", {"channels": [], "why": "what happened since is no longer known"})
    assert told.id > last


async def test_a_position_that_is_trimmed_away_needs_no_reload_for_named_skus(client, address, key, redis_of_service):
    await receive(client, "CUP", "oslo", 1)
    await redis_of_service.xtrim(LEDGER, maxlen=1, approximate=False)

    async with listening(address, key, last_id="5-1", sku="CUP", channel="shop") as till:
        told = await till.next()

    assert [(level["sku"], level["atp_now"]) for level in told.data["levels"]] == [("CUP", 16)]


async def test_the_follower_itself_behind_the_ledger_asks_for_everything_again(client, address, key, redis_of_service):
    async with listening(address, key, channel="shop") as till:
        await receive(client, "CUP", "oslo", 1)
        await till.next()
        follower_of(client).position = "5-1"
        await redis_of_service.xtrim(LEDGER, maxlen=1, approximate=False)
        await receive(client, "CUP", "oslo", 1)

        told = await till.next()

    assert (told.kind, told.data["channels"]) == ("reload", ["shop"])


def follower_of(client: httpx.AsyncClient):
    [follower] = hub_of(client._transport.app)._followers.values()
    return follower


def settled() -> subscription.Subscription:
    """A subscription to everything, outside of any service."""
    begun = subscription.Subscription(subscription.Filters())
    begun.behind = False
    begun.settle("1-0")
    return begun


async def test_two_requests_to_reload_are_some_time_apart(monkeypatch):
    told = settled()
    told.reload((), "a")
    first = told.take(100, 50.0)
    told.reload(["shop"], "b")

    assert first is not None
    assert told.take(100, 50.5) is None
    assert told.patience_s(15.0, 50.5) == pytest.approx(1.5)
    second = told.take(100, 52.1)
    assert second is not None
    assert second.reload is not None
    assert second.reload.channels == ["shop"]


async def test_a_reader_that_takes_nothing_costs_a_bounded_number_of_numbers(monkeypatch):
    monkeypatch.setattr(subscription, "PENDING_MAX", 50)
    slow = settled()

    for version in range(200):
        sku = f"S{version % 60}"
        slow.offer(sku, [((sku, "shop"), Level(sku, "shop", version, version, version))])

    news = slow.take(1_000, 10.0)
    assert news is not None
    assert news.reload is not None
    assert len(news.levels) <= 50


async def test_a_reader_that_takes_nothing_gets_the_last_of_many_numbers(monkeypatch):
    slow = settled()
    for version in range(200):
        slow.offer("CUP", [(("CUP", "shop"), Level("CUP", "shop", version, version, version))])

    news = slow.take(100, 10.0)

    assert news is not None
    assert [level.atp_now for level in news.levels] == [199]


async def test_many_numbers_are_told_in_parts_and_only_the_last_has_a_position():
    reader = settled()
    for number in range(250):
        reader.offer(f"S{number}", [((f"S{number}", "shop"), Level(f"S{number}", "shop", 1, 1, 1))])
    reader.settle("7-0")

    parts = [reader.take(100, 10.0) for _ in range(4)]

    assert [(len(part.levels), part.position) if part else None for part in parts] == [
        (100, ""),
        (100, ""),
        (50, "7-0"),
        None,
    ]


async def test_after_a_storm_what_was_told_is_what_can_be_asked(client, address, key):
    """Readers come and go while orders, holds and receipts race; in the end each shows the true numbers."""
    dice = random.Random(7)
    watched = {("CUP", "shop"), ("CUP", "till"), ("PLATE", "shop"), ("PLATE", "amazon")}

    async def storm(name: int) -> None:
        for number in range(40):
            what = dice.randrange(4)
            if what == 0:
                await receive(client, dice.choice(["CUP", "PLATE"]), dice.choice(["oslo", "rome"]), 2)
            elif what == 1:
                await order(client, f"shop/{name}-{number}", line(dice.choice(["CUP", "PLATE"]), 1))
            elif what == 2:
                await hold(client, f"cart-{name}-{number}", line("CUP", 1))
            else:
                await order(client, f"amazon/{name}-{number}", line("PLATE", 1))

    async def reader(seconds: float, shown: dict) -> None:
        """Comes and goes until the storm is over, and then comes back once more."""
        last, over = "", False
        while not over:
            over = calm.is_set()
            async with listening(address, key, last_id=last, sku=[] if last else ["CUP", "PLATE"]) as till:
                till.levels = shown
                await asyncio.sleep(seconds)
                last = till.id or last  # whoever heard nothing in so short a time knows no more than before
            if over:
                async with listening(address, key, last_id=last, sku=[] if last else ["CUP", "PLATE"]) as till:
                    till.levels = shown
                    await until(lambda: all(shown.get(where) == truth[where] for where in watched), 5)

    calm, truth = asyncio.Event(), {}
    screens: list[dict] = [{} for _ in range(4)]
    readers = [asyncio.create_task(reader(0.05 * i, screen)) for i, screen in enumerate(screens, 1)]
    await asyncio.gather(*(storm(name) for name in range(4)))
    truth |= {(sku, channel): await atp(client, sku, channel) for sku, channel in watched}
    calm.set()
    await asyncio.gather(*readers)

    for screen in screens:
        assert {where: screen[where] for where in watched} == truth


async def test_a_reader_with_a_limited_key_sees_its_channels_alone(client, address, state):
    limited = await make(state, "storefront", channels=["till"])

    async with listening(address, limited.plaintext) as till:
        await receive(client, "CUP", "oslo", 1)
        told = await till.next()

    assert [level["channel"] for level in told.data["levels"]] == ["till"]


async def test_a_reader_with_a_limited_key_hears_of_its_locations_alone(client, address, state):
    limited = await make(state, "storefront", locations=["rome"])

    async with listening(address, limited.plaintext, channel="shop") as till:
        await receive(client, "PLATE", "oslo", 1)
        await receive(client, "CUP", "rome", 1)
        told = await till.next()

    assert [level["sku"] for level in told.data["levels"]] == ["CUP"]


async def test_the_stream_of_a_revoked_key_ends(client, address, state, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.1)
    made = await make(state, "storefront")

    async with listening(address, made.plaintext) as till:
        await client.delete(f"/v1/keys/{made.id}")

        await till.end()


async def test_streams_end_when_the_service_stops(app, address, key):
    async with listening(address, key) as till:
        app.state.draining = True

        await till.end()


async def test_a_reader_who_leaves_is_forgotten(app, address, key):
    async with listening(address, key):
        assert hub_of(app).streams == 1

    await until(lambda: hub_of(app).streams == 0)
    await until(lambda: not hub_of(app)._followers)


async def test_heartbeats_keep_an_idle_stream_alive(address, key, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.05)
    async with listening(address, key) as till:
        await until(lambda: till.comments > 2)


async def test_who_joins_while_others_are_asked_about_gets_its_own_channel(
    client, address, key, allocator, monkeypatch
):
    ask, begun, go_on = allocator.availability, asyncio.Event(), asyncio.Event()

    async def slow(*arguments):
        found = await ask(*arguments)
        begun.set()
        await go_on.wait()
        return found

    async with listening(address, key, channel="shop", sku="CUP") as shop:
        await shop.next()
        monkeypatch.setattr(allocator, "availability", slow)
        await receive(client, "CUP", "oslo", 1)
        await begun.wait()
        async with listening(address, key, channel="till", sku="CUP") as till:
            go_on.set()
            await till.sees("CUP", "till", 11)


async def test_the_follower_goes_on_after_the_store_was_away(client, address, key, redis_of_service):
    async with listening(address, key, channel="shop") as till:
        await receive(client, "CUP", "oslo", 1)
        await till.next()
        await redis_of_service.client_kill_filter(_type="normal", skipme=True)
        await receive(client, "CUP", "oslo", 1)

        await till.sees("CUP", "shop", 17)
