"""The verb repair: exactly what was inspected becomes what the ledger says, and the ledger tells it."""

import msgspec
import pytest

from allocator import errors
from allocator.balances import apply_change, encode_state
from allocator.gate import Gate
from allocator.ledger import read
from allocator.records import SkuState, decode_state
from allocator.repairs import RecordRepair, Repair, SkuRepair, Stray

from .fixtures import CUP, EPOCH, TEE, assert_sound, atp, dump, hold, order, place, stock
from .raw import call, changed, terms

STOCK, HOLDS, ORDERS, OPS, CONFIG = (f"{{main}}:{word}" for word in ("stock", "holds", "orders", "ops", "config"))
DEADLINES, OWNERS, WAITING, SLOTS = (f"{{main}}:{word}" for word in ("deadlines", "owners", "waiting", "slots"))

pack, unpack = msgspec.msgpack.encode, msgspec.msgpack.decode


@pytest.fixture
async def shop(allocator):
    """Ten cups, two of them held by ann and three ordered, and a backorder of tees."""
    await stock(allocator, oslo=10)
    await allocator.hold(hold("h1", 2, owner="ann"))
    await allocator.order(order("1", 3))
    await allocator.order(order("2", (TEE, 4), channel="amazon"))
    return allocator


async def seen(redis, key: str, field: str) -> bytes:
    return await redis.hget(key, field) or b""


async def broken(redis, units: int = 99) -> tuple[bytes, bytes]:
    """Give the cups other units behind everybody's back: the state as it is now, and as it was."""
    right = await seen(redis, STOCK, CUP)
    row = unpack(right)
    row[3] = units
    await redis.hset(STOCK, CUP, pack(row))
    return pack(row), right


async def repair(allocator, *skus: SkuRepair, records=(), strays=(), op: str = "r1"):
    return await allocator.repair(Repair([*skus], [*records], [*strays]), op=op, why="seen on Monday", actor="cli:ann")


async def test_a_sku_gets_the_units_of_the_ledger_under_its_next_version(shop, redis):
    wrong, right = await broken(redis)

    repaired = await repair(shop, SkuRepair(CUP, wrong, right))

    before, after = decode_state(right), decode_state(await seen(redis, STOCK, CUP))
    assert [(row.sku, row.version) for row in repaired.versions] == [(CUP, before.version + 1)]
    assert (after.version, after.places) == (before.version + 1, before.places)
    await assert_sound(redis)


async def test_the_ledger_tells_who_repaired_what_and_why_and_folds_to_the_state(shop, redis):
    wrong, right = await broken(redis)
    await repair(shop, SkuRepair(CUP, wrong, right))

    ledger = [entry for _, entry in await read(redis, "main", "0-0", 1_000)]

    assert (ledger[-1].verb, ledger[-1].why, ledger[-1].actor) == ("repair", "seen on Monday", "cli:ann")
    folded = SkuState()
    for entry in ledger:
        for change in entry.changes:
            if change.sku == CUP:
                apply_change(folded, change)
    assert encode_state(folded) == await seen(redis, STOCK, CUP)


async def test_what_changed_since_the_inspection_is_left_alone(shop, redis):
    wrong, right = await broken(redis)
    await stock(shop, oslo=1)
    before = await dump(redis)

    with pytest.raises(errors.ChangedMeanwhile) as refused:
        await repair(shop, SkuRepair(CUP, wrong, right))

    assert refused.value.facts == {"what": "sku", "id": CUP}
    after = await dump(redis)
    assert after[STOCK.encode()] == before[STOCK.encode()]
    with pytest.raises(errors.ChangedMeanwhile):
        await repair(shop, SkuRepair(CUP, wrong, right))
    await broken(redis, units=11)  # which is right now


@pytest.mark.parametrize("word", ["hold", "order", "answer", "field"])
async def test_a_record_that_changed_since_the_inspection_is_left_alone(shop, redis, word):
    record = await seen(redis, HOLDS, "h1") if word == "hold" else await seen(redis, ORDERS, "shop:1")
    before = await dump(redis)

    with pytest.raises(errors.ChangedMeanwhile) as refused:
        await repair(shop, records=[RecordRepair(word, "shop:1", b"something else", record)])

    assert refused.value.facts == {"what": word, "id": "shop:1"}
    after = await dump(redis)
    assert {key for key in before if after[key] != before[key]} == {OPS.encode()}


