"""A location refuses what an order was to get there: the stock learns from it, and the order goes elsewhere."""

import msgspec
import pytest

from allocator import (
    AdjustLine,
    Allocator,
    EditLine,
    EditRequest,
    Pipe,
    RejectReason,
    Rule,
    ShipTo,
    StockLine,
    UnitsLine,
    ledger,
)
from allocator.answers import unpack
from allocator.errors import NotCommitted, OpConflict, UnknownLine, UnknownOrder, UnknownReason

from . import raw
from .fixtures import (
    CONFIG,
    CUP,
    TEE,
    atp,
    buckets,
    dump,
    order,
    place,
    quota,
    sources,
    state,
    stock,
    units_at,
    with_channel,
    with_rules,
)


async def reject(allocator, *rows: tuple[str, int], id: str = "1", at: str = "oslo", op: str = "r1", **told):
    lines = [UnitsLine(*row) for row in rows]
    return await allocator.reject("shop", id, at, lines, op=op, **{"reason": "too_busy", **told})


async def test_rejected_units_are_taken_elsewhere_in_the_same_step(allocator, redis):
    await stock(allocator, oslo=5, rome=4)
    await allocator.order(order("1", 3))

    changed = await reject(allocator)

    assert (changed.state, units_at(changed)) == ("committed", {"rome": 3})
    assert (await buckets(redis, "oslo"), await buckets(redis, "rome")) == ((5, 0, 0), (4, 0, 3))


@pytest.mark.parametrize(
    ("reason", "left", "unavailable"),
    [
        ("too_busy", 5, {}),
        ("mismatch", 3, {}),
        ("not_found", 0, {}),
        ("damaged", 5, {"damaged": 2}),
        ("closed", 5, {}),
        ("other", 5, {}),
    ],
)
async def test_the_reason_says_what_is_still_there(allocator, redis, reason, left, unavailable):
    await stock(allocator, oslo=5, rome=4)
    await allocator.order(order("1", 2))

    await reject(allocator, reason=reason)

    there = await place(redis, "oslo")
    assert (there.on_hand, there.reasons, there.deficit) == (left, unavailable, 0)


async def test_nothing_there_is_a_deficit_of_the_others(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 2))
    await allocator.order(order("2", 3))

    changed = await reject(allocator, reason="not_found")

    assert (changed.state, changed.lines[0].conflict) == ("conflict", 2)
    assert (await place(redis, "oslo")).deficit == 3


async def test_what_finds_no_place_is_in_conflict_and_served_first_when_units_arrive(allocator, redis):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3))
    await reject(allocator, reason="mismatch")
    await allocator.order(order("late", 1, channel="shop", kind="firm"))
    owed = (await state(redis)).conflict, await atp(allocator)
    await stock(allocator, rome=3)

    served = await allocator.serve()

    assert owed == (3, 0)
    assert [(line.order, line.units) for line in served.lines] == [("shop:1", 3)]
    assert (await allocator.find_order("shop", "1")).state == "committed"
    assert (await state(redis)).conflict == 0


async def test_units_are_never_served_from_where_they_were_rejected(allocator):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3))
    await reject(allocator)

    served = await allocator.serve(sweep=True)

    assert served.lines == []
    found = await allocator.find_order("shop", "1")
    assert (found.state, found.rejected_at, found.desk) == ("conflict", ["oslo"], False)


async def test_after_so_many_rejects_somebody_has_to_decide(allocator):
    await stock(allocator, oslo=3, rome=3, bergen=3)
    await allocator.order(order("1", 3))
    await reject(allocator, rejects_max=2)

    await reject(allocator, at="rome", op="r2", rejects_max=2)

    found = await allocator.find_order("shop", "1")
    assert (found.state, found.lines[0].conflict) == ("conflict", 3)
    assert (found.rejected_at, found.desk) == (["oslo", "rome"], True)
    await stock(allocator, bergen=9)
    assert (await allocator.serve(sweep=True)).lines == []


