"""Units that arrive go to those who wait: the best ranked channel first, then the oldest order."""

import asyncio

import msgspec
import pytest

from allocator import AdjustLine, ReturnLine, Rule, SellerKeys, ShipLine, SkuConfig, StockLine, ledger

from .fixtures import (
    AMAZON,
    CONFIG,
    CUP,
    MUG,
    TEE,
    atp,
    buckets,
    dump,
    hold,
    ledger_length,
    order,
    place,
    quota,
    shelves,
    state,
    stock,
    units_at,
    with_channel,
    with_inactive,
    with_rules,
)


async def backorder(allocator, id: str, *wanted, channel: str = "amazon"):
    """An order that has to wait; each is a second older than the next."""
    allocator.now_ms += 1_000
    return await allocator.order(order(id, *wanted, channel=channel, kind="firm"))


def given(served) -> list[tuple[str, str, int]]:
    return [(line.order, line.line, line.units) for line in served.lines]


async def test_a_waiting_line_gets_what_has_arrived(allocator, redis):
    await backorder(allocator, "1", 5)
    await stock(allocator, oslo=3)

    served = await allocator.serve()

    found = await allocator.find_order("amazon", "1")
    assert (given(served), served.more) == ([("amazon:1", "1", 3)], False)
    assert (found.state, found.lines[0].committed, found.lines[0].backordered) == ("backordered", 3, 2)
    assert (await buckets(redis, "oslo"), (await state(redis)).backordered) == ((3, 0, 3), 2)


async def test_a_line_that_got_all_waits_no_longer(allocator, redis):
    await backorder(allocator, "1", 5)
    await stock(allocator, oslo=3)
    await allocator.serve()
    await stock(allocator, rome=4)

    await allocator.serve()

    found = await allocator.find_order("amazon", "1")
    assert (found.state, units_at(found)) == ("committed", {"oslo": 3, "rome": 2})
    assert await redis.zcard("{main}:waiting") == 0
    assert await atp(allocator) == 2


async def test_the_oldest_order_is_served_first(allocator):
    await backorder(allocator, "late-name", 3)
    await backorder(allocator, "early-name", 3)
    await stock(allocator, oslo=4)

    served = await allocator.serve()

    assert given(served) == [("amazon:late-name", "1", 3), ("amazon:early-name", "1", 1)]


async def test_the_best_ranked_channel_is_served_before_older_orders(allocator):
    await backorder(allocator, "old", 3, channel="shop")
    await backorder(allocator, "new", 3)
    await stock(allocator, oslo=4)

    served = await allocator.serve()

    # amazon has rank 1, the shop 2
    assert given(served) == [("amazon:new", "1", 3), ("shop:old", "1", 1)]


async def test_an_order_that_cannot_use_the_units_does_not_block_the_others(allocator):
    await backorder(allocator, "first", 3)
    await backorder(allocator, "second", 2, channel="shop")
    await stock(allocator, bergen=4)

    served = await allocator.serve()

    # amazon does not sell from bergen
    assert given(served) == [("shop:second", "1", 2)]
    assert await atp(allocator, "shop") == 0


async def test_lines_of_one_order_are_served_in_one_run(allocator, redis):
    await backorder(allocator, "1", 2, (TEE, 3), 1)
    await stock(allocator, oslo=5)
    await stock(allocator, TEE, oslo=1)

    served = await allocator.serve()

    assert sorted(given(served)) == [("amazon:1", "1", 2), ("amazon:1", "2", 1), ("amazon:1", "3", 1)]
    found = await allocator.find_order("amazon", "1")
    assert [(line.committed, line.backordered) for line in found.lines] == [(2, 0), (1, 2), (1, 0)]


async def test_what_is_not_waited_for_stays_for_sale(allocator):
    await backorder(allocator, "1", 2)
    await stock(allocator, oslo=9)

    await allocator.serve()

    assert await atp(allocator) == 7


async def test_units_set_free_by_a_cancel_serve_too(allocator):
    await stock(allocator, oslo=3)
    await allocator.order(order("S1", 3))
    await backorder(allocator, "1", 2)

    await allocator.cancel("shop", "S1", op="c1")
    served = await allocator.serve()

    assert given(served) == [("amazon:1", "1", 2)]


async def test_units_of_an_expired_hold_serve_too(allocator):
    await stock(allocator, oslo=3)
    await allocator.expire(elapsed_ms=None)
    await allocator.hold(hold("h1", 3, ttl_ms=5_000))
    await backorder(allocator, "1", 2)
    allocator.now_ms += 5_000

    await allocator.expire(elapsed_ms=6_000)
    served = await allocator.serve()

    assert given(served) == [("amazon:1", "1", 2)]


