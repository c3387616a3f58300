"""The judge finds every kind of broken promise: each is planted here in the books or in the diary of a quiet load."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import NamedTuple

import pytest
from redis.asyncio import Redis

from allocator import SellerKeys, make_client

from .crowd import Crowd
from .doors import Door
from .judge import judge
from .ops import PUT_OFF, Diary, Heard, Op, Said, Want
from .places import WithAllocator
from .shop import SELLER
from .verdict import Verdict

OPS = 200
[LEDGER, STOCK, ORDERS] = SellerKeys(SELLER).named("ledger", "stock", "orders")


class Worked(NamedTuple):
    """A shop after a load, and what its callers wrote down."""

    diary: Diary
    client: Redis
    door: Door

    async def judged(self) -> Verdict:
        verdict = Verdict("planted")
        await judge(self.diary, self.client, self.door, verdict)
        return verdict

    def some(self, verb: str, outcome: str = "accepted") -> Heard:
        """The first op of this kind."""
        found = (heard for heard in self.diary.of(outcome) if heard.op.verb == verb)
        return next(heard for heard in found if not heard.was_unknown)


@pytest.fixture
async def worked(short_home) -> AsyncIterator[Worked]:
    place = WithAllocator(short_home)
    client = make_client(place.url)
    try:
        await place.open()
        doors = place.doors(4)
        async with Crowd(doors, seed=7) as crowd:
            crowd.allow(OPS)
            await crowd.spend()
        await crowd.settle()
        yield Worked(crowd.diary, client, doors[0])
    finally:
        await client.aclose()
        await place.close()


def kinds(verdict: Verdict) -> set[str]:
    return {fault.what for fault in verdict.faults}


async def test_finds_nothing_after_a_quiet_load(worked):
    verdict = await worked.judged()

    assert verdict.examples == []
    assert verdict.acknowledged > 50
    assert verdict.refused > 0


@pytest.mark.parametrize(
    "op",
    [
        Op("order", "never", lines=(Want("CUP", 1),)),
        Op("hold", "never", lines=(Want("CUP", 1),)),
        Op("ship", "never", name="never"),
    ],
    ids=lambda op: op.verb,
)
async def test_finds_an_acknowledged_op_that_is_not_in_the_books(worked, op: Op):
    worked.diary.note(op, Said("accepted", {}, fresh=True))

    verdict = await worked.judged()

    assert kinds(verdict) == {"lost"}


async def test_finds_an_acknowledged_receipt_whose_units_are_not_there(worked):
    worked.diary.note(Op("receive", name="never", lines=(Want("CUP", 1, "oslo"),)), Said("accepted", {}, fresh=True))

    verdict = await worked.judged()

    assert kinds(verdict) == {"lost", "units"}


async def test_finds_an_order_whose_record_is_gone(worked):
    op = worked.some("order").op

    await worked.client.hdel(ORDERS, f"{op.channel}:{op.subject}")
    verdict = await worked.judged()

    assert {"lost", "store"} <= kinds(verdict)


async def test_finds_an_effect_that_happened_twice(worked):
    [(_, entry)] = await worked.client.xrevrange(LEDGER, count=1)

    await worked.client.xadd(LEDGER, entry)
    verdict = await worked.judged()

    assert verdict.count("doubled") == 1


async def test_finds_an_op_that_was_answered_as_done_just_now_twice(worked):
    heard = worked.some("order")

    heard.said.append(replace(heard.decided[0], fresh=True))
    verdict = await worked.judged()

    assert kinds(verdict) == {"doubled"}


async def test_finds_an_effect_that_nobody_asked_for(worked):
    del worked.diary.ops[worked.some("hold").op.id]

    verdict = await worked.judged()

    assert kinds(verdict) == {"foreign"}


async def test_finds_an_op_that_was_answered_in_two_ways(worked):
    heard = worked.some("order", "refused")

    heard.said.insert(0, Said("refused", ["short", {}], detail="short"))
    verdict = await worked.judged()

    assert kinds(verdict) == {"differing"}


async def test_finds_an_answer_that_is_not_what_was_done(worked):
    heard = worked.some("order")
    other = {**heard.decided[0].content, "lines": []}

    heard.said[:] = [Said("accepted", other, fresh=True)]
    verdict = await worked.judged()

    assert kinds(verdict) == {"untrue"}


async def test_finds_a_refusal_of_what_was_done(worked):
    heard = worked.some("cancel")

    heard.said[:] = [Said("refused", ["not-committed", {}], detail="not-committed")]
    verdict = await worked.judged()

    assert kinds(verdict) == {"untrue"}


async def test_finds_an_op_that_was_promised_not_to_have_happened(worked):
    heard = worked.some("order")

    heard.said[:] = [Said("unknown", detail=PUT_OFF), replace(heard.decided[0], fresh=False)]
    verdict = await worked.judged()

    assert kinds(verdict) == {"untrue"}


async def test_finds_an_op_that_never_got_an_answer(worked):
    worked.diary.note(Op("hold", "lost", lines=(Want("CUP", 1),)), Said("unknown", detail="Broken"))

    verdict = await worked.judged()

    assert kinds(verdict) == {"unanswered"}


async def test_finds_an_answer_that_is_not_documented(worked):
    worked.some("order").said.append(Said("unexpected", detail="500"))

    verdict = await worked.judged()

    assert kinds(verdict) == {"unexpected"}


async def test_finds_stock_that_is_not_what_moved(worked):
    stored = await worked.client.hgetall(STOCK)

    await worked.client.hset(STOCK, "CUP", stored[b"MUG-1"])
    verdict = await worked.judged()

    assert {"units", "store"} <= kinds(verdict)


async def test_a_release_that_came_too_early_may_be_answered_otherwise_later(worked):
    heard = worked.some("release")

    heard.said.insert(0, Said("refused", ["unknown-hold", {}], detail="unknown-hold"))
    verdict = await worked.judged()

    assert verdict.examples == []