async def test_a_sku_that_is_gone_comes_back(shop, redis):
    right = await seen(redis, STOCK, CUP)
    await redis.hdel(STOCK, CUP)

    await repair(shop, SkuRepair(CUP, b"", right))

    assert decode_state(await seen(redis, STOCK, CUP)).places == decode_state(right).places


async def test_moves_are_booked_on_top(shop, redis):
    state = await seen(redis, STOCK, CUP)
    moves = [
        ("oslo", "on_hand", "", 4),
        ("rome", "unavailable", "lost", 1),
        ("rome", "on_hand", "", 1),
        ("oslo", "quota", "shop", 5),
        ("oslo", "floor", "shop", 2),
        ("", "conflict", "", 1),
    ]

    await repair(shop, SkuRepair(CUP, state, state, moves))

    after = decode_state(await seen(redis, STOCK, CUP))
    assert (after.places["oslo"].on_hand, after.places["rome"].reasons, after.conflict) == (14, {"lost": 1}, 1)
    assert (after.places["oslo"].quotas["shop"].quota, after.places["oslo"].quotas["shop"].floor) == (5, 2)
    [_, entry] = (await read(redis, "main", "0-0", 1_000))[-1]
    assert entry.changes[0].moves == moves
    state = await seen(redis, STOCK, CUP)
    await repair(shop, SkuRepair(CUP, state, state, [("", "conflict", "", -1)]), op="r2")


async def test_units_that_are_promised_and_not_there_become_a_deficit(shop, redis):
    state = await seen(redis, STOCK, CUP)

    await repair(shop, SkuRepair(CUP, state, state, [("oslo", "on_hand", "", -7)]))

    assert (await place(redis, "oslo")).deficit == 2
    await assert_sound(redis)


async def test_a_bucket_below_zero_is_never_written(shop, redis):
    state, before = await seen(redis, STOCK, CUP), await dump(redis)

    with pytest.raises(Exception, match="below zero"):
        await repair(shop, SkuRepair(CUP, state, state, [("oslo", "held", "", -3)]))

    assert await dump(redis) == before


async def test_the_same_repair_twice_is_one(shop, redis):
    wrong, right = await broken(redis)
    first = await repair(shop, SkuRepair(CUP, wrong, right))

    again = await repair(shop, SkuRepair(CUP, wrong, right))

    assert (again.replayed, again.versions) == (True, first.versions)
    with pytest.raises(errors.OpConflict):
        await repair(shop, SkuRepair(CUP, wrong, right, [("oslo", "on_hand", "", 1)]))


async def test_backorders_that_got_units_are_served_afterwards(shop, redis):
    state = await seen(redis, STOCK, TEE)

    await repair(shop, SkuRepair(TEE, state, state, [("oslo", "on_hand", "", 4)]))
    served = await shop.serve()

    assert [(line.order, line.units) for line in served.lines] == [("amazon:2", 4)]


# --- records and indexes ---------------------------------------------------------------------------------------


async def test_a_hold_comes_back_with_its_deadline_and_its_owner(shop, redis):
    right, deadline = await seen(redis, HOLDS, "h1"), await redis.zscore(DEADLINES, "h1")
    await redis.hset(HOLDS, "h1", "garbage")
    await redis.delete(DEADLINES, OWNERS)

    await repair(shop, records=[RecordRepair("hold", "h1", b"garbage", right)])

    assert (await seen(redis, HOLDS, "h1"), await redis.zscore(DEADLINES, "h1")) == (right, deadline)
    assert await redis.hgetall(OWNERS) == {b"shop:ann": b"h1"}
    [_, entry] = (await read(redis, "main", "0-0", 1_000))[-1]
    assert entry.records == {"hold:h1": right}


async def test_a_hold_that_has_ended_has_no_deadline(shop, redis):
    await shop.release("h1")
    ended = await seen(redis, HOLDS, "h1")
    await redis.zadd(DEADLINES, {"h1": 5})

    await repair(shop, records=[RecordRepair("hold", "h1", ended, ended)])

    assert await redis.exists(DEADLINES) == 0