async def test_a_debt_may_use_safety_stock_and_others_quotas(allocator, redis):
    await allocator.configure_all(with_rules(Rule(kind="safety_stock", units=2)))
    await backorder(allocator, "1", 6)
    await quota(allocator, "oslo", "shop", 3, floor=3)
    await stock(allocator, oslo=6)

    served = await allocator.serve()

    assert given(served) == [("amazon:1", "1", 6)]
    found = await allocator.find_order("amazon", "1")
    # free 4: shared 1 and the shop's 3; first what is open, then safety stock, then the quota
    assert [(part.source, part.units) for part in found.lines[0].takes[0].parts] == [
        ("shared", 1),
        ("safety", 2),
        ("borrowed", 3),
    ]


async def test_held_and_committed_units_are_not_given_away(allocator, redis):
    await stock(allocator, oslo=4)
    await allocator.hold(hold("h1", 2))
    await allocator.order(order("S1", 2))
    await backorder(allocator, "1", 2)
    await stock(allocator, oslo=1)

    served = await allocator.serve()

    assert given(served) == [("amazon:1", "1", 1)]
    assert await buckets(redis, "oslo") == (5, 2, 3)


async def test_units_that_only_end_a_deficit_serve_nobody(allocator, redis):
    await allocator.order(order("T1", 3, channel="till"))
    await backorder(allocator, "1", 2, channel="shop")
    await stock(allocator, bergen=3)

    served = await allocator.serve()

    assert served.lines == []
    assert (await place(redis, "bergen")).deficit == 0


async def test_with_nothing_to_give_nothing_is_written_to_the_ledger(allocator, redis):
    await backorder(allocator, "1", 2)
    before = await ledger_length(redis)

    served = await allocator.serve()

    assert (served.lines, served.more) == ([], False)
    assert await ledger_length(redis) == before


async def test_with_nobody_waiting_nothing_happens(allocator, redis):
    await stock(allocator, oslo=5)
    before = await dump(redis)

    served = await allocator.serve()

    assert (served.lines, served.more) == ([], False)
    assert await dump(redis) == before


async def test_units_that_rules_set_free_are_found_by_a_sweep(allocator):
    await allocator.configure_all(with_inactive("oslo"))
    await stock(allocator, oslo=5)
    await backorder(allocator, "1", 2)
    await allocator.configure_all(CONFIG)
    plain = await allocator.serve()

    swept = await allocator.serve(sweep=True)

    assert plain.lines == []
    assert given(swept) == [("amazon:1", "1", 2)]


async def test_a_list_that_was_lost_is_made_again_by_a_sweep(allocator, redis):
    await backorder(allocator, "1", 2)
    await stock(allocator, oslo=5)
    [servable] = SellerKeys(allocator.seller).named("servable")
    lost = await redis.srem(servable, CUP)

    swept = await allocator.serve(sweep=True)

    assert lost == 1
    assert given(swept) == [("amazon:1", "1", 2)]


async def test_sweeps_go_round_all_waiting_skus(allocator):
    waiting = [f"SKU-{number:03}" for number in range(150)]
    config = msgspec.structs.replace(with_inactive("oslo"), skus=[SkuConfig(sku=sku) for sku in waiting])
    await allocator.configure_all(config)
    await allocator.receive([StockLine(sku, "oslo", 1) for sku in waiting], op="r1")
    await backorder(allocator, "1", *[(sku, 1) for sku in waiting])
    await allocator.configure_all(msgspec.structs.replace(config, locations=CONFIG.locations))

    served = [line for _ in range(4) for line in (await allocator.serve(sweep=True, skus=100, lines=100)).lines]

    assert sorted(line.sku for line in served) == waiting


@pytest.mark.parametrize(("skus", "lines"), [(1, 50), (50, 1), (1, 1)])
async def test_small_steps_serve_everybody_in_the_end(allocator, skus, lines):
    for number in range(4):
        await backorder(allocator, str(number), 1, (TEE, 1), (MUG, 1))
    for sku in (CUP, TEE, MUG):
        await stock(allocator, sku, oslo=4)

    served, more = [], True
    for _ in range(20):
        if not more:
            break
        run = await allocator.serve(skus=skus, lines=lines)
        served, more = [*served, *run.lines], run.more

    assert len(served) == 12
    assert not more


async def test_one_run_looks_at_no_more_lines_than_its_limit(allocator):
    for number in range(5):
        await backorder(allocator, str(number), 1)
    await stock(allocator, oslo=5)

    first = await allocator.serve(lines=3)
    second = await allocator.serve(lines=3)

    assert (len(first.lines), first.more) == (3, True)
    assert (len(second.lines), second.more) == (2, False)


