"""After a restart every sku is closed until it was checked; a frozen one stays closed; what is shut answers nothing."""

import pytest

from allocator import AdjustLine, Pipe, ledger
from allocator.errors import Checking, Frozen, NotReady, UnknownHold, UnknownOrder
from allocator.gate import CHECKING, FROZEN, OPEN, SHUT, Gate
from allocator.pipe import run_of

from .fixtures import CUP, EPOCH, MINUTE, MUG, NOW, TEE, dump, hold, new_allocator, order, stock

RUN, NEXT = "run-1", "run-2"


@pytest.fixture
def gate(redis, allocator) -> Gate:
    """The gate of the shop, which no server has been met for."""
    return Gate(redis, "main", EPOCH)


@pytest.fixture
async def checking(gate, allocator) -> Gate:
    """A shop with 9 of each sku, on a server that was just started again."""
    for sku in (CUP, MUG, TEE):
        await stock(allocator, sku, oslo=9)
    await gate.meet(RUN)
    await gate.open(RUN, last=True)
    await gate.meet(NEXT)
    return gate


async def sold(allocator, sku: str, id: str = "1") -> bool:
    """Whether a unit of it can be sold."""
    try:
        await allocator.order(order(id, (sku, 1)))
    except (Checking, Frozen):
        return False
    return True


# --- a server that was started again ---------------------------------------------------------------------------------


async def test_a_server_that_is_known_closes_nothing(gate, allocator):
    await stock(allocator, oslo=9)
    await gate.meet(RUN)
    await gate.open(RUN, last=True)

    again = await gate.meet(RUN)

    assert again == (OPEN, "")
    assert await sold(allocator, CUP)


async def test_on_another_run_of_the_server_no_sku_is_sold_and_none_is_lost(checking, allocator, redis):
    before = await dump(redis)

    assert not await sold(allocator, CUP)
    with pytest.raises(Checking) as refused:
        await allocator.availability([CUP, MUG], ["shop"])

    assert refused.value.facts == {"sku": CUP}
    assert await dump(redis) == before
    assert (await checking.standing()).gate == CHECKING


async def test_what_was_refused_while_checking_is_not_remembered(checking, allocator):
    assert not await sold(allocator, CUP)
    await checking.open(NEXT, last=True)

    assert await sold(allocator, CUP)


@pytest.mark.parametrize("verb", ["release", "extend", "ship", "find_hold", "find_order"])
async def test_while_checking_nobody_says_of_an_order_or_hold_that_there_is_none(checking, allocator, verb: str):
    """The store may be the one that lost it."""
    ask = {
        "release": lambda: allocator.release("gone"),
        "extend": lambda: allocator.extend("gone", ttl_ms=MINUTE, op="e-1"),
        "ship": lambda: allocator.ship("shop", "gone", op="s-1"),
        "find_hold": lambda: allocator.find_hold("gone"),
        "find_order": lambda: allocator.find_order("shop", "gone"),
    }[verb]

    with pytest.raises(Checking):
        await ask()

    await checking.open(NEXT, last=True)
    with pytest.raises((UnknownHold, UnknownOrder)):
        await ask()


async def test_a_hold_is_not_extended_while_it_may_be_one_that_has_ended(gate, allocator):
    await stock(allocator, oslo=9)
    await allocator.hold(hold("cart", 1))
    await gate.meet(NEXT)

    with pytest.raises(Checking):
        await allocator.extend("cart", ttl_ms=MINUTE, op="e-1")


async def test_an_answer_that_was_given_before_is_given_again_while_checking(gate, allocator):
    await stock(allocator, oslo=9)
    first = await allocator.order(order("1", 2))
    await gate.meet(NEXT)

    again = await allocator.order(order("1", 2))

    assert again.replayed
    assert again.lines == first.lines


async def test_skus_are_opened_in_order_and_hot_ones_before(checking, allocator):
    await checking.open(NEXT, upto=MUG, skus=[])

    assert (await sold(allocator, CUP), await sold(allocator, MUG, "2"), await sold(allocator, TEE, "3")) == (
        *(True, True),
        False,
    )
    await checking.open(NEXT, skus=[TEE])
    assert await sold(allocator, TEE, "3")


