"""
Orders while rules change: none is answered by half a config.

Two rules are changed together, again and again: of two skus one is always kept back whole and the other not at all. An
order for both is therefore always refused for exactly one of them; half a config would refuse both, or accept it.

ALLOT_CONFIG_ORDERS and ALLOT_CONFIG_CHANGES run it at another size, such as 100000 and 1000.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from allocator import Line, OrderRequest, StockLine
from allocator.errors import Short, Unanswered
from app.config.engine import Plan
from tests.app.config_world import CUP, PEN, TEE, World, open_world, put, rule, shop

ORDERS = int(os.environ.get("ALLOT_CONFIG_ORDERS", "600"))
CHANGES = int(os.environ.get("ALLOT_CONFIG_CHANGES", "30"))
IN_FLIGHT = 32
REPEATS_MAX = 20
ALL = 1_000_000_000
UNITS = 1_000_000


@pytest.fixture
async def world(servers, redis_of_service, database_url):
    async with open_world(servers["valkey"], database_url, *shop()) as world:
        await world.allocator.receive([StockLine(sku, "oslo", UNITS) for sku in (CUP, TEE, PEN)], op="stock")
        await world.engine.change(Plan(kept_back(0), "ann"))
        yield world


def kept_back(number: int) -> list:
    """Keep one of the two back, in turns."""
    cup, tee = (ALL, 0) if number % 2 else (0, ALL)
    return [
        put(rule("cup", sku=CUP, channel="web", units=cup)),
        put(rule("tee", sku=TEE, channel="web", units=tee)),
    ]


async def change_rules(world: World, ordered: asyncio.Event, changed: asyncio.Event) -> int:
    """Change both rules again and again, until it was often enough and the orders are done."""
    engine, number = world.another(), 0
    while number < CHANGES or not ordered.is_set():
        number += 1
        await engine.change(Plan(kept_back(number), "bob"))
        changed.set()
    return number


async def ask(allocator, number: int) -> str:
    """Order both, or, every second time, a sku without a rule; what the answer says of the config."""
    skus = [CUP, TEE] if number % 2 else [PEN]
    request = OrderRequest(channel="web", external_id=str(number), lines=[Line(sku, sku, 1) for sku in skus])
    for _ in range(REPEATS_MAX):
        try:
            await allocator.order(request)
        except Short as error:
            left = {line["line"]: line["atp_now"] for line in error.facts["lines"]}
            return f"{left[CUP]} {left[TEE]}"
        except Unanswered:
            # The rules were changed more often than it follows; nothing was done.
            continue
        return " ".join(skus)
    pytest.fail(f"order {number} is never answered")


async def send_orders(world: World, ordered: asyncio.Event, changed: asyncio.Event) -> Counter[str]:
    """
    All orders, over two processes' worth of allocators that hear of a change by being refused.

    Half of them come after another change, so that however quick they are both rules are met.
    """
    heard: Counter[str] = Counter()
    allocators = [world.another().allocator for _ in range(2)]

    async def sender(place: int, numbers: Iterator[int]) -> None:
        for number in numbers:
            heard[await ask(allocators[place % 2], number)] += 1

    for half in (range(ORDERS // 2), range(ORDERS // 2, ORDERS)):
        changed.clear()
        await changed.wait()
        numbers = iter(half)
        await asyncio.gather(*(sender(place, numbers) for place in range(IN_FLIGHT)))
    ordered.set()
    return heard


async def test_no_order_is_answered_by_half_a_config(world, capsys):
    ordered, changed, started = asyncio.Event(), asyncio.Event(), time.monotonic()

    changes, heard = await asyncio.gather(change_rules(world, ordered, changed), send_orders(world, ordered, changed))

    with capsys.disabled():
        if ORDERS > 600:
            print(f"\n{ORDERS} orders during {changes} changes of rules in {time.monotonic() - started:.1f} s: {heard}")
    assert heard.keys() == {PEN, f"{UNITS} 0", f"0 {UNITS}"}
    assert heard[PEN] == heard.total() - heard[f"{UNITS} 0"] - heard[f"0 {UNITS}"] == ORDERS // 2
    [pen] = await world.allocator.stock([PEN])
    assert pen.places["oslo"].committed == ORDERS // 2
    assert await world.fields() == await world.compiled_whole()