async def test_an_order_comes_back_and_waits_again_for_what_it_still_needs(shop, redis):
    right, queue = await seen(redis, ORDERS, "amazon:2"), await redis.zrange(WAITING, 0, -1)
    await redis.hdel(ORDERS, "amazon:2")
    await redis.delete(WAITING)

    await repair(shop, records=[RecordRepair("order", "amazon:2", b"", right)])

    assert await seen(redis, ORDERS, "amazon:2") == right
    assert await redis.zrange(WAITING, 0, -1) == queue != []
    [_, entry] = (await read(redis, "main", "0-0", 1_000))[-1]
    assert entry.records == {"order:amazon:2": right}


async def test_an_order_that_waits_for_nothing_is_not_in_the_queue(shop, redis):
    await stock(shop, TEE, oslo=4)
    [member] = await redis.zrange(WAITING, 0, -1)
    await shop.serve()
    served = await seen(redis, ORDERS, "amazon:2")
    await redis.zadd(WAITING, {member: 0})

    await repair(shop, records=[RecordRepair("order", "amazon:2", served, served)])

    assert await redis.exists(WAITING) == 0


async def test_an_order_has_its_place_of_a_day_again_and_no_other(shop, redis):
    await call(redis, "order", changed("order", external_id="dated", units="1", terms=terms()))
    [slot] = await redis.zrange(SLOTS, 0, -1)
    dated, stray = await seen(redis, ORDERS, "shop:dated"), slot.replace(b"oslo", b"rome")
    await redis.delete(SLOTS)
    await redis.zadd(SLOTS, {stray: 0})

    repaired = await repair(
        shop, records=[RecordRepair("order", "shop:dated", dated, dated)], strays=[Stray("slots", stray)]
    )

    assert await redis.zrange(SLOTS, 0, -1) == [slot]
    assert repaired.strays == 1


async def test_an_answer_is_remembered_again(shop, redis):
    right = await seen(redis, OPS, "order:shop:1:1")
    await redis.hdel(OPS, "order:shop:1:1")

    await repair(shop, records=[RecordRepair("answer", "order:shop:1:1", b"", right)])

    assert (await shop.order(order("1", 3))).replayed
    assert await atp(shop) == 5


async def test_a_field_of_the_config_is_set_or_goes(shop, redis):
    right = await seen(redis, CONFIG, "ranks")
    await redis.hset(CONFIG, mapping={"ranks": "nonsense", "sku:GHOST": "boo"})
    rows = [RecordRepair("field", "ranks", b"nonsense", right), RecordRepair("field", "sku:GHOST", b"boo", b"")]

    await repair(shop, records=rows)

    assert (await seen(redis, CONFIG, "ranks"), await redis.hexists(CONFIG, "sku:GHOST")) == (right, False)


async def test_strays_go_and_what_a_record_wants_stays(shop, redis):
    [member] = await redis.zrange(WAITING, 0, -1)
    await redis.zadd(DEADLINES, {"nobody": 5})
    await redis.hset(OWNERS, mapping={"shop:bob": "h1", "shop:eve": "nobody"})
    await redis.zadd(WAITING, {member.replace(b"amazon", b"nobody"): 0, member + b"x": 0, b"?": 0})
    named = [
        *(Stray("deadlines", b"h1"), Stray("deadlines", b"nobody")),
        *(Stray("owners", b"shop:ann"), Stray("owners", b"shop:bob"), Stray("owners", b"shop:eve")),
        *(Stray("owners", b"shop:none"), Stray("waiting", member), Stray("waiting", b"?")),
        *(Stray("waiting", member.replace(b"amazon", b"nobody")), Stray("waiting", member + b"x")),
    ]

    repaired = await repair(shop, strays=named)

    assert repaired.strays == 7  # one of them was not there at all
    assert await redis.hgetall(OWNERS) == {b"shop:ann": b"h1"}
    assert (await redis.zrange(DEADLINES, 0, -1), await redis.zrange(WAITING, 0, -1)) == ([b"h1"], [member])


