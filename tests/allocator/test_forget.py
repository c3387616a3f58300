"""What has left the store for SQL: every later answer is the one it would have been."""

import msgspec
import pytest

from allocator import ArrivedLine, CancelLine, Pipe, ReturnLine, SentLine, StockLine
from allocator.check import check
from allocator.errors import (
    HistoryAway,
    HoldEnded,
    Invalid,
    NotCommitted,
    NotReady,
    OpConflict,
    Short,
    Unanswered,
    UnknownHold,
    UnknownOrder,
)
from allocator.records import Kept

from . import raw
from .attic import Attic, forget
from .fixtures import CUP, MINUTE, NOW, dump, hold, ledger_length, new_allocator, order, stock

KEYS = {"answer": "{main}:ops", "hold": "{main}:holds", "order": "{main}:orders"}


@pytest.fixture
def attic(redis):
    return Attic(redis)


@pytest.fixture
async def shop(allocator, redis, attic):
    """The shop with cups in Oslo, and a history."""
    await stock(allocator, oslo=20)
    return await new_allocator(redis, history=attic)


class Contested(Pipe):
    """Another walk, which lets what was recalled leave again at once, so many times."""

    def __init__(self, redis, attic, other, times):
        super().__init__(redis)
        self.attic, self.other, self.times = attic, other, times

    async def run(self, script, keys, arguments):
        reply = await super().run(script, keys, arguments)
        if script.name == "recall" and self.times:
            self.times -= 1
            await self.attic.clear_out(self.other)
        return reply


async def left(redis, kind: str, id: str) -> bool:
    return not await redis.hexists(KEYS[kind], id)


async def mistake(redis, shop, *ops: str) -> None:
    """Let the filter say yes of ops that never were."""
    for op in ops:
        await redis.hset(KEYS["answer"], op, b"nothing")
    await forget(shop, [Kept("answer", op, b"nothing") for op in ops])


# --- ops -------------------------------------------------------------------------------------------------------


async def test_an_order_sent_again_after_its_answer_left_is_answered_as_the_first_time(shop, redis, attic):
    first = await shop.order(order("1", 5))
    await attic.clear_out(shop)
    entries = await ledger_length(redis)

    again = await shop.order(order("1", 5))

    assert again == msgspec.structs.replace(first, replayed=True)
    assert await left(redis, "answer", "order:shop:1:1")
    assert await ledger_length(redis) == entries


async def test_every_kind_of_op_is_answered_as_the_first_time(shop, attic):
    calls = [
        lambda: shop.receive([StockLine(CUP, "rome", 2)], op="r"),
        lambda: shop.hold(hold("h", 1)),
        lambda: shop.extend("h", 2 * MINUTE, op="e"),
        lambda: shop.release("h"),
        lambda: shop.order(order("1", 3)),
        lambda: shop.pick("shop", "1", op="p"),
        lambda: shop.ship("shop", "1", op="s"),
        lambda: shop.set_quota(CUP, "oslo", "amazon", 2, op="q"),
        lambda: shop.transfer_out("T1", "oslo", "rome", [SentLine(CUP, 2)]),
        lambda: shop.transfer_in("T1", "rome", [ArrivedLine(CUP, 1)], op="t"),
    ]
    first = [await call() for call in calls]
    removed = await attic.clear_out(shop)

    again = [await call() for call in calls]

    assert removed > len(calls)
    assert again == [msgspec.structs.replace(answer, replayed=True) for answer in first]


async def test_the_only_op_that_left_is_answered_as_the_first_time(shop, attic):
    first = await shop.receive([StockLine(CUP, "oslo", 1)], op="only")
    await forget(shop, [row for row in await attic.fill() if row.id == "receive:only"])

    again = await shop.receive([StockLine(CUP, "oslo", 1)], op="only")

    assert (again.replayed, again.versions) == (True, first.versions)


