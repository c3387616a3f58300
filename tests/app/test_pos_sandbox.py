"""Tills as the sandbox has them, sending to the service: late, twice, after hours without a connection."""

import random

import httpx
import pytest

from app.times import now_ms
from channels.pos import PosSecrets
from channels.sandbox.pos import PosSandbox
from channels.sandbox.webhooks import Courier, send_over
from tests.app.holders import make
from tests.app.tills import CONNECTION, EVENTS, HERE, MINUTE_MS, SECRET, on_hand

HOUR_MS = 60 * MINUTE_MS


class Clock:
    """The stores' clock, which can be turned back to let things have happened a while ago."""

    def __init__(self) -> None:
        self.back_ms = 0

    def __call__(self) -> int:
        return now_ms() - self.back_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def hub(client, app, state, clock):
    """Three tills in two stores, whose messages go astray as messages do."""
    await client.put(HERE, json={**CONNECTION, "locations": {"STORE1": "oslo", "STORE2": "rome"}})
    key = (await make(state, "pos")).plaintext
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
        courier = Courier(lambda message: send_over(http, message), random.Random(3), twice=30, late=30)
        hub = PosSandbox(courier, clock, PosSecrets(signing_secret=SECRET), url=f"http://allot{EVENTS}", key=key)
        hub.opens("till-1", "STORE1")
        hub.opens("till-2", "STORE1")
        hub.opens("till-3", "STORE2")
        yield hub


async def test_what_three_tills_do_is_booked_once_however_it_is_sent(client, hub):
    chance = random.Random(5)
    sold = {"STORE1": 0, "STORE2": 0}
    statuses: set[int] = set()
    for _ in range(40):
        till = chance.choice(list(hub.tills.values()))
        units = chance.randint(1, 2)
        hub.buys("CUP", units, till=till.name)
        sold[till.location] += units
        if chance.random() < 0.3:
            statuses |= {status for _, status in await hub.deliver()}

    statuses |= {status for _, status in await hub.deliver()}

    assert statuses == {200}
    assert await on_hand(client) == 10 - sold["STORE1"]
    assert await on_hand(client, location="rome") == 5 - sold["STORE2"]


async def test_a_till_that_was_offline_for_an_hour_sells_what_lay_in_its_store(client, hub, clock):
    clock.back_ms = HOUR_MS
    hub.loses_connection("till-1")
    sales = []
    for _ in range(12):
        sales.append(hub.buys("CUP", 1, till="till-1"))
        clock.back_ms -= 4 * MINUTE_MS
    hub.brings_back("CUP", 2, of=sales[0], till="till-1")
    clock.back_ms = 0
    hub.buys("CUP", 1, till="till-2")
    await hub.deliver()
    before = await on_hand(client)
    hub.is_back("till-1")

    await hub.deliver()

    found = (await client.get("/v1/stock/CUP")).json()
    assert (before, await on_hand(client)) == (9, 9 - 12 + 2)
    assert found["deficit"] == 1


async def test_a_till_that_signs_wrongly_is_let_in_nowhere_and_may_send_again(client, hub):
    hub.tills["till-1"].secret = "whsec-forged"
    hub.buys("CUP", 1, till="till-1")
    hub.buys("CUP", 1, till="till-2")

    statuses = sorted({status for _, status in await hub.deliver()})

    assert (statuses, await on_hand(client)) == ([200, 403], 9)


async def test_a_till_whose_clock_is_minutes_ahead_is_no_harm(client, hub):
    hub.tills["till-1"].skew_ms = 4 * MINUTE_MS
    hub.buys("CUP", 1, till="till-1")

    assert {status for _, status in await hub.deliver()} == {200}
    assert await on_hand(client) == 9
