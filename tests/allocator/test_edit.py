"""An order that is edited has other units, other lines or another way from then on, or stays exactly as it was."""

import msgspec
import pytest

from allocator import CancelLine, EditLine, EditRequest, Rule, ShipTo
from allocator.answers import unpack
from allocator.errors import (
    HasLeft,
    Invalid,
    NotCommitted,
    OtherSku,
    PickStarted,
    Short,
    UnknownChannel,
    UnknownOrder,
    UnknownSku,
    Unroutable,
)
from allocator.records import decode_entry, decode_order

from .fixtures import (
    CONFIG,
    CUP,
    MUG,
    TEE,
    assert_sound,
    atp,
    buckets,
    order,
    place,
    quota,
    sold_at_the_till,
    sources,
    state,
    stock,
    units_at,
    with_channel,
    with_rules,
)
from .raw import call, changed


def wish(*lines: tuple[str, str, int], **told: object) -> EditRequest:
    """An edit of these lines: name, sku, units in all."""
    return EditRequest(lines=[EditLine(*line) for line in lines], **told)


def cups(units: int, **told: object) -> EditRequest:
    """So many cups in all on line 1."""
    return wish(("1", CUP, units), **told)


VIA_ROME = {"ship_to": ShipTo(), "prefer": ["rome"]}


# --- more


async def test_more_units_of_a_promise_are_taken_in_the_same_step(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 2))

    edited = await allocator.edit("shop", "1", cups(5), op="r1")

    assert (edited.state, edited.lines[0].ordered, units_at(edited)) == ("committed", 5, {"oslo": 5})
    assert (await buckets(redis, "oslo"), await atp(allocator)) == ((5, 0, 5), 0)


async def test_more_than_may_be_promised_changes_nothing_of_the_order(allocator, redis):
    await stock(allocator, oslo=5)
    await stock(allocator, TEE, oslo=5)
    await allocator.order(order("1", 2, (TEE, 4)))
    before = await redis.hget("{main}:orders", "shop:1")

    with pytest.raises(Short) as refused:
        await allocator.edit("shop", "1", wish(("1", CUP, 6), ("2", TEE, 1)), op="r1")

    assert refused.value.facts == {"lines": [{"line": "1", "sku": CUP, "units": 4, "atp_now": 3}]}
    assert await redis.hget("{main}:orders", "shop:1") == before
    assert (await buckets(redis, "oslo"), await buckets(redis, "oslo", TEE)) == ((5, 0, 2), (5, 0, 4))


async def test_a_partial_edit_orders_no_more_than_there_is(allocator):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 2))

    edited = await allocator.edit("shop", "1", cups(9, partial=True), op="r1")

    assert (edited.lines[0].ordered, edited.lines[0].committed, edited.lines[0].cancelled) == (5, 5, 0)


async def test_a_new_line_that_gets_nothing_is_no_line(allocator):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 2))

    edited = await allocator.edit("shop", "1", wish(("1", CUP, 3), ("new", TEE, 1), partial=True), op="r1")

    assert [(line.line, line.ordered) for line in edited.lines] == [("1", 3)]


async def test_units_at_places_that_may_not_be_combined_are_told(allocator):
    await allocator.configure_all(with_channel(CONFIG, "shop", split_limit=1))
    await stock(allocator, oslo=2, rome=5)
    await allocator.order(order("1", 2, prefer=["oslo"]))

    with pytest.raises(Unroutable) as refused:
        await allocator.edit("shop", "1", cups(3), op="r1")

    assert refused.value.facts["lines"] == [{"line": "1", "sku": CUP, "units": 1, "atp_now": 5}]
    assert refused.value.facts["split_limit"] == 1


async def test_what_the_order_uses_already_costs_no_further_parcel(allocator):
    await stock(allocator, oslo=2)
    await allocator.order(order("1", 2))
    await stock(allocator, oslo=1, rome=9)
    await allocator.order(order("2", 9, prefer=["rome"]))
    await stock(allocator, rome=1)

    edited = await allocator.edit("shop", "2", cups(10), op="r1")

    assert units_at(edited) == {"rome": 10}


async def test_more_of_a_firm_order_than_there_is_waits_and_is_served(allocator, redis):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 2, channel="amazon"))

    edited = await allocator.edit("amazon", "1", cups(6), op="r1")
    owed = (await state(redis)).backordered
    await stock(allocator, rome=5)
    served = await allocator.serve()

    assert (edited.state, edited.lines[0].committed, edited.lines[0].backordered, owed) == ("backordered", 3, 3, 3)
    assert [line.units for line in served.lines] == [3]
    await assert_sound(redis)