@pytest.mark.parametrize(
    ("sku", "upto", "is_open"),
    [("B", "a", True), ("a", "B", False), ("AB", "A", False), ("A", "AB", True), ("é", "z", False), ("Z", "é", True)],
)
async def test_the_order_is_that_of_bytes_in_any_language(allocator, redis, sku, upto, is_open):
    gate = Gate(redis, "main", EPOCH)
    await redis.hset("{main}:stock", sku, await redis.hget("{main}:stock", CUP))
    await gate.meet(RUN)
    await gate.open(RUN, upto=upto)

    if is_open:
        await allocator.availability([sku], ["shop"])
    else:
        with pytest.raises(Checking):
            await allocator.availability([sku], ["shop"])


async def test_nobody_opens_skus_of_a_run_that_is_over(checking):
    assert not await checking.open(RUN, last=True)

    assert (await checking.standing()).gate == CHECKING


async def test_a_server_that_is_started_again_while_checking_begins_anew(checking, allocator):
    await checking.open(NEXT, upto=MUG, skus=[TEE])

    await checking.meet("run-3")

    assert [await sold(allocator, sku, sku) for sku in (CUP, MUG, TEE)] == [False, False, False]


async def test_nothing_is_left_of_the_check_when_all_is_open(checking, redis):
    await checking.open(NEXT, upto=MUG, skus=[TEE])

    await checking.open(NEXT, last=True)

    assert await redis.hkeys("{main}:seller") == [b"epoch", b"config", b"clock", b"run"]


async def test_the_gate_of_another_data_set_is_not_touched(redis, gate):
    with pytest.raises(NotReady):
        await Gate(redis, "main", "epoch-2").meet(RUN)

    assert await gate.standing() == (OPEN, "")


async def test_every_start_of_a_server_has_a_name_of_its_own(redis):
    assert len(await run_of(redis)) == 40
    assert await run_of(redis) == await run_of(redis)


# --- holds and backorders while checking -----------------------------------------------------------------------------


async def test_no_hold_ends_and_no_backorder_is_served_of_a_sku_that_is_closed(gate, allocator):
    await stock(allocator, oslo=4)
    await stock(allocator, MUG, oslo=4)
    await allocator.hold(hold("h1", 2, ttl_ms=MINUTE))
    await allocator.hold(hold("h2", (MUG, 2), ttl_ms=MINUTE))
    await allocator.order(order("1", 5, channel="amazon"))
    await allocator.expire(elapsed_ms=None)
    await gate.freeze(CUP, "evidence")
    allocator.now_ms = NOW + MINUTE

    expired = await allocator.expire(elapsed_ms=MINUTE)
    served = await allocator.serve(sweep=True)

    assert expired.hold_ids == ["h2"]
    assert (served.lines, served.more) == ([], False)
    await gate.freeze(CUP, "")
    assert (await allocator.expire(elapsed_ms=0)).hold_ids == ["h1"]
    assert [line.units for line in (await allocator.serve(sweep=True)).lines] == [2]


async def test_holds_of_closed_skus_do_not_keep_others_from_ending(gate, allocator):
    await stock(allocator, oslo=9)
    await stock(allocator, MUG, oslo=9)
    for number in range(5):
        await allocator.hold(hold(f"cup-{number}", 1, ttl_ms=MINUTE))
    await allocator.hold(hold("mug", (MUG, 1), ttl_ms=MINUTE + 1))
    await allocator.expire(elapsed_ms=None)
    await gate.freeze(CUP, "evidence")
    allocator.now_ms = NOW + 2 * MINUTE

    expired = await allocator.expire(elapsed_ms=2 * MINUTE, limit=1)

    assert expired.hold_ids == ["mug"]


async def test_a_hold_of_a_closed_sku_is_not_added_back(gate, allocator):
    await stock(allocator, oslo=9)
    await stock(allocator, MUG, oslo=9)
    await allocator.hold(hold("h1", 2, owner="ann"))
    await gate.freeze(CUP, "evidence")

    cup, mug = await allocator.availability([CUP, MUG], ["shop"], owner="ann")

    assert (cup.atp_now, cup.published, cup.version) == (0, 0, -2)
    assert mug.atp_now == 9


# --- a sku that is frozen --------------------------------------------------------------------------------------------


async def test_no_unit_of_a_frozen_sku_moves_and_the_others_are_sold(gate, allocator, redis):
    await stock(allocator, oslo=9)
    await stock(allocator, MUG, oslo=9)
    await gate.freeze(CUP, "9 are held, 8 by holds")
    before = await dump(redis)

    for try_it in (
        allocator.order(order("1", 1)),
        allocator.order(order("2", 1, channel="amazon")),
        allocator.hold(hold("h1", 1)),
        allocator.adjust([AdjustLine(CUP, "oslo", 1)], op="a1", why="count"),
        allocator.explain(CUP, "shop"),
    ):
        with pytest.raises(Frozen) as refused:
            await try_it
        assert refused.value.facts == {"sku": CUP, "evidence": "9 are held, 8 by holds"}

    assert await dump(redis) == before
    assert await sold(allocator, MUG, "3")
    assert await gate.frozen() == {CUP: "9 are held, 8 by holds"}


