"""A channel that has sold something shows fewer than it was told, and is told again what it may show."""

import pytest

from app.lines.lines import connector_of
from app.store.connections import find_connection
from app.store.shown import change_shown, find_shown
from app.sync.following import follow, know_listings
from app.sync.intake import take_waiting
from app.sync.numbers import newest
from app.sync.pulling import pull
from app.sync.pushing import push, take
from app.sync.steps import Work
from app.sync.told import note_sold
from app.times import now_ms
from channels.base import Pushed
from channels.pos import PosSecrets
from channels.sandbox.pos import PATH, PosSandbox
from tests.app.heard_shop import There, connected, line_to
from tests.app.tills import CONNECTION, EVENTS, HERE, SECRET
from tests.channels.contract import courier_of

pytestmark = pytest.mark.usefixtures("quick")

OUT = (know_listings, follow, push)
CAP = {"id": "few", "kind": "max_published", "sku": "CUP", "channel": "amazon", "units": 5}


@pytest.fixture(params=["shopify", "woocommerce", "amazon", "ebay"])
async def there(request, app, client) -> There:
    """It shows five of fifteen, and takes numbers over at once."""
    made = await client.put("/v1/rules/few", json=CAP, headers={"If-None-Match": "*"})
    assert made.status_code == 201, made.text
    there = await connected(app, client, request.param)
    there.sandbox.applied_ms = 0
    await there.run(*OUT)
    assert shows(there) == 5
    return there


def shows(there: There) -> int:
    there.clock.is_asked = True
    shown: int = there.sandbox.shows(there.cup)
    there.clock.is_asked = False
    return shown


async def sell(there: There, units: int) -> None:
    """Somebody buys there, and the order is ours."""
    there.buys(units)
    await there.set(pulled_ms=0, watermark_ms=there.clock.began_ms - 60_000)
    await there.run(pull, take_waiting)


async def test_a_number_that_is_capped_is_told_again_although_it_is_the_same(there):
    await sell(there, 2)
    assert shows(there) == 3

    await there.run(*OUT)
    # A channel that compares says first that it shows another number.
    async with there.state.database.writing() as session:
        await change_shown(session, "main", "there", {there.cup: {"due_ms": 0}})
    await there.run(*OUT)

    assert shows(there) == 5


async def test_a_number_in_a_bulk_push_is_left_to_it(there):
    async with there.state.database.writing() as session:
        await change_shown(session, "main", "there", {there.cup: {"ticket": "feed-1"}})

    await sell(there, 1)

    async with there.state.database.reading() as session:
        row = (await find_shown(session, "main", "there", [there.cup]))[there.cup]
    assert (row.told, row.ticket) == (5, "feed-1")


async def test_a_hub_whose_tills_have_sold_is_told_its_number_again(app, client):
    state = app.service
    hub = PosSandbox(courier_of([]), now_ms, PosSecrets(signing_secret=SECRET))
    hub.sells("CUP", 0)
    body = {**CONNECTION, "settings": {"address": f"https://hub.test{PATH}"}}
    assert (await client.put(HERE, json=body)).status_code == 201
    listing = {"channel": "till", "listing": "CUP", "sku": "CUP"}
    await client.put("/v1/listings/till/CUP", json=listing, headers={"If-None-Match": "*"})
    cap = {**CAP, "channel": "till"}
    await client.put("/v1/rules/few", json=cap, headers={"If-None-Match": "*"})
    async with state.database.reading() as session:
        facts = await find_connection(session, "main", "tills")
    line = line_to(state, facts, connector_of(facts, state.sealer), hub)
    work = Work(state, facts, line, state.allocators["main"], lambda: True)
    for step in OUT:
        while await step(work):
            pass
    assert hub.shows("CUP") == 5

    hub.opens("till-1", "STORE1")
    hub.buys("CUP", 2)
    [message] = hub.courier.waiting
    sent = await client.post(EVENTS, content=message.body, headers=message.headers)
    assert (sent.status_code, hub.shows("CUP")) == (200, 3)
    for step in OUT:
        while await step(work):
            pass

    assert hub.shows("CUP") == 5


async def test_a_sale_that_is_heard_of_while_a_push_is_under_way_is_not_covered_by_it(there):
    """The channel may have sold after it took the number over."""
    async with there.state.database.reading() as session:
        rows = await find_shown(session, "main", "there", [there.cup])
    numbers = await newest(there.work, rows.values())
    async with there.state.database.writing() as session:
        await note_sold(session, there.work.facts, [there.cup])

    await take(there.work, list(rows.values()), numbers, [Pushed(there.cup, "accepted", applied=True, shown=5)])

    async with there.state.database.reading() as session:
        row = (await find_shown(session, "main", "there", [there.cup]))[there.cup]
    assert (row.told, row.shown_ms) == (None, 0)
    assert row.changes > row.settled