async def test_more_of_a_firm_order_leaves_units_that_others_wait_for_though_they_are_fenced(allocator):
    await stock(allocator, oslo=1)
    await allocator.order(order("1", 1, channel="amazon"))
    await allocator.order(order("owed", 3, channel="amazon"))
    await stock(allocator, oslo=3)
    await quota(allocator, "oslo", "shop", 3)

    edited = await allocator.edit("amazon", "1", cups(2), op="r1")

    assert (edited.lines[0].committed, edited.lines[0].backordered) == (1, 1)


async def test_goods_that_had_left_cannot_become_more(allocator):
    await stock(allocator, bergen=5)
    await sold_at_the_till(allocator, "T1", 2)

    with pytest.raises(HasLeft) as refused:
        await allocator.edit("till", "T1", cups(3), op="r1")

    assert refused.value.facts == {"order": "till:T1"}


async def test_an_order_of_which_nothing_was_left_lives_again(allocator):
    await stock(allocator, oslo=5)
    await allocator.order(order("cancelled", 2))
    await allocator.order(order("shipped", 1))
    await allocator.cancel("shop", "cancelled", op="c1")
    await allocator.ship("shop", "shipped", op="s1")

    again = await allocator.edit("shop", "cancelled", cups(1), op="r1")
    more = await allocator.edit("shop", "shipped", cups(3), op="r1")

    assert [(line.ordered, line.cancelled, line.committed) for line in again.lines] == [(3, 2, 1)]
    assert (again.state, more.state, more.lines[0].shipped, more.lines[0].committed) == (
        "committed",
        "partly_shipped",
        1,
        2,
    )


# --- fewer


async def test_fewer_units_are_free_again_the_last_taken_first(allocator, redis):
    await stock(allocator, oslo=2, rome=2)
    await allocator.order(order("1", 4))

    edited = await allocator.edit("shop", "1", cups(1), op="r1")

    assert (units_at(edited), edited.lines[0].ordered, edited.lines[0].cancelled) == ({"oslo": 1}, 4, 3)
    assert await atp(allocator) == 3


async def test_what_waits_for_a_shelf_goes_first(allocator, redis):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 5, channel="amazon"))

    edited = await allocator.edit("amazon", "1", cups(3), op="r1")

    assert (edited.lines[0].backordered, edited.lines[0].committed) == (0, 3)
    assert await redis.zcard("{main}:waiting") == 0


async def test_none_at_all_of_a_line_is_a_line_that_is_cancelled(allocator):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3))

    edited = await allocator.edit("shop", "1", cups(0), op="r1")

    assert (edited.state, edited.lines[0].cancelled) == ("cancelled", 3)


async def test_no_fewer_are_left_than_are_being_picked_or_were_shipped(allocator, redis):
    await stock(allocator, oslo=4)
    await allocator.order(order("picked", 2))
    await allocator.order(order("shipped", 2))
    await allocator.pick("shop", "picked", op="p1")
    await allocator.ship("shop", "shipped", op="s1")

    with pytest.raises(PickStarted) as picked:
        await allocator.edit("shop", "picked", cups(1), op="r1")
    with pytest.raises(NotCommitted) as shipped:
        await allocator.edit("shop", "shipped", cups(1), op="r1")

    assert picked.value.facts == {"line": "1", "units": 2}
    assert shipped.value.facts == {"line": "1", "location": "", "units": 0}


# --- lines


async def test_what_one_line_lets_go_another_line_may_have(allocator):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3))
    await allocator.order(order("owed", 5, channel="amazon"))

    edited = await allocator.edit("shop", "1", wish(("1", CUP, 1), ("gift", CUP, 2)), op="r1")

    assert [(line.line, line.ordered, line.committed) for line in edited.lines] == [("1", 3, 1), ("gift", 2, 2)]


async def test_lines_that_are_not_named_stay_as_they_are(allocator):
    await stock(allocator, oslo=5)
    await stock(allocator, TEE, oslo=5)
    placed = await allocator.order(order("1", 2, (TEE, 2)))

    edited = await allocator.edit("shop", "1", wish(("2", TEE, 4), ("3", MUG, 0)), op="r1")

    assert edited.lines[0] == placed.lines[0]
    assert [line.ordered for line in edited.lines] == [2, 4]


