"""A check finds what is broken on either side, and nothing else; a repair puts right what somebody can know."""

import asyncio

import msgspec
import pytest

from allocator import SellerKeys
from allocator.balances import encode_state
from allocator.gate import Gate
from allocator.records import SkuState
from app.checking.findings import KINDS, Findings
from app.store.audit import Wanted, list_entries
from app.store.database import Database
from app.store.sellers import ensure_seller
from tests.allocator.attic import Attic
from tests.allocator.fixtures import dump
from tests.allocator.town import CUP, EPOCH, PEN, SELLER, TEE
from tests.allocator.twins import Twins
from tests.allocator.walk import Walk
from tests.app.checked import REASON, Books, Crowd, more_units, put

# --- what is right ---------------------------------------------------------------------------------------------


async def test_true_books_have_no_findings(books):
    checked = await books.check()

    assert checked.findings.counts == {}
    assert (checked.skus, checked.whole, checked.compared) == (3, True, True)
    assert checked.entries > 10


async def test_what_has_left_valkey_for_sql_is_no_fault_and_what_vanished_is_one_however_old(books):
    removed = await Attic(books.redis).clear_out(books.allocator, lambda row: "W2" not in row.id)
    quiet = await books.kinds()
    await books.redis.hdel(books.keys["orders"], "web:W2")

    vanished = await books.kinds()

    assert removed > 5
    assert (quiet, vanished) == (set(), {"order_missing"})


async def test_what_is_not_in_sql_yet_is_no_fault(books):
    await books.book(PEN, ("oslo", "on_hand", "", 4))
    await books.allocator.release("ann-1")

    assert await books.kinds() == set()


def test_a_long_walk_through_all_verbs_has_no_findings(servers, tmp_path):
    twins = Twins(servers["valkey"], agree=False)
    walk = Walk(twins, 3)

    async def look() -> set[str]:
        async with await Database.open(f"sqlite:///{tmp_path / 'walk.sqlite3'}") as database:
            books = Books(twins.client, database)
            async with database.writing() as session:
                await ensure_seller(session, SELLER, "Shop")
            found = await books.kinds()
            await books.drain.run()
            return found | await books.kinds()

    for _ in range(150):
        walk.step()
    found = twins.runner.run(look())
    twins.close()

    assert found == set()


async def test_while_everybody_buys_and_the_drain_runs_nothing_is_found(books, servers):
    crowd = Crowd(servers["valkey"])
    shopping = [asyncio.create_task(crowd.shop(number)) for number in range(6)]
    found: set[str] = set()
    for _ in range(6):
        draining = asyncio.create_task(books.drain.run())
        found |= await books.kinds()
        await draining
    crowd.stopped.set()
    await asyncio.gather(*shopping)

    assert found == set()
    assert crowd.done > 50


# --- what is broken in Valkey ----------------------------------------------------------------------------------


async def garbage(books: Books) -> None:
    await books.redis.hset(books.keys["stock"], CUP, "\xc1garbage")


async def another_version(books: Books) -> None:
    await books.edit("stock", CUP, put(0, value=77))


async def no_state(books: Books) -> None:
    await books.redis.hdel(books.keys["stock"], TEE)


async def another_hold(books: Books) -> None:
    await books.edit("holds", "ann-1", put(3, value=5))


async def no_hold(books: Books) -> None:
    await books.redis.hdel(books.keys["holds"], "ann-1")


async def another_order(books: Books) -> None:
    await books.edit("orders", "web:W1", put(8, 0, 3, value=1))


async def garbage_order(books: Books) -> None:
    await books.redis.hset(books.keys["orders"], "web:W1", "garbage")


async def no_order(books: Books) -> None:
    await books.redis.hdel(books.keys["orders"], "amazon:A1")


async def another_answer(books: Books) -> None:
    answer = await books.redis.hget(books.keys["ops"], "order:web:W1:1")
    await books.redis.hset(books.keys["ops"], "order:web:W1:1", answer[:-1] + b"?")


async def no_answer(books: Books) -> None:
    await books.redis.hdel(books.keys["ops"], "order:web:W1:1")


async def another_field(books: Books) -> None:
    await books.redis.hset(books.keys["config"], "channel:web", "nonsense")


