"""What the gate's own verbs answer and tell, whatever they find."""

import pytest

from allocator import ledger
from allocator.errors import Checking
from allocator.gate import CHECKING, OPEN, Gate

from . import raw
from .fixtures import CUP, EPOCH, MUG, NOW, dump, stock

RUN, NEXT = "run-1", "run-2"


@pytest.fixture
def gate(redis, allocator) -> Gate:
    """The gate of the shop, which no server has been met for."""
    return Gate(redis, "main", EPOCH)


async def test_opening_says_how_the_gate_stands(gate, allocator, redis):
    async def opened(run: str, last: str) -> tuple[str, object]:
        return await raw.call(redis, "open", raw.changed("open", run=run, upto="", last=last))

    unmet = await opened(RUN, "0")
    await gate.meet(RUN)

    assert unmet == ("changed_since", ["", ""])
    assert await opened(NEXT, "0") == ("changed_since", [CHECKING, RUN])
    assert await opened(RUN, "0") == ("opened", [CHECKING])
    assert await opened(RUN, "1") == ("opened", [OPEN])


@pytest.mark.parametrize("verb", ["freeze", "meet", "open", "shut"])
async def test_whatever_is_asked_of_the_gate_of_another_data_set_tells_whose_it_is(gate, redis, verb):
    before = await dump(redis)

    assert await raw.call(redis, verb, raw.changed(verb, epoch="another")) == ("not_ready", [EPOCH, ""])
    assert await dump(redis) == before


@pytest.mark.parametrize("late", [0, 5_000])
async def test_a_freeze_is_told_with_its_time_which_is_never_before_the_clock(gate, allocator, redis, late):
    await stock(allocator, oslo=1)
    await raw.call(redis, "freeze", raw.changed("freeze", now_ms=str(NOW - late)))

    [*_, (_, entry)] = await ledger.read(redis, "main", "0-0")

    assert (entry.verb, entry.at_ms) == ("freeze", NOW)


async def test_while_skus_are_checked_nobody_is_told_that_there_is_no_such_hold(gate, allocator):
    await gate.meet(RUN)

    with pytest.raises(Checking) as refused:
        await allocator.find_hold("h9")

    assert refused.value.facts == {"sku": ""}


async def test_with_a_frozen_sku_and_nobody_waiting_there_is_nothing_to_serve(gate, allocator):
    await gate.freeze(CUP, "evidence")

    served = await allocator.serve(sweep=True)

    assert (served.lines, served.more) == ([], False)


async def test_to_end_what_is_not_shut_changes_nothing(gate, redis):
    before = await dump(redis)

    assert await gate.shut(RUN, "") == OPEN
    assert await dump(redis) == before


async def test_when_it_is_no_longer_shut_nobody_says_why_any_more(gate):
    await gate.shut(RUN, "a drill")

    await gate.shut(RUN, "")

    assert await gate.standing() == (CHECKING, "")


async def frozen_by(redis, run: str, sku: str) -> bool:
    """Whether what a check of this run found freezes the sku."""
    word, _ = await raw.call(redis, "freeze", raw.changed("freeze", sku=sku, run=run, evidence="found by the check"))
    return word == "frozen_now"


async def test_a_check_freezes_what_it_has_not_opened_yet(gate, redis):
    await gate.meet(RUN)
    await gate.open(RUN, upto=CUP)

    assert not await frozen_by(redis, RUN, CUP)
    assert not await frozen_by(redis, NEXT, MUG)
    assert await frozen_by(redis, RUN, MUG)


async def test_a_check_freezes_nothing_that_was_opened_before_its_turn(gate, redis):
    await gate.meet(RUN)
    await gate.open(RUN, skus=[MUG])

    assert not await frozen_by(redis, RUN, MUG)
    assert await frozen_by(redis, RUN, CUP)


async def test_a_check_says_anew_why_a_sku_is_frozen(gate, redis):
    await gate.freeze(CUP, "evidence")
    await gate.meet(RUN)
    await gate.open(RUN, upto=MUG)

    assert await frozen_by(redis, RUN, CUP)
    assert await gate.frozen() == {CUP: "found by the check"}


async def test_a_check_that_is_over_freezes_nothing(gate, redis):
    await gate.meet(RUN)
    await gate.open(RUN, last=True)

    assert not await frozen_by(redis, RUN, CUP)