async def test_a_line_is_of_one_sku_for_ever(allocator):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 2))

    with pytest.raises(OtherSku) as refused:
        await allocator.edit("shop", "1", wish(("1", TEE, 2)), op="r1")

    assert refused.value.facts == {"line": "1", "sku": CUP}


async def test_names_nobody_knows_are_refused(allocator):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 2))

    with pytest.raises(UnknownOrder):
        await allocator.edit("shop", "9", cups(1), op="r1")
    with pytest.raises(UnknownSku) as refused:
        await allocator.edit("shop", "1", wish(("new", "POT", 1)), op="r1")

    assert refused.value.facts == {"skus": ["POT"]}


async def test_an_order_has_no_more_lines_than_any_order(allocator, redis):
    await allocator.order(order("1", *[1] * 1_500, channel="amazon"))

    with pytest.raises(Invalid, match=r"^an order has at most 1500 lines$"):
        await allocator.edit("amazon", "1", wish(("new", CUP, 1)), op="r1")

    edited = await allocator.edit("amazon", "1", wish(("7", CUP, 2)), op="r1")
    assert (len(edited.lines), edited.lines[6].ordered) == (1_500, 2)


async def test_an_edit_of_nothing_is_none(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 2))

    with pytest.raises(Invalid, match=r"^lines are none, and nothing else is to change"):
        await allocator.edit("shop", "1", EditRequest(), op="r1")
    with pytest.raises(Invalid, match="ship-to"):
        await allocator.edit("shop", "1", cups(3, prefer=["rome"]), op="r1")
    arguments = changed("edit", candidates="", relaxed="")
    assert (await call(redis, "edit", [*arguments[:-4], "2", *arguments[-3:], *arguments[-3:]]))[1] == [
        "line is named twice"
    ]


# --- another way


async def test_what_no_pick_has_started_for_is_taken_anew(allocator, redis):
    await stock(allocator, oslo=4)
    await allocator.order(order("1", 3))
    await stock(allocator, rome=9)

    edited = await allocator.edit("shop", "1", EditRequest(**VIA_ROME, replan=True), op="r1")

    assert units_at(edited) == {"rome": 3}
    assert (await buckets(redis, "oslo"), await buckets(redis, "rome")) == ((4, 0, 0), (9, 0, 3))


async def test_what_is_being_picked_or_was_shipped_stays(allocator):
    await stock(allocator, oslo=2, rome=1, bergen=3)
    await allocator.order(order("1", 6))
    await allocator.pick("shop", "1", location="oslo", op="p1")
    await stock(allocator, rome=9)

    edited = await allocator.edit("shop", "1", EditRequest(**VIA_ROME, replan=True), op="r1")

    assert units_at(edited) == {"oslo": 2, "rome": 4}


async def test_backorders_follow_the_new_address(allocator):
    await allocator.order(order("1", 2, channel="amazon"))

    await allocator.edit("amazon", "1", EditRequest(**VIA_ROME), op="r1")
    await stock(allocator, oslo=2, rome=2)
    await allocator.serve()

    assert units_at(await allocator.find_order("amazon", "1")) == {"rome": 2}


async def test_without_an_address_the_order_keeps_its_way(allocator):
    await stock(allocator, rome=1)
    await allocator.order(order("1", 1, prefer=["rome"]))
    await stock(allocator, oslo=9, rome=9)

    edited = await allocator.edit("shop", "1", cups(3, replan=True), op="r1")

    assert units_at(edited) == {"rome": 3}


@pytest.mark.parametrize("channel", ["shop", "amazon"])
async def test_what_the_order_had_it_may_have_again_whatever_is_owed_by_now(allocator, redis, channel):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3, channel=channel))
    await allocator.order(order("owed", 9, channel="amazon"))
    await allocator.configure_all(with_rules(Rule(kind="buffer", units=2)))

    edited = await allocator.edit(channel, "1", EditRequest(replan=True), op="r1")

    assert (edited.state, units_at(edited)) == ("committed", {"oslo": 3})
    assert (await state(redis)).backordered == 9


async def test_units_that_are_missing_are_no_units_to_be_had_again(allocator, redis):
    await stock(allocator, bergen=3)
    await allocator.order(order("1", 3))
    await allocator.order(order("2", 3, channel="amazon"))
    await sold_at_the_till(allocator, "T1", 3)
    await stock(allocator, oslo=2)

    with pytest.raises(Short) as refused:
        await allocator.edit("shop", "1", EditRequest(replan=True), op="r1")

    assert refused.value.facts["lines"] == [{"line": "1", "sku": CUP, "units": 3, "atp_now": 0}]