async def no_field(books: Books) -> None:
    await books.redis.hdel(books.keys["config"], "ranks")


async def extra_field(books: Books) -> None:
    await books.redis.hset(books.keys["config"], "sku:GHOST", "boo")


async def no_deadline(books: Books) -> None:
    await books.redis.zrem(books.keys["deadlines"], "ann-1")


async def another_deadline(books: Books) -> None:
    await books.redis.zadd(books.keys["deadlines"], {"ann-1": 5})


async def deadline_of_the_dead(books: Books) -> None:
    await books.redis.zadd(books.keys["deadlines"], {"bob-1": 5})


async def deadline_of_nobody(books: Books) -> None:
    await books.redis.zadd(books.keys["deadlines"], {"nobody": 5})


async def no_owner(books: Books) -> None:
    await books.redis.hdel(books.keys["owners"], "web:ann")


async def owner_of_the_dead(books: Books) -> None:
    await books.redis.hset(books.keys["owners"], "web:bob", "bob-1")


async def nobody_waits(books: Books) -> None:
    await books.redis.delete(books.keys["waiting"])


async def waits_elsewhere(books: Books) -> None:
    [member] = await books.redis.zrange(books.keys["waiting"], 0, 0)
    await books.redis.zadd(books.keys["waiting"], {member: 1})


async def somebody_waits(books: Books) -> None:
    await books.redis.zadd(books.keys["waiting"], {b"CUP\x00000010000000000001\x00web:W1\x001": 0})


async def held_for_nobody(books: Books) -> None:
    await books.book(CUP, ("oslo", "held", "", 2))


async def committed_to_nobody(books: Books) -> None:
    await books.book(CUP, ("oslo", "committed", "", -1))


async def consumed_by_nobody(books: Books) -> None:
    await books.book(CUP, ("oslo", "consumed", "web", 1))


async def owed_to_nobody(books: Books) -> None:
    await books.book(TEE, ("", "backordered", "", 3))


async def conflict_of_nobody(books: Books) -> None:
    await books.book(TEE, ("", "conflict", "", 1))


IN_VALKEY = {
    more_units: "state_differs",
    garbage: "state_differs",
    another_version: "state_differs",
    no_state: "state_missing",
    another_hold: "hold_differs",
    no_hold: "hold_missing",
    another_order: "order_differs",
    garbage_order: "order_differs",
    no_order: "order_missing",
    another_answer: "answer_differs",
    no_answer: "answer_missing",
    another_field: "field_differs",
    no_field: "field_missing",
    extra_field: "field_extra",
    no_deadline: "deadline_differs",
    another_deadline: "deadline_differs",
    deadline_of_the_dead: "deadline_differs",
    deadline_of_nobody: "deadline_differs",
    no_owner: "owner_differs",
    owner_of_the_dead: "owner_differs",
    nobody_waits: "waiting_missing",
    waits_elsewhere: "waiting_missing",
    somebody_waits: "waiting_extra",
    held_for_nobody: "held_differs",
    committed_to_nobody: "committed_differs",
    consumed_by_nobody: "consumed_differs",
    owed_to_nobody: "backordered_differs",
    conflict_of_nobody: "conflict_differs",
}


@pytest.mark.parametrize("damage", IN_VALKEY, ids=lambda damage: damage.__name__)
async def test_damage_in_valkey_is_found_and_put_right_with_a_ledger_entry(books, damage):
    before = await dump(books.redis)
    await damage(books)

    repaired = await books.repair()

    await books.drain.run()
    assert IN_VALKEY[damage] in repaired.first.findings.counts
    assert all(finding.repair for finding, _ in repaired.first.findings.kept)
    assert repaired.last.findings.counts == {}
    entry = (await books.repairs())[-1]
    assert entry.why.startswith(REASON)
    assert IN_VALKEY[damage] in entry.why
    assert await books.kinds() == set()
    records = {books.keys[word].encode() for word in ("holds", "orders", "config", "owners", "deadlines", "waiting")}
    after = await dump(books.redis)
    assert {key: after[key] for key in records & after.keys()} == {key: before[key] for key in records & before.keys()}


async def test_a_repaired_sku_has_the_next_version_and_the_units_of_the_ledger(books):
    before = await books.state(CUP)
    await more_units(books)

    await books.repair()

    after = await books.state(CUP)
    assert after.version == before.version + 1
    assert after.places == before.places