async def test_hundreds_of_orders_are_served_run_by_run(allocator, redis):
    wide = [f"SKU-{number:03}" for number in range(60)]
    await allocator.configure_all(msgspec.structs.replace(CONFIG, skus=[SkuConfig(sku=sku) for sku in wide]))
    waiting = [order(f"{sku}-{number}", (sku, 1), channel="amazon") for sku in wide for number in range(10)]
    await asyncio.gather(*(allocator.order(one) for one in waiting))
    await allocator.receive([StockLine(sku, "oslo", 10) for sku in wide], op="r1")

    runs = []
    while not runs or runs[-1].more:
        runs.append(await allocator.serve(skus=100, lines=100))

    assert [len(run.lines) for run in runs if run.lines] == [100] * 6
    assert await redis.zcard("{main}:waiting") == 0


async def test_a_channel_that_is_no_more_waits_in_vain_and_blocks_nobody(allocator):
    await backorder(allocator, "1", 2)
    await backorder(allocator, "2", 2, channel="shop")
    await allocator.configure_all(
        msgspec.structs.replace(CONFIG, channels=[one for one in CONFIG.channels if one != AMAZON])
    )
    await stock(allocator, oslo=4)

    served = await allocator.serve()

    assert given(served) == [("shop:2", "1", 2)]


async def test_more_waiting_orders_than_one_look_allows_do_not_hide_the_others(allocator):
    for number in range(3):
        await backorder(allocator, f"a{number}", 1)
    await backorder(allocator, "s", 1, channel="shop")
    await stock(allocator, bergen=1)

    # amazon's three cannot use bergen; a look at two lines at a time must still reach the shop's
    served = []
    for _ in range(6):
        served += (await allocator.serve(sweep=True, lines=2)).lines

    assert [(line.order, line.units) for line in served] == [("shop:s", 1)]


async def test_what_was_served_is_cancelled_like_any_other_units(allocator, redis):
    await backorder(allocator, "1", 3)
    await stock(allocator, oslo=2)
    await allocator.serve()

    changed = await allocator.cancel("amazon", "1", op="c1")

    assert (changed.state, changed.lines[0].cancelled) == ("cancelled", 3)
    assert await buckets(redis, "oslo") == (2, 0, 0)


async def test_a_location_taken_from_the_channel_serves_it_no_more(allocator):
    await backorder(allocator, "1", 2)
    await allocator.configure_all(with_channel(CONFIG, "amazon", locations=shelves("rome")))
    await stock(allocator, oslo=2, rome=1)

    served = await allocator.serve()

    assert given(served) == [("amazon:1", "1", 1)]
    assert units_at(await allocator.find_order("amazon", "1")) == {"rome": 1}


async def test_a_queue_longer_than_one_page_is_looked_through(allocator):
    await backorder_widely(allocator, "wide", 1_050)
    await backorder(allocator, "s", 1, channel="shop")
    await stock(allocator, bergen=1)

    served = await allocator.serve()

    # amazon's thousand cannot use bergen; the shop's line is on the second page
    assert [(line.order, line.units) for line in served.lines] == [("shop:s", 1)]
    assert not served.more


async def backorder_widely(allocator, id: str, lines: int) -> None:
    """An order of amazon's of so many lines of one cup each, for which there is nothing."""
    await allocator.order(order(id, *[1] * lines, channel="amazon"))


async def test_a_sweep_looks_at_a_hundred_waiting_skus_and_the_next_goes_on_behind_them(allocator, redis):
    wide = [f"SKU-{number:03}" for number in range(150)]
    skus = [SkuConfig(sku=sku) for sku in wide]
    await allocator.configure_all(msgspec.structs.replace(CONFIG, skus=skus))
    await backorder(allocator, "wide", *((sku, 1) for sku in wide))

    found = []
    for _ in range(3):
        await redis.delete("{main}:servable")
        await allocator.serve(sweep=True, skus=1)
        waiting = {sku.decode() for sku in await redis.smembers("{main}:servable")}
        found.append((len(waiting), min(waiting) < "SKU-100", await redis.hget("{main}:seller", "swept")))

    # one of them was looked at and left out again
    assert found == [(99, True, b"SKU-099"), (49, False, b""), (99, True, b"SKU-099")]


async def test_lines_of_a_channel_that_can_get_nothing_are_not_counted(allocator):
    for number in range(3):
        await backorder(allocator, f"a{number}", 1)

    served = await allocator.serve(sweep=True, lines=1)

    assert (served.lines, served.more) == ([], False)