async def test_what_comes_back_in_the_same_step_keeps_its_places(shop, redis):
    hold_, order_ = await seen(redis, HOLDS, "h1"), await seen(redis, ORDERS, "amazon:2")
    [member] = await redis.zrange(WAITING, 0, -1)
    await redis.delete(HOLDS)
    await redis.hdel(ORDERS, "amazon:2")
    records = [RecordRepair("hold", "h1", b"", hold_), RecordRepair("order", "amazon:2", b"", order_)]
    strays = [Stray("deadlines", b"h1"), Stray("owners", b"shop:ann"), Stray("waiting", member)]

    repaired = await repair(shop, records=records, strays=strays)

    assert repaired.strays == 0
    assert await redis.zcard(DEADLINES) == await redis.hlen(OWNERS) == await redis.zcard(WAITING) == 1


async def test_a_place_of_a_day_that_a_record_wants_stays_and_any_other_goes(shop, redis):
    await call(redis, "order", changed("order", external_id="dated", units="1", terms=terms()))
    [slot] = await redis.zrange(SLOTS, 0, -1)
    nobodys = [slot + b"x", slot.replace(b"oslo", b"rome"), slot.replace(b"shop:dated", b"shop:1"), b"?"]
    await redis.zadd(SLOTS, dict.fromkeys(nobodys, 0))

    repaired = await repair(shop, strays=[Stray("slots", member) for member in [slot, *nobodys]])

    assert (repaired.strays, await redis.zrange(SLOTS, 0, -1)) == (4, [slot])


async def test_an_order_that_was_promised_no_day_gives_the_place_back_that_it_had_by_mistake(shop, redis):
    await call(redis, "order", changed("order", external_id="dated", units="1", terms=terms()))
    dated = await seen(redis, ORDERS, "shop:dated")
    plain = pack(unpack(dated)[:10])

    await repair(shop, records=[RecordRepair("order", "shop:dated", dated, plain)])

    assert (await seen(redis, ORDERS, "shop:dated"), await redis.exists(SLOTS)) == (plain, 0)


# --- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"bucket": "deficit"},
        {"bucket": "on_hand"},
        {"bucket": "quota", "of": ""},
        {"bucket": "backordered", "of": ""},
        {"bucket": "held", "of": "", "location": ""},
        {"state": pack({})},
        {"state": pack([1])},
        {"state": b"\xc1"},
        {"kind": "hold", "record": "garbage"},
        {"kind": "order", "record": ""},
        {"kind": "answer", "record": ""},
    ],
    ids=str,
)
async def test_nonsense_is_refused_and_not_remembered(shop, redis, values):
    before = await dump(redis)

    word, _ = await call(redis, "repair", changed("repair", **values))

    assert word == "invalid"
    assert await dump(redis) == before


async def test_the_same_thing_twice_is_nonsense(shop, redis):
    state, record = await seen(redis, STOCK, CUP), await seen(redis, HOLDS, "h1")

    with pytest.raises(errors.Invalid, match="twice"):
        await repair(shop, SkuRepair(CUP, state, state), SkuRepair(CUP, state, state))
    with pytest.raises(errors.Invalid, match="twice"):
        await repair(shop, records=[RecordRepair("hold", "h1", record, record)] * 2)


async def test_repairs_pass_a_gate_that_is_shut_and_a_sku_that_is_frozen(shop, redis):
    wrong, right = await broken(redis)
    gate = Gate(redis, "main", EPOCH)
    await gate.freeze(CUP, "looks odd")
    await gate.shut("this run", "somebody looks into it")

    await repair(shop, SkuRepair(CUP, wrong, right))

    assert (await place(redis, "oslo")).on_hand == 10
    assert await gate.frozen() == {CUP: "looks odd"}


async def test_another_data_set_is_not_repaired(shop, redis):
    wrong, right = await broken(redis)
    shop.epoch = "somebody-else-1"

    with pytest.raises(errors.NotReady):
        await repair(shop, SkuRepair(CUP, wrong, right))
    assert await seen(redis, STOCK, CUP) == wrong
    await redis.hset(STOCK, CUP, right)