async def test_freezing_and_thawing_are_in_the_ledger(gate, allocator, redis):
    await gate.freeze(CUP, "evidence")
    await gate.freeze(CUP, "evidence")
    await gate.freeze(CUP, "")

    entries = [entry for _, entry in await ledger.read(redis, "main", "0-0")][-2:]

    assert [(entry.verb, entry.why) for entry in entries] == [("freeze", "evidence"), ("freeze", "")]
    assert [entry.records for entry in entries] == [{f"frozen:{CUP}": b"evidence"}, {f"frozen:{CUP}": b""}]
    assert await gate.standing() == (OPEN, "")


async def test_freezing_again_for_the_same_reason_changes_nothing(gate, allocator, redis):
    await stock(allocator, oslo=9)
    await gate.freeze(CUP, "evidence")
    before = await dump(redis)

    assert await gate.freeze(CUP, "evidence")

    assert await dump(redis) == before


async def test_a_sku_that_moved_since_it_was_looked_at_is_not_frozen(gate, allocator, redis):
    await stock(allocator, oslo=9)
    seen = await redis.hget("{main}:stock", CUP)
    await allocator.order(order("1", 1))

    assert not await gate.freeze(CUP, "evidence", seen=seen)
    assert await gate.freeze(CUP, "evidence", seen=await redis.hget("{main}:stock", CUP))


async def test_a_check_freezes_only_what_it_keeps_closed(checking):
    await checking.open(NEXT, skus=[CUP])

    assert not await checking.freeze(CUP, "evidence", run=NEXT)
    assert not await checking.freeze(MUG, "evidence", run="an earlier run")
    assert await checking.freeze(MUG, "evidence", run=NEXT)


async def test_a_frozen_sku_stays_frozen_over_a_restart(gate, allocator):
    await stock(allocator, oslo=9)
    await gate.freeze(CUP, "evidence")
    await gate.meet(NEXT)

    await gate.open(NEXT, upto=CUP, skus=[CUP], last=True)

    assert (await gate.standing()).gate == FROZEN
    assert not await sold(allocator, CUP)


async def test_a_sku_that_is_thawed_while_checking_is_open(checking, allocator):
    await checking.freeze(CUP, "evidence")

    await checking.freeze(CUP, "")

    assert await sold(allocator, CUP)
    assert not await sold(allocator, MUG, "2")


async def test_the_config_changes_though_a_sku_is_frozen_and_cannot_be_read(gate, allocator, redis):
    whole = await redis.hget("{main}:stock", CUP)
    await redis.hset("{main}:stock", CUP, b"\xc1")
    await gate.freeze(CUP, "cannot be read")

    other = await new_allocator(redis)
    await other.configure_all(other.config)

    assert (await other.availability([CUP], ["shop"]))[0].version == -2
    await redis.hset("{main}:stock", CUP, whole)


# --- a gate that is shut ---------------------------------------------------------------------------------------------


async def test_what_is_shut_answers_nothing_and_says_why(gate, allocator, redis):
    await stock(allocator, oslo=9)
    await gate.meet(RUN)
    await gate.shut(RUN, "the store is older than SQL")
    before = await dump(redis)

    for try_it in (allocator.order(order("1", 1)), allocator.availability([CUP], ["shop"]), allocator.reload()):
        with pytest.raises(NotReady, match="the store is older than SQL") as refused:
            await try_it
        assert refused.value.facts == {"epoch_found": EPOCH, "why": "the store is older than SQL"}

    assert await dump(redis) == before


async def test_what_is_shut_stays_shut_over_a_restart_and_is_checked_before_it_opens(gate, allocator):
    await stock(allocator, oslo=9)
    await gate.shut(RUN, "a drill")
    assert await gate.meet(NEXT) == (SHUT, "a drill")
    assert not await gate.open(NEXT, last=True)

    assert await gate.shut(NEXT, "") == CHECKING

    assert not await sold(allocator, CUP)
    await gate.open(NEXT, last=True)
    assert await sold(allocator, CUP)


async def test_a_server_without_our_library_is_given_it(gate, redis):
    await redis.function_flush()

    assert await gate.meet(RUN) == (CHECKING, "")
    assert await Pipe(redis).client.function_list()