async def test_lines_of_a_channel_that_is_no_more_are_not_counted(allocator):
    for number in range(3):
        await backorder(allocator, f"a{number}", 1)
    await backorder(allocator, "s", 1, channel="shop")
    without = [channel for channel in CONFIG.channels if channel.code != "amazon"]
    await allocator.configure_all(msgspec.structs.replace(CONFIG, channels=without))
    await stock(allocator, oslo=1)

    served = await allocator.serve(lines=2)

    assert given(served) == [("shop:s", "1", 1)]


async def test_the_ledger_tells_the_orders_that_got_units_and_no_others(allocator, redis):
    await backorder(allocator, "a", 1)
    await backorder(allocator, "s", 1, channel="shop")
    await stock(allocator, bergen=1)
    await allocator.serve()

    [*_, (_, entry)] = await ledger.read(redis, "main", "0-0")

    assert (entry.verb, entry.records.keys()) == ("serve", {"order:shop:s"})


async def test_all_that_waits_is_in_the_order_of_its_names(allocator, redis):
    await backorder(allocator, "a", 1, (TEE, 1))
    await backorder(allocator, "s", 1, channel="shop")

    assert {score for _, score in await redis.zrange("{main}:waiting", 0, -1, withscores=True)} == {0}


async def test_units_found_fit_again_serve_too(allocator):
    await stock(allocator, oslo=2)
    await allocator.unavailable([StockLine(CUP, "oslo", 2)], op="u1", reason="wet", direction="in")
    await backorder(allocator, "1", 2)

    await allocator.unavailable([StockLine(CUP, "oslo", 1)], op="u2", reason="wet", direction="out")

    assert given(await allocator.serve()) == [("amazon:1", "1", 1)]


async def test_what_is_corrected_up_and_down_serves_with_what_is_left(allocator):
    await backorder(allocator, "1", 2)

    await allocator.adjust([AdjustLine(CUP, "oslo", 5), AdjustLine(CUP, "oslo", -4)], op="a1", why="count")

    assert given(await allocator.serve()) == [("amazon:1", "1", 1)]


async def test_units_in_quarantine_and_units_of_a_hold_serve_nobody(allocator, redis):
    await stock(allocator, bergen=2)
    await allocator.hold(hold("h1", 2))
    await backorder(allocator, "1", 2)
    await redis.delete("{main}:servable")

    back = [ReturnLine(sku=CUP, location="oslo", units=1, disposition="quarantine")]
    await allocator.return_units(back, op="r1")
    await allocator.order(order("2", 2, hold="h1"))

    assert await redis.smembers("{main}:servable") == set()


async def test_units_served_to_a_line_that_is_being_picked_are_a_take_of_their_own(allocator):
    await stock(allocator, oslo=1)
    await backorder(allocator, "1", 3)
    await allocator.pick("amazon", "1", op="p1")
    await stock(allocator, oslo=2)
    await allocator.serve()

    shipped = await allocator.ship("amazon", "1", [ShipLine("1", "oslo", 2)], op="s1")

    [line] = shipped.lines
    assert (line.shipped, [(take.units, take.picking) for take in line.takes]) == (2, [(1, False)])


async def test_of_goods_that_come_back_those_that_are_fit_serve(allocator):
    await backorder(allocator, "1", 2)

    kinds = ("restock", "quarantine")
    back = [ReturnLine(sku=CUP, location="oslo", units=1, disposition=kind) for kind in kinds]
    await allocator.return_units(back, op="r1")

    assert given(await allocator.serve()) == [("amazon:1", "1", 1)]


async def test_what_somebody_has_to_decide_stays_when_the_rest_of_the_line_is_served(allocator, redis):
    await stock(allocator, oslo=3)
    await backorder(allocator, "1", 5)
    await allocator.reject("amazon", "1", "oslo", op="r1", reason="mismatch", rejects_max=1)
    await stock(allocator, rome=9)

    served = await allocator.serve()

    [line] = (await allocator.find_order("amazon", "1")).lines
    assert (given(served), line.conflict, line.backordered) == ([("amazon:1", "1", 2)], 3, 0)
    assert await buckets(redis, "rome") == (9, 0, 2)


async def test_the_ledger_tells_what_is_owed_no_more_conflicts_first(allocator, redis):
    await stock(allocator, oslo=3)
    await backorder(allocator, "1", 5)
    await allocator.reject("amazon", "1", "oslo", op="r1", reason="mismatch")
    await stock(allocator, rome=4)

    await allocator.serve()

    [*_, (_, entry)] = await ledger.read(redis, allocator.seller, "0-0", 100)
    assert [move for change in entry.changes for move in change.moves] == [
        ("rome", "committed", "", 4),
        ("", "conflict", "", -3),
        ("", "backordered", "", -1),
    ]