async def test_a_partial_promise_lets_go_of_what_it_cannot_have_on_its_new_way(allocator, redis):
    await stock(allocator, oslo=2, rome=2)
    await allocator.order(order("1", 4))
    await allocator.configure_all(with_channel(CONFIG, "shop", split_limit=1))

    edited = await allocator.edit("shop", "1", cups(5, replan=True, partial=True), op="r1")

    [line] = edited.lines
    assert (line.ordered, line.committed, line.cancelled) == (4, 2, 2)
    await assert_sound(redis)


async def test_a_quota_lends_to_the_new_way_what_the_old_one_gave_back(allocator, redis):
    await stock(allocator, oslo=2)
    await quota(allocator, "oslo", "shop", 2)
    await allocator.order(order("1", 2))
    await stock(allocator, rome=5)
    await quota(allocator, "rome", "shop", 1)

    edited = await allocator.edit("shop", "1", EditRequest(**VIA_ROME, replan=True), op="r1")

    assert sources(edited) == [("own", 1, "shop"), ("shared", 1, "")]
    assert (await place(redis, "oslo")).quotas["shop"].consumed == 0


async def test_an_order_whose_channel_is_gone_can_only_have_less(allocator):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))
    others = [channel for channel in CONFIG.channels if channel.code != "shop"]
    await allocator.configure_all(msgspec.structs.replace(CONFIG, channels=others))

    with pytest.raises(UnknownChannel):
        await allocator.edit("shop", "1", cups(4), op="r1")
    less = await allocator.edit("shop", "1", cups(1), op="r2")

    assert less.lines[0].committed == 1


async def test_goods_that_had_left_have_no_other_way_whoever_asks_for_it(allocator):
    await stock(allocator, bergen=5)
    await sold_at_the_till(allocator, "T1", 2)
    others = [channel for channel in CONFIG.channels if channel.code != "till"]
    await allocator.configure_all(msgspec.structs.replace(CONFIG, channels=others))

    edited = await allocator.edit("till", "T1", EditRequest(replan=True), op="r1")

    assert (edited.state, edited.lines[0].shipped) == ("shipped", 2)


# --- one op


async def test_an_edit_that_comes_twice_is_one(allocator):
    await stock(allocator, oslo=9)
    await allocator.order(order("1", 2))
    first = await allocator.edit("shop", "1", cups(3), op="r1")
    await allocator.cancel("shop", "1", [CancelLine("1", 1)], op="c1")

    again = await allocator.edit("shop", "1", cups(3), op="r1")

    assert (again.replayed, again.lines) == (True, first.lines)


async def test_the_original_order_is_answered_as_it_was_however_it_was_edited(allocator, redis):
    await stock(allocator, oslo=9)
    first = await allocator.order(order("1", 2))
    await allocator.edit("shop", "1", cups(5, **VIA_ROME), op="r1")

    again = await allocator.order(order("1", 2))
    later = await allocator.order(order("1", 2, attempt=2))

    assert (again.replayed, again.lines, later.lines) == (True, first.lines, first.lines)


async def test_when_the_original_answer_was_forgotten_the_order_is_told_as_it_is(allocator, redis):
    await stock(allocator, oslo=9)
    await allocator.order(order("1", 2))
    await allocator.edit("shop", "1", cups(5), op="r1")
    answer = await redis.hget("{main}:ops", "order:shop:1:1")
    await redis.hdel("{main}:ops", "order:shop:1:1")

    later = await allocator.order(order("1", 2, attempt=2))

    await redis.hset("{main}:ops", "order:shop:1:1", answer)
    assert (later.lines[0].ordered, later.replayed) == (5, True)


async def test_the_ledger_has_one_entry_with_who_and_why(allocator, redis):
    await stock(allocator, oslo=9)
    await allocator.order(order("1", 2))

    await allocator.edit("shop", "1", cups(2, why="asked by phone"), op="r1", actor="ann")

    entry = decode_entry((await redis.xrevrange("{main}:ledger", count=1))[0][1])
    told = (entry.verb, entry.op, entry.actor, entry.why, entry.word)
    assert told == ("edit", "edit:shop:1:r1", "ann", "asked by phone", "changed")
    assert (entry.changes, list(entry.records), unpack(entry.answer)[0]) == ([], ["order:shop:1"], "committed")