async def test_a_repair_that_left_is_asked_for(shop, redis, attic):
    head = [*raw.right("repair")[:7], "0", "0", "0"]
    assert await raw.call(redis, "repair", head) == ("repaired", [[], 0])
    await forget(shop, [row for row in await attic.fill() if row.id == "raw"])

    assert await raw.call(redis, "repair", head) == ("ask_history", ["op", "raw"])


async def test_an_orders_place_of_a_day_leaves_and_comes_back_with_it(shop, redis, attic):
    await raw.call(redis, "order", raw.changed("order", external_id="dated", units="1", terms=raw.terms()))
    await shop.ship("shop", "dated", op="s")
    place = await redis.zrange("{main}:slots", 0, -1)
    await attic.clear_out(shop)
    away = await redis.zrange("{main}:slots", 0, -1)

    back = [ReturnLine(line="1", location="oslo", units=1, disposition="restock")]
    await shop.return_units(back, order=("shop", "dated"), op="b")

    assert (len(place), away) == (1, [])
    assert await redis.zrange("{main}:slots", 0, -1) == place


async def test_a_no_that_left_stays_a_no(shop, attic):
    with pytest.raises(Short):
        await shop.order(order("1", 50))
    await attic.clear_out(shop)
    await stock(shop, rome=90)

    with pytest.raises(Short) as again:
        await shop.order(order("1", 50))

    assert again.value.replayed
    assert again.value.facts["lines"][0]["atp_now"] == 20


async def test_another_request_under_an_op_that_left_is_a_conflict(shop, attic):
    await shop.order(order("1", 5))
    await shop.hold(hold("h", 1))
    await attic.clear_out(shop)

    for call in (lambda: shop.order(order("1", 6)), lambda: shop.hold(hold("h", 2))):
        with pytest.raises(OpConflict) as refused:
            await call()
        assert refused.value.replayed


@pytest.mark.parametrize("closed", [False, True], ids=["open", "shipped"])
async def test_another_attempt_of_an_accepted_order_hears_the_acceptance(shop, attic, redis, closed):
    first = await shop.order(order("1", 5))
    if closed:
        await shop.ship("shop", "1", op="s")
    await attic.clear_out(shop)

    again = await shop.order(order("1", 5, attempt=2))
    with pytest.raises(OpConflict) as other:
        await shop.order(order("1", 6, attempt=3))

    assert again == msgspec.structs.replace(first, replayed=True)
    assert other.value.facts == {"op": "order:shop:1:1"}
    assert await left(redis, "order", "shop:1") == closed


async def test_the_next_attempt_after_a_no_that_left_is_decided(shop, attic):
    with pytest.raises(Short):
        await shop.order(order("1", 50))
    await attic.clear_out(shop)
    await stock(shop, rome=90)

    placed = await shop.order(order("1", 50, attempt=2))

    assert (placed.state, placed.replayed) == ("committed", False)


async def test_an_op_the_filter_is_wrong_about_has_its_effect_once(shop, redis, attic):
    await mistake(redis, shop, "receive:r", "order:shop:1:1", "hold:h")
    calls = [
        lambda: shop.receive([StockLine(CUP, "rome", 3)], op="r"),
        lambda: shop.order(order("1", 5)),
        lambda: shop.hold(hold("h", 1)),
    ]

    first = [await call() for call in calls]
    again = [await call() for call in calls]

    assert [answer.replayed for answer in first] == [False] * 3
    assert again == [msgspec.structs.replace(answer, replayed=True) for answer in first]
    assert {("answer", "receive:r"), ("order", "shop:1"), ("hold", "h")} < set(attic.asked)


async def test_a_new_op_asks_nobody(shop, attic):
    await attic.clear_out(shop)

    await shop.order(order("new", 1))
    await shop.ship("shop", "new", op="s")

    assert attic.asked == []


# --- orders and holds ------------------------------------------------------------------------------------------