async def test_a_frozen_sku_that_is_repaired_can_be_sold_again(books):
    await more_units(books)
    gate = Gate(books.redis, SELLER, EPOCH)
    await gate.freeze(CUP, "units that nobody received")
    await gate.freeze(PEN, "for another reason")

    repaired = await books.repair()

    assert repaired.thawed == [CUP]
    assert await gate.frozen() == {PEN: "for another reason"}
    await books.allocator.release("ann-1")


async def test_a_shut_gate_does_not_keep_repairs_out(books):
    await more_units(books)
    await Gate(books.redis, SELLER, EPOCH).shut("this run", "somebody looks into it")

    repaired = await books.repair()

    assert repaired.last.findings.counts == {}


async def test_the_audit_tells_who_repaired_what_and_why(books):
    await no_state(books)

    await books.repair()

    async with books.database.reading() as session:
        [entry] = await list_entries(session, seller=SELLER, wanted=Wanted(action="store.repair"), limit=10)
    assert (entry.actor, entry.detail["reason"]) == ("cli:ann", REASON)
    assert entry.detail["repaired"] == [f"state_missing {TEE}"]


async def test_much_damage_at_once_is_put_right(books):
    for damage in (more_units, no_state, garbage_order, no_hold, no_owner, nobody_waits, no_field, no_answer):
        await damage(books)

    repaired = await books.repair()

    assert repaired.last.findings.counts == {}
    assert await books.kinds() == set()


async def test_selling_goes_on_from_what_was_repaired(books):
    await more_units(books)
    await books.repair()

    await books.allocator.release("ann-1")
    await books.drain.run()

    assert (await books.state(CUP)).places["oslo"].held == 0
    assert await books.kinds() == set()


async def extra_state(books: Books) -> None:
    await books.redis.hset(books.keys["stock"], "GHOST", encode_state(SkuState(3)))


async def extra_hold(books: Books) -> None:
    hold = await books.redis.hget(books.keys["holds"], "bob-1")
    await books.redis.hset(books.keys["holds"], "ghost", hold)


async def extra_order(books: Books) -> None:
    order = await books.redis.hget(books.keys["orders"], "web:W2")
    await books.redis.hset(books.keys["orders"], "web:ghost", order)


async def another_epoch(books: Books) -> None:
    await books.redis.hset(books.keys["seller"], "epoch", "somebody-else-1")


async def empty_store(books: Books) -> None:
    await books.redis.delete(*SellerKeys(SELLER).all())


async def another_config_version(books: Books) -> None:
    await books.redis.hset(books.keys["seller"], "config", "99")


async def shorter_ledger(books: Books) -> None:
    await books.redis.delete(books.keys["ledger"])


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (extra_state, "state_extra"),
        (extra_hold, "hold_extra"),
        (extra_order, "order_extra"),
        (another_epoch, "epoch_differs"),
        (empty_store, "store_empty"),
        (another_config_version, "config_version_differs"),
        (shorter_ledger, "ledger_behind"),
    ],
)
async def test_what_nobody_can_decide_is_told_and_left_alone(books, damage, kind):
    await damage(books)
    before = await dump(books.redis)

    repaired = await books.repair()

    assert kind in repaired.first.findings.counts
    assert {finding.repair for finding, _ in repaired.last.findings.kept} == {""}
    assert await dump(books.redis) == before


async def test_what_changes_between_look_and_repair_is_looked_at_again(books, monkeypatch):
    await more_units(books)
    first = await books.check()
    await books.edit("stock", CUP, put(3, value=98))
    looks = iter([first])
    look = type(books).check

    async def stale(*arguments):
        return next(looks, None) or await look(books)

    monkeypatch.setattr("app.checking.repairing.check_seller", stale)

    repaired = await books.repair()

    assert repaired.last.findings.counts == {}
    assert (await books.state(CUP)).places["oslo"].on_hand == 11


def test_findings_are_what_machines_can_read():
    findings = Findings(SELLER)
    findings.add("state_extra", "CUP", "a state", "nothing")

    [[finding, fix]] = findings.kept
    assert fix is None
    assert msgspec.json.decode(msgspec.json.encode(finding))["means"] == KINDS["state_extra"].means