# --- locations that have rejected the order ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["promise", "firm"])
async def test_what_is_added_is_not_taken_where_the_order_was_rejected(allocator, kind):
    await stock(allocator, oslo=9, rome=9)
    await allocator.order(order("1", 2, kind=kind))
    await allocator.reject("shop", "1", "oslo", op="r1", reason="too_busy")

    changed = await allocator.edit("shop", "1", cups(5), op="e1")

    assert units_at(changed) == {"rome": 5}


async def test_a_promise_cannot_have_more_when_only_a_location_that_rejected_it_has_some(allocator, redis):
    await stock(allocator, oslo=9, rome=2)
    await allocator.order(order("1", 2))
    await allocator.reject("shop", "1", "oslo", op="r1", reason="too_busy")
    before = await state(redis)

    with pytest.raises(Unroutable) as refused:
        await allocator.edit("shop", "1", cups(3), op="e1")

    assert [row["location"] for row in refused.value.facts["trace"]] == ["rome", "bergen"]
    assert await state(redis) == before


async def test_a_firm_order_waits_rather_than_go_back_to_who_rejected_it(allocator):
    await stock(allocator, oslo=9, rome=2)
    await allocator.order(order("1", 2, kind="firm"))
    await allocator.reject("shop", "1", "oslo", op="r1", reason="too_busy")

    changed = await allocator.edit("shop", "1", cups(3), op="e1")

    assert (units_at(changed), changed.lines[0].backordered) == ({"rome": 2}, 1)


# --- which ranking -------------------------------------------------------------------------------------------------


ROME = '["rome",0]'


async def ranking_of(redis, id: str) -> list[tuple[str, int]]:
    """The locations that the record of an order has."""
    return decode_order(await redis.hget("{main}:orders", id)).candidates


@pytest.mark.parametrize(
    ("kind", "told", "kept"),
    [
        ("promise", {"candidates": ROME, "relaxed": ""}, [("rome", 0)]),
        ("promise", {"candidates": "", "relaxed": ROME}, [("oslo", 0), ("bergen", 0)]),
        ("firm", {"candidates": "", "relaxed": ROME}, [("rome", 0)]),
        ("firm", {"candidates": ROME, "relaxed": ""}, [("oslo", 0), ("bergen", 0)]),
    ],
)
async def test_an_order_follows_the_ranking_of_its_kind_and_no_other(allocator, redis, kind, told, kept):
    await stock(allocator, oslo=5)
    await call(redis, "order", changed("order", external_id="1", kind=kind, candidates='["oslo",0,"bergen",0]'))

    word, _ = await call(redis, "edit", changed_without_lines(**told))

    assert (word, await ranking_of(redis, "shop:1")) == ("changed", kept)


def changed_without_lines(**values: str) -> list[str]:
    """An edit that names no line."""
    return [*changed("edit", op="e1", **values)[:-4], "0"]


async def test_what_is_fetched_at_a_store_has_no_other_way(allocator, redis):
    stores = [msgspec.structs.replace(known, pickup=known.kind == "store") for known in CONFIG.locations]
    await allocator.configure_all(msgspec.structs.replace(CONFIG, locations=stores))
    await stock(allocator, bergen=5, rome=5)
    await allocator.order(order("1", 2, pickup="bergen"))
    before = await ranking_of(redis, "shop:1")

    edited = await allocator.edit("shop", "1", cups(3, **VIA_ROME), op="e1")

    assert (units_at(edited), await ranking_of(redis, "shop:1")) == ({"bergen": 3}, before)


async def test_an_edit_of_nothing_is_told_so(redis, allocator):
    nothing = changed_without_lines(candidates="", relaxed="")

    assert await call(redis, "edit", nothing) == ("invalid", ["lines are none, and nothing else is to change"])


@pytest.mark.parametrize("lines", [(), (("1", CUP, 4),), (("1", CUP, 3),)])
async def test_what_a_partial_promise_cannot_have_again_stays_ordered_and_is_cancelled(allocator, lines):
    await stock(allocator, oslo=2, rome=2)
    await allocator.order(order("1", 4))
    await allocator.configure_all(with_channel(CONFIG, "shop", split_limit=1))

    edited = await allocator.edit("shop", "1", wish(*lines, replan=True, partial=True), op="e1")

    [line] = edited.lines
    assert (line.ordered, line.committed, line.cancelled) == (4, 2, 2)