async def test_goods_come_back_for_an_order_that_left(shop, redis, attic):
    await shop.order(order("1", 5))
    await shop.ship("shop", "1", op="s")
    await attic.clear_out(shop)
    goods = [ReturnLine(line="1", location="oslo", units=2, disposition="restock")]

    back = await shop.return_units(goods, order=("shop", "1"), op="b")

    assert (back.state, back.lines[0].returned, back.replayed) == ("shipped", 2, False)
    assert not await left(redis, "order", "shop:1")


async def test_what_an_order_that_left_refuses_is_refused(shop, attic):
    await shop.order(order("1", 5))
    await shop.ship("shop", "1", op="s")
    await attic.clear_out(shop)

    for call in (shop.pick("shop", "1", op="p"), shop.cancel("shop", "1", [CancelLine("1", 1)], op="c")):
        with pytest.raises(NotCommitted):
            await call


async def test_a_hold_that_left_still_says_how_it_ended(shop, redis, attic):
    await shop.hold(hold("h", 5))
    await shop.release("h")
    await attic.clear_out(shop)

    with pytest.raises(HoldEnded) as extended:
        await shop.extend("h", MINUTE, op="e")
    await attic.clear_out(shop)
    placed = await shop.order(order("1", 2, hold="h"))
    preview = await shop.order(order("2", 2, hold="h"), preview=True)
    with pytest.raises(HoldEnded):
        await shop.release("h", op="again")

    assert extended.value.facts == {"hold": "h", "state": "released"}
    assert (placed.hold, preview.hold) == ("released", "released")


async def test_a_pending_order_that_left_still_says_how_it_ended(shop, redis, attic):
    kept, away = "pending:shop:1:1", msgspec.msgpack.encode(["shop", "", "expired", NOW, []])
    attic.kept["hold", kept] = away
    await mistake(redis, shop, f"hold:{kept}")
    head = raw.changed("order", external_id="1", units="1", pending=kept)

    asked = await raw.call(redis, "order", head)

    assert asked == ("ask_history", ["hold", kept])


async def test_a_hold_that_left_is_not_released_again(shop, redis, attic):
    await shop.hold(hold("h", 5))
    await shop.release("h")
    await attic.clear_out(shop)
    assert await left(redis, "hold", "h")

    with pytest.raises(HoldEnded) as refused:
        await shop.release("h", op="again")

    assert refused.value.facts == {"hold": "h", "state": "released"}


async def test_orders_holds_and_answers_that_left_are_found(shop, attic):
    await shop.hold(hold("h", 5))
    await shop.release("h")
    await shop.order(order("1", 5))
    await shop.ship("shop", "1", op="s")
    before = [await shop.find_hold("h"), await shop.find_order("shop", "1"), await shop.find_answer("shop", "1")]
    await attic.clear_out(shop)

    after = [await shop.find_hold("h"), await shop.find_order("shop", "1"), await shop.find_answer("shop", "1")]

    assert after == before


async def test_what_never_was_is_unknown_even_when_the_filter_is_wrong(shop, redis):
    await mistake(redis, shop, "hold:h", "order:shop:1:1")

    for error, call in (
        (UnknownHold, shop.find_hold("h")),
        (UnknownHold, shop.extend("h", MINUTE, op="e")),
        (UnknownHold, shop.release("h")),
        (UnknownOrder, shop.find_order("shop", "1")),
        (UnknownOrder, shop.find_answer("shop", "1")),
        (UnknownOrder, shop.ship("shop", "1", op="s")),
    ):
        with pytest.raises(error):
            await call
    assert (await shop.order(order("2", 1, hold="h"))).hold == "unknown"


async def test_an_order_that_leaves_again_at_once_is_fetched_again(shop, redis, attic):
    await shop.order(order("1", 5))
    await shop.ship("shop", "1", op="s")
    await attic.clear_out(shop)
    pipe = Contested(redis, attic, shop, times=2)
    contested = await new_allocator(redis, pipe=pipe, history=attic)

    with pytest.raises(NotCommitted):
        await contested.cancel("shop", "1", op="c")

    assert pipe.times == 0