async def test_some_units_of_a_line_are_rejected_alone(allocator):
    await stock(allocator, oslo=5, rome=4)
    await stock(allocator, TEE, oslo=5)
    await allocator.order(order("1", 3, (TEE, 2)))

    changed = await reject(allocator, ("1", 1))

    assert [[(take.location, take.units) for take in line.takes] for line in changed.lines] == [
        [("oslo", 2), ("rome", 1)],
        [("oslo", 2)],
    ]


async def test_a_picker_rejects_what_he_did_not_find(allocator):
    await stock(allocator, oslo=5, rome=4)
    await allocator.order(order("1", 3))
    await allocator.pick("shop", "1", op="p1")

    changed = await reject(allocator, ("1", 1), reason="mismatch")

    assert [(take.location, take.units, take.picking) for take in changed.lines[0].takes] == [
        ("oslo", 2, True),
        ("rome", 1, False),
    ]


async def test_units_others_wait_for_are_not_taken(allocator, redis):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3))
    await allocator.order(order("waits", 2, kind="firm"))
    await stock(allocator, rome=2)

    changed = await reject(allocator, reason="mismatch")

    assert changed.lines[0].conflict == 3
    assert await buckets(redis, "rome") == (2, 0, 0)


async def test_safety_stock_and_quotas_serve_what_was_promised(allocator):
    await allocator.configure_all(with_rules(Rule(kind="safety_stock", location="rome", units=2)))
    await stock(allocator, oslo=3, rome=4)
    await quota(allocator, "rome", "amazon", 2)
    await allocator.order(order("1", 3))

    changed = await reject(allocator)

    assert (changed.state, sources(changed)) == ("committed", [("safety", 2, ""), ("borrowed", 1, "amazon")])


async def test_units_go_back_to_the_quota_they_came_from(allocator, redis):
    await stock(allocator, oslo=3)
    await quota(allocator, "oslo", "shop", 3)
    await allocator.order(order("1", 3))
    before = (await place(redis, "oslo")).quotas["shop"].consumed

    await reject(allocator)

    assert (before, (await place(redis, "oslo")).quotas["shop"].consumed) == (3, 0)


async def test_a_ranking_of_its_own_decides_where_it_goes(allocator):
    await allocator.configure_all(with_channel(CONFIG, "shop", routing=("region_match", "channel_rank")))
    await stock(allocator, oslo=3, rome=4, bergen=4)
    await allocator.order(order("1", 3))

    changed = await reject(allocator, ship_to=ShipTo(country="NO"))

    assert units_at(changed) == {"rome": 3}


async def test_an_order_of_a_channel_that_is_gone_is_in_conflict(allocator):
    await stock(allocator, oslo=3, rome=4)
    await allocator.order(order("1", 3))
    await allocator.configure_all(
        CONFIG.__class__(locations=CONFIG.locations, channels=CONFIG.channels[1:], skus=CONFIG.skus)
    )

    changed = await reject(allocator)

    assert changed.lines[0].conflict == 3


async def test_a_shelf_with_less_than_was_promised_does_not_fall_below_nothing(allocator, redis):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3))
    await allocator.adjust([AdjustLine(CUP, "oslo", -2)], op="a1", why="count")

    await reject(allocator, reason="mismatch")

    assert (await place(redis, "oslo")).on_hand == 0


async def test_repeated_it_is_one_reject(allocator, redis):
    await stock(allocator, oslo=3, rome=3)
    await allocator.order(order("1", 3))
    first = await reject(allocator, reason="mismatch")

    again = await reject(allocator, reason="mismatch")

    assert (again.replayed, again.lines) == (True, first.lines)
    assert await buckets(redis, "oslo") == (0, 0, 0)
    with pytest.raises(OpConflict):
        await reject(allocator, reason="too_busy")


async def test_what_cannot_be_rejected_changes_nothing(allocator, redis):
    await stock(allocator, oslo=5, rome=4)
    await allocator.order(order("1", 3))
    before = await dump(redis)

    with pytest.raises(NotCommitted) as too_many:
        await reject(allocator, ("1", 4))
    with pytest.raises(NotCommitted):
        await reject(allocator, at="rome", op="r2")
    with pytest.raises(UnknownLine):
        await reject(allocator, ("9", 1), op="r3")
    with pytest.raises(UnknownOrder):
        await reject(allocator, id="none", op="r4")

    after = await dump(redis)
    assert too_many.value.facts == {"line": "1", "location": "oslo", "units": 3}
    assert {name: value for name, value in before.items() if name != b"{main}:ops"} == {
        name: value for name, value in after.items() if name != b"{main}:ops"
    }


