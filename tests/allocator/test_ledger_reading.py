import asyncio

import pytest

from allocator import ledger, make_client
from allocator.ledger import START, Damaged, Gap

from .fixtures import CUP, MUG, NOW, hold, new_allocator, order, stock

LEDGER = "{main}:ledger"


@pytest.fixture
async def blocking(server_url):
    client = make_client(server_url, timeout_s=None)
    yield client
    await client.aclose()


async def ids(redis, after=START, count=500) -> list[str]:
    return [id for id, _ in await ledger.read(redis, "main", after, count)]


async def test_an_empty_ledger_has_nothing_to_read(redis):
    await new_allocator(redis)

    assert await ids(redis) == []
    assert await ledger.first_id(redis, "main") == START
    assert await ledger.last_id(redis, "main") == START


async def test_entries_come_in_the_order_of_their_effects(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1001", 2))
    await allocator.ship("shop", "1001", op="parcel")

    rows = await ledger.read(redis, "main", START)

    assert [entry.verb for _, entry in rows] == ["configure", "receive", "order", "ship"]
    assert rows[0][0] == await ledger.first_id(redis, "main")
    assert rows[-1][0] == await ledger.last_id(redis, "main")


async def test_a_reader_goes_on_after_what_it_has_read(allocator, redis):
    for _ in range(4):
        await stock(allocator, oslo=1)
    everything = await ids(redis)

    pages = [await ids(redis, count=2)]
    while page := await ids(redis, pages[-1][-1], count=2):
        pages.append(page)

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [id for page in pages for id in page] == everything


async def test_a_reader_at_the_end_has_nothing_to_read(allocator, redis):
    assert await ids(redis, await ledger.last_id(redis, "main")) == []


async def test_a_reader_behind_the_first_entry_kept_is_told(allocator, redis):
    for _ in range(4):
        await stock(allocator, oslo=1)
    everything = await ids(redis)
    await redis.xtrim(LEDGER, minid=everything[2], approximate=False)

    with pytest.raises(Gap) as told:
        await ids(redis, everything[0])

    assert (told.value.after, told.value.last) == (everything[0], everything[-1])


async def test_the_start_of_a_trimmed_ledger_is_a_gap_as_well(allocator, redis):
    await stock(allocator, oslo=1)
    await redis.xtrim(LEDGER, maxlen=1, approximate=False)

    with pytest.raises(Gap):
        await ids(redis, START)


async def test_a_reader_of_the_last_entry_that_may_go_misses_nothing(allocator, redis):
    for _ in range(4):
        await stock(allocator, oslo=1)
    everything = await ids(redis)

    await redis.xtrim(LEDGER, minid=everything[2], approximate=False)

    assert await ids(redis, everything[2]) == everything[3:]


async def test_a_reader_who_has_read_everything_misses_nothing_when_all_is_trimmed(allocator, redis):
    last = await ledger.last_id(redis, "main")

    await redis.xtrim(LEDGER, maxlen=0, approximate=False)

    assert await ids(redis, last) == []


@pytest.mark.parametrize("after", ["9999999999999-0", "5-1"])
async def test_a_position_of_another_ledger_is_a_gap(allocator, redis, after: str):
    with pytest.raises(Gap):
        await ids(redis, after)


async def test_an_entry_that_cannot_be_read_stops_the_reader(allocator, redis):
    last = await ledger.last_id(redis, "main")
    damaged = await redis.xadd(LEDGER, {"entry": b"\xc1", "answer": b""})

    with pytest.raises(Damaged, match=damaged.decode()):
        await ids(redis, last)
    await redis.xdel(LEDGER, damaged)


async def test_a_follower_gets_what_is_there_and_then_what_comes(allocator, redis, blocking):
    await stock(allocator, oslo=5)
    follower = ledger.follow(blocking, "main", START)
    before = await anext(follower)

    coming = asyncio.ensure_future(anext(follower))
    await asyncio.sleep(0.05)
    assert not coming.done()
    await allocator.order(order("1001", 1))

    assert [entry.verb for _, entry in before] == ["configure", "receive"]
    assert [entry.verb for _, entry in await coming] == ["order"]
    await follower.aclose()


async def test_a_follower_waits_longer_than_one_blocking_read(allocator, redis, blocking):
    follower = ledger.follow(blocking, "main", await ledger.last_id(redis, "main"), block_ms=20)

    coming = asyncio.ensure_future(anext(follower))
    await asyncio.sleep(0.1)
    await stock(allocator, oslo=1)

    assert [entry.verb for _, entry in await coming] == ["receive"]
    await follower.aclose()


async def test_an_entry_tells_its_orders_and_holds(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.hold(hold("cart-1", 2))
    await allocator.order(order("1001", 2, hold="cart-1"))

    (_, held), (_, ordered) = (await ledger.read(redis, "main", START))[-2:]

    assert [found.hold_id for found in ledger.holds_of(held)] == ["cart-1"]
    assert ledger.orders_of(held) == []
    assert [(found.external_id, found.state) for found in ledger.orders_of(ordered)] == [("1001", "committed")]
    assert [(found.hold_id, found.state) for found in ledger.holds_of(ordered)] == [("cart-1", "ordered")]


async def test_an_entry_tells_what_it_changed_of_the_config(allocator, redis):
    await stock(allocator, oslo=1)

    (_, configured), (_, received) = await ledger.read(redis, "main", START)

    changed = ledger.config_of(configured)
    assert changed is not None
    assert {f"sku:{CUP}", f"sku:{MUG}", "channel:shop", "rules"} <= changed.fields.keys()
    assert ledger.config_of(received) is None


@pytest.mark.parametrize("id", ["", "5", "a-1", "5-", "-5-1", "5-1-1", "٣-1", "9" * 50 + "-1", f"{2**64}-1"])
def test_an_id_of_another_form_is_refused(id: str):
    with pytest.raises(ValueError, match="not the id of a ledger entry"):
        ledger.place(id)


def test_places_compare_as_the_ledger_is_ordered():
    assert ledger.place("9-10") > ledger.place("9-9") > ledger.place("8-11")


async def test_nothing_that_happens_after_an_entry_is_dated_before_what_the_entry_says(allocator, redis):
    await stock(allocator, oslo=1)
    allocator.now_ms += 90_000
    await stock(allocator, oslo=1)
    allocator.now_ms -= 1_000
    await stock(allocator, oslo=1)

    entries = [entry for _, entry in await ledger.read(redis, "main", START)][-3:]

    assert [entry.at_ms - NOW for entry in entries] == [0, 90_000, 89_000]
    assert [entry.until_ms - NOW for entry in entries] == [0, 0, 0]