async def test_a_call_whose_order_always_leaves_ends_and_nothing_is_done(shop, redis, attic):
    await shop.order(order("1", 5))
    await shop.ship("shop", "1", op="s")
    await attic.clear_out(shop)
    contested = await new_allocator(redis, pipe=Contested(redis, attic, shop, times=99), history=attic)
    before = await dump(redis)

    with pytest.raises(Unanswered):
        await contested.cancel("shop", "1", op="c")

    assert await dump(redis) == before


# --- what may leave --------------------------------------------------------------------------------------------


async def test_what_is_not_over_stays(shop, redis, attic):
    await shop.hold(hold("h", 5))
    await shop.order(order("1", 5))
    await shop.order(order("2", 50, channel="amazon"))
    await shop.pick("shop", "1", op="p")

    await attic.clear_out(shop)

    assert (await redis.hlen(KEYS["hold"]), await redis.hlen(KEYS["order"])) == (1, 2)
    assert await redis.hlen(KEYS["answer"]) == 0


async def test_orders_that_were_shipped_returned_or_cancelled_leave(shop, redis, attic):
    for id in ("shipped", "returned", "cancelled"):
        await shop.order(order(id, 1))
    await shop.cancel("shop", "cancelled", op="c")
    for id in ("shipped", "returned"):
        await shop.ship("shop", id, op=f"s-{id}")
    goods = [ReturnLine(line="1", location="oslo", units=1, disposition="scrap")]
    await shop.return_units(goods, order=("shop", "returned"), op="b")

    await attic.clear_out(shop)

    assert await redis.hlen(KEYS["order"]) == 0


async def test_holds_leave_however_they_ended(shop, redis, attic):
    for number in range(2):
        await shop.hold(hold(f"ann-{number}", 1, owner="ann"))
    await shop.order(order("1", 1, hold="ann-1"))
    await shop.hold(hold("released", 1))
    await shop.release("released")
    assert {(await shop.find_hold(id)).state for id in ("ann-0", "ann-1")} == {"replaced", "ordered"}

    await attic.clear_out(shop)

    assert await redis.hlen(KEYS["hold"]) == 0


async def test_what_was_changed_meanwhile_stays(shop, redis, attic):
    await shop.order(order("1", 5))
    await shop.ship("shop", "1", op="s")
    seen = [row for row in await attic.fill() if row.kind == "order"]
    goods = [ReturnLine(line="1", location="oslo", units=2, disposition="scrap")]
    await shop.return_units(goods, order=("shop", "1"), op="b")

    removed = await forget(shop, seen)

    assert removed == 0
    assert (await shop.find_order("shop", "1")).lines[0].returned == 2


async def test_what_leaves_twice_is_counted_once(shop, redis, attic):
    await shop.order(order("1", 5))
    await shop.ship("shop", "1", op="s")
    await attic.clear_out(shop)
    names = int(await redis.hget("{main}:seller", "forgotten"))

    with pytest.raises(NotCommitted):
        await shop.cancel("shop", "1", op="c")
    removed = await attic.clear_out(shop, lambda row: row.kind == "order")

    # Config, delivery, parcel; and one name for the order and all its attempts.
    assert names == 4
    assert removed == 1
    assert int(await redis.hget("{main}:seller", "forgotten")) == names


async def test_leaving_is_no_effect_and_the_books_are_true(shop, redis, attic):
    await shop.order(order("1", 5))
    await shop.hold(hold("h", 5))
    await shop.order(order("2", 5, hold="h"))
    before = await redis.xlen("{main}:ledger"), await redis.hgetall("{main}:stock")

    await attic.clear_out(shop)

    assert (await redis.xlen("{main}:ledger"), await redis.hgetall("{main}:stock")) == before
    assert (await check(redis, "main")).violations == []


# --- nobody to ask ---------------------------------------------------------------------------------------------