# --- what is left on the shelf -------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["mismatch", "not_found", "damaged"])
async def test_an_empty_shelf_stays_empty(allocator, redis, reason):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3))
    await allocator.adjust([AdjustLine(CUP, "oslo", -3)], op="a1", why="count")

    await reject(allocator, reason=reason)

    there = await place(redis, "oslo")
    assert (there.on_hand, there.reasons) == (0, {})


@pytest.mark.parametrize(
    ("reason", "on_hand", "reasons"),
    [("not_found", 2, {"quarantine": 2}), ("damaged", 3, {"quarantine": 2, "damaged": 1})],
)
async def test_units_that_nobody_may_sell_are_none_of_those_that_are_missing(
    allocator, redis, reason, on_hand, reasons
):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 3))
    await allocator.unavailable([StockLine(CUP, "oslo", 2)], reason="quarantine", direction="in", op="u1")
    await allocator.adjust([AdjustLine(CUP, "oslo", -2)], op="a1", why="count")

    await reject(allocator, reason=reason)

    there = await place(redis, "oslo")
    assert (there.on_hand, there.reasons) == (on_hand, reasons)


async def test_the_shelf_loses_what_all_lines_of_a_sku_were_to_get(allocator, redis):
    await stock(allocator, oslo=5)
    await allocator.order(order("1", 2, 1))

    await reject(allocator, reason="mismatch")

    assert (await place(redis, "oslo")).on_hand == 2


# --- where it goes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ranking", "at"), [('["rome",0]', "rome"), ("[]", "bergen")])
async def test_the_ranking_that_is_told_counts_and_else_the_one_it_came_with(allocator, redis, ranking, at):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3, prefer=["oslo", "bergen"]))
    await stock(allocator, rome=4, bergen=4)
    config = str(await redis.hget("{main}:seller", "config"), "ascii")

    told = {"config": config, "candidates": ranking, "effect": "none", "lines": "0"}
    await raw.call(redis, "reject", raw.changed("reject", **told)[:-2])

    assert units_at(await allocator.find_order("shop", "1")) == {at: 3}


# --- where it may go -----------------------------------------------------------------------------------------------


async def test_units_leave_the_location_that_rejects_them_and_no_other(allocator):
    await stock(allocator, oslo=2, rome=2)
    await allocator.order(order("1", 3))

    changed = await reject(allocator, ("1", 1))

    assert units_at(changed) == {"oslo": 1, "rome": 2}


async def test_what_no_pick_has_started_for_is_rejected_first(allocator):
    await stock(allocator, oslo=5, rome=5)
    await allocator.order(order("1", 2))
    await allocator.pick("shop", "1", op="p1")
    await allocator.edit("shop", "1", EditRequest(lines=[EditLine("1", CUP, 3)]), op="e1")

    changed = await reject(allocator, ("1", 1))

    taken = [(take.location, take.units, take.picking) for take in changed.lines[0].takes]
    assert taken == [("oslo", 2, True), ("rome", 1, False)]


async def test_a_line_that_is_named_twice_loses_what_both_say(allocator):
    await stock(allocator, oslo=5, rome=5)
    await allocator.order(order("1", 3))

    changed = await reject(allocator, ("1", 1), ("1", 1))

    assert units_at(changed) == {"oslo": 1, "rome": 2}


async def test_a_location_that_was_no_choice_when_the_order_came_rejects_it_once_and_for_all(allocator, redis):
    await stock(allocator, oslo=9)
    await raw.call(redis, "order", raw.changed("order", external_id="1", candidates='["oslo",0]'))
    await stock(allocator, rome=9, bergen=9)
    await reject(allocator)

    changed = await reject(allocator, at="rome", op="r2")

    assert units_at(changed) == {"bergen": 2}


async def test_an_order_that_was_promised_a_day_remembers_who_rejected_it(allocator, redis):
    await stock(allocator, oslo=2, rome=2)
    await raw.call(redis, "order", raw.changed("order", external_id="1", terms=raw.terms()))

    await reject(allocator)

    assert (await allocator.find_order("shop", "1")).rejected_at == ["oslo"]


async def test_the_ledger_tells_what_is_owed_of_the_lines_that_were_rejected_and_of_no_other(allocator, redis):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 2, 1))

    await reject(allocator, ("1", 2), rejects_max=1)

    [*_, (_, entry)] = await ledger.read(redis, allocator.seller, "0-0", 100)
    assert [move for change in entry.changes for move in change.moves] == [
        ("oslo", "committed", "", -2),
        ("", "conflict", "", 2),
    ]


async def test_what_leaves_the_order_and_the_shelf_at_once_serves_nobody(allocator, redis):
    await stock(allocator, oslo=3)
    await allocator.order(order("1", 3))

    await reject(allocator, reason="mismatch")

    assert not await redis.exists("{main}:servable")


async def test_an_order_that_nobody_rejected_is_stored_as_ever(allocator, redis):
    await stock(allocator, oslo=2)
    await allocator.order(order("1", 2))

    await allocator.pick("shop", "1", op="p1")

    assert len(unpack(await redis.hget("{main}:orders", "shop:1"))) == 10


# --- reasons are config --------------------------------------------------------------------------------------------


def with_reasons(*reasons: RejectReason):
    return msgspec.structs.replace(CONFIG, reasons=list(reasons))


async def test_a_reason_of_the_sellers_own_replaces_the_default_one_of_its_code(allocator, redis):
    await allocator.configure_all(with_reasons(RejectReason(code="not_found", effect="less")))
    await stock(allocator, oslo=5, rome=4)
    await allocator.order(order("1", 2))

    await reject(allocator, reason="not_found")

    assert (await place(redis, "oslo")).on_hand == 3


async def test_an_unknown_reason_is_refused_with_those_that_there_are(allocator, redis):
    await allocator.configure_all(with_reasons(RejectReason(code="no_staff")))
    await stock(allocator, oslo=5, rome=4)
    await allocator.order(order("1", 2))
    before = await dump(redis)

    with pytest.raises(UnknownReason) as refused:
        await reject(allocator, reason="lost")

    known = ["closed", "damaged", "mismatch", "no_staff", "not_found", "other", "too_busy"]
    assert refused.value.facts == {"reason": "lost", "allowed": known}
    assert await dump(redis) == before


async def test_a_reason_is_in_force_for_a_process_that_has_not_heard_of_it(allocator, redis):
    other = Allocator(Pipe(redis), allocator.seller, allocator.epoch)
    await stock(allocator, oslo=5, rome=4)
    await allocator.order(order("1", 2))
    await other.reload()
    await allocator.configure_all(with_reasons(RejectReason(code="lost", effect="less")))

    await reject(other, reason="lost")

    assert (await place(redis, "oslo")).on_hand == 3


async def test_repeated_after_its_reason_has_changed_or_is_gone_it_is_the_same_reject(allocator):
    await allocator.configure_all(with_reasons(RejectReason(code="lost", effect="less", recount=True)))
    await stock(allocator, oslo=5, rome=4)
    await allocator.order(order("1", 2))
    first = await reject(allocator, reason="lost")

    await allocator.configure_all(with_reasons(RejectReason(code="lost", effect="zero")))
    again = await reject(allocator, reason="lost")
    await allocator.configure_all(CONFIG)
    once_more = await reject(allocator, reason="lost")

    assert [one.replayed for one in (first, again, once_more)] == [False, True, True]
    assert first.lines == again.lines == once_more.lines
    with pytest.raises(UnknownReason):
        await reject(allocator, reason="lost", op="r2")


@pytest.mark.parametrize(("reason", "why"), [("mismatch", "oslo mismatch recount"), ("damaged", "oslo damaged")])
async def test_the_ledger_says_whether_somebody_is_to_count(allocator, redis, reason, why):
    await stock(allocator, oslo=5, rome=4)
    await allocator.order(order("1", 2))

    await reject(allocator, reason=reason)

    [*_, (_, last)] = await ledger.read(redis, allocator.seller, "0-0", 100)
    assert (last.verb, last.why) == ("reject", why)