class Away(Attic):
    """A history that cannot be asked."""

    async def answer(self, op):
        raise HistoryAway

    async def record(self, kind, id):
        raise HistoryAway


@pytest.mark.parametrize("away", [True, False], ids=["away", "nobody"])
async def test_without_anybody_to_ask_nothing_is_done(shop, redis, attic, away):
    await shop.order(order("1", 5))
    await shop.ship("shop", "1", op="s")
    await attic.clear_out(shop)
    alone = await new_allocator(redis, history=Away(redis) if away else None)
    before = await dump(redis)

    for call in (alone.order(order("1", 5)), alone.find_order("shop", "1"), alone.cancel("shop", "1", op="c")):
        with pytest.raises(HistoryAway):
            await call

    assert await dump(redis) == before


async def test_without_anybody_to_ask_new_orders_go_on(shop, redis, attic):
    await shop.order(order("1", 5))
    await attic.clear_out(shop)
    alone = await new_allocator(redis, history=Away(redis))

    placed = await alone.order(order("new", 1))

    assert placed.state == "committed"


# --- recall ----------------------------------------------------------------------------------------------------


async def test_only_what_has_ended_and_is_not_there_comes_back(redis, shop, attic):
    await shop.hold(hold("h", 1))
    await shop.order(order("1", 5))
    [packed_order] = [row.packed for row in await attic.fill() if row.kind == "order"]
    [packed_hold] = [row.packed for row in await attic.fill() if row.kind == "hold"]
    await shop.release("h")
    head = [shop.epoch, "", str(NOW)]

    answers = [
        await raw.call(redis, "recall", [*head, "order", "shop:2", packed_order]),
        await raw.call(redis, "recall", [*head, "hold", "other", packed_hold]),
        await raw.call(redis, "recall", [*head, "hold", "h", raw.ENDED_HOLD]),
        await raw.call(redis, "recall", [*head, "hold", "other", raw.ENDED_HOLD]),
    ]

    assert [word for word, _ in answers] == ["invalid", "invalid", "recalled", "recalled"]
    assert [facts for _, facts in answers[2:]] == [[0], [1]]


@pytest.mark.parametrize("kind", ["order", "hold"])
@pytest.mark.parametrize("record", [b"\xc1", b"", b"\x90", b"\x01", b"no record"])
async def test_what_is_no_record_at_all_does_not_come_back(redis, shop, kind, record):
    word, facts = await raw.call(redis, "recall", [shop.epoch, "", str(NOW), kind, "shop:2", record])

    assert (word, facts) == ("invalid", ["record is not that of an ended hold or a closed order"])


async def test_an_order_comes_back_with_its_places_of_days(redis, shop):
    await raw.call(redis, "order", raw.changed("order", external_id="dated", units="1", terms=raw.terms()))
    await shop.ship("shop", "dated", op="s1")
    packed, places = await redis.hget(KEYS["order"], "shop:dated"), await redis.zrange("{main}:slots", 0, -1)
    await redis.hdel(KEYS["order"], "shop:dated")
    await redis.delete("{main}:slots")

    head = [shop.epoch, "", str(NOW)]
    recalled = await raw.call(redis, "recall", [*head, "order", "shop:dated", packed])

    assert (recalled, len(places)) == (("recalled", [1]), 1)
    assert await redis.zrange("{main}:slots", 0, -1) == places


async def test_a_call_of_more_records_than_it_may_name_is_nonsense(shop):
    with pytest.raises(Invalid):
        await forget(shop, [Kept("answer", f"receive:{number}", b"x") for number in range(101)])


async def test_another_process_without_the_same_epoch_forgets_nothing(redis, shop, attic):
    rows = await attic.fill()
    stranger = await new_allocator(redis)
    stranger.epoch = "another"

    with pytest.raises(NotReady):
        await forget(stranger, rows)
    assert await redis.hlen(KEYS["answer"]) > 0
