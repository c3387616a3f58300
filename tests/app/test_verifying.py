"""A store that was started anew is compared with SQL sku by sku: what differs is frozen, what was lost is told."""

import re
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis
from sqlmodel import delete

from allocator import Allocator, Pipe, SellerKeys, StockLine, errors, make_client
from allocator.balances import encode_state
from allocator.gate import CHECKING, FROZEN, OPEN, SHUT, Gate
from allocator.pipe import run_of
from allocator.records import decode_state
from allocator.scripts import library
from app.draining.drain import READER, Drain
from app.recovery import verifying
from app.recovery.rebuild import rebuild
from app.recovery.verifying import Verifier
from app.store.audit import Wanted, list_entries
from app.store.cursors import begin_at
from app.store.database import Database
from app.store.datasets import ensure_dataset, next_generation
from app.store.ledger import states_of
from app.store.ledger_tables import BalanceRow, ConfigFieldRow, HoldRow, LedgerEntryRow, OpAnswerRow, OrderRow
from app.store.sellers import ensure_seller, mark_begun
from tests.allocator.town import EPOCH, SELLER
from tests.allocator.twins import Twins
from tests.allocator.walk import Walk

STEPS = 150
STOCK, LEDGER = SellerKeys(SELLER).named("stock", "ledger")


@pytest.fixture
def past(servers) -> Iterator[tuple[Twins, Walk]]:
    """A seller with a past."""
    both = Twins(servers["valkey"], agree=False)
    walk = Walk(both, 5)
    for _ in range(STEPS):
        walk.step()
    yield both, walk
    both.close()


@pytest.fixture
async def client(past) -> AsyncIterator[Redis]:
    client = make_client(past[0].url)
    yield client
    await client.aclose()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(database_url) as database:
        async with database.writing() as session:
            await ensure_dataset(session, now_ms=1, id=EPOCH.removesuffix("-1"))
            await ensure_seller(session, SELLER, "Shop")
            await mark_begun(session, SELLER)
        yield database


@pytest.fixture
async def drain(database: Database, client: Redis) -> Drain:
    """A drain that has done its work until now."""
    drain = Drain(database, client)
    await drain.run()
    return drain


@pytest.fixture
def gate(client: Redis) -> Gate:
    return Gate(client, SELLER, EPOCH)


@pytest.fixture
def verifier(database: Database, client: Redis, drain: Drain) -> Verifier:
    return Verifier(database, client, drain)


@pytest.fixture
def allocator(client: Redis) -> Allocator:
    return Allocator(Pipe(client), SELLER, EPOCH)


async def receive(allocator: Allocator, sku: str = "CUP", op: str = "more") -> bool:
    """Whether units of it may move."""
    await allocator.reload()
    try:
        await allocator.receive([StockLine(sku, "oslo", 1)], op=op)
    except (errors.Checking, errors.Frozen):
        return False
    return True


async def test_a_store_that_lost_nothing_is_opened_all_of_it(verifier, gate, allocator, client):
    await gate.meet("another run")
    assert not await receive(allocator)

    await verifier.run()

    assert await gate.standing() == (OPEN, "")
    assert [await receive(allocator, sku, sku) for sku in ("CUP", "TEE", "PEN")] == [True, True, True]


async def test_a_store_that_was_filled_again_from_nothing_is_opened(database, client, verifier):
    async with database.writing() as session:
        later = await next_generation(session)
        for table in (LedgerEntryRow, BalanceRow, ConfigFieldRow, OrderRow, HoldRow, OpAnswerRow):
            await session.exec(delete(table))
    await rebuild(database, client, SELLER, later.epoch, discard=True, release=True)
    gate = Gate(client, SELLER, later.epoch)
    await gate.meet("another run")

    await verifier.run()

    assert await gate.standing() == (OPEN, "")


async def test_what_was_not_drained_when_the_server_died_is_drained_before_anything_opens(
    verifier, gate, allocator, database, client
):
    for number in range(3):
        assert await receive(allocator, op=f"late-{number}")

    await verifier.run()

    async with database.reading() as session:
        [(_, known)] = (await states_of(session, SELLER, ["CUP"])).items()
    assert known == await client.hget(STOCK, "CUP")
    assert await gate.standing() == (OPEN, "")


async def test_a_run_that_was_checked_is_not_checked_again(verifier, gate, client):
    await verifier.run()
    await client.hset(STOCK, "CUP", b"damaged")

    await verifier.run()

    assert await gate.standing() == (OPEN, "")


@pytest.mark.parametrize("damage", ["changed", "missing", "added", "version"])
async def test_a_store_whose_config_is_not_what_the_ledger_says_is_shut(verifier, gate, client, damage):
    [config, owner] = SellerKeys(SELLER).named("config", "seller")
    [field, *_] = await client.hkeys(config)
    match damage:
        case "changed":
            await client.hset(config, field, b"damaged")
        case "missing":
            await client.hdel(config, field)
        case "added":
            await client.hset(config, "sku:NOBODY", b"damaged")
        case "version":
            await client.hset(owner, "config", 999)

    await verifier.run()

    standing = await gate.standing()
    assert standing.gate == SHUT
    assert "config in force is not what the ledger says" in standing.why


async def test_a_server_that_was_started_anew_gets_our_verbs_again(verifier, client):
    damaged = library().source.replace("KEEPS", "keeps", 1)
    await client.function_load(damaged, replace=True)

    await verifier.run()

    [found] = await client.function_list(library().name, withcode=True)
    assert library().source.encode() in (found.values() if isinstance(found, dict) else found)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("on_hand", r"oslo on_hand is \d+, the ledger adds up to \d+"),
        ("version", r"version is \d+, the ledger adds up to \d+"),
        ("garbage", "cannot be read"),
        ("nothing", "the store has nothing of it"),
    ],
)
async def test_a_sku_that_differs_is_frozen_with_the_evidence_and_the_others_are_sold(
    verifier, gate, allocator, damage, says
):
    await _damage(gate._client, damage)

    await verifier.run()

    [(sku, evidence)] = (await gate.frozen()).items()
    assert sku == "CUP"
    assert re.search(says, evidence)
    assert (await gate.standing()).gate == FROZEN
    assert (await receive(allocator), await receive(allocator, "TEE", "more-2")) == (False, True)


async def test_a_sku_that_is_frozen_is_audited(verifier, gate, database):
    await _damage(gate._client, "on_hand")

    await verifier.run()

    async with database.reading() as session:
        [told] = await list_entries(session, seller=SELLER, wanted=Wanted(), limit=9)
    assert (told.actor, told.action, told.target) == ("worker", "sku.freeze", "CUP")
    assert told.detail == {"evidence": (await gate.frozen())["CUP"]}


async def _damage(client: Redis, damage: str) -> None:
    state = decode_state(await client.hget(STOCK, "CUP"))
    if damage == "nothing":
        await client.hdel(STOCK, "CUP")
    elif damage == "garbage":
        await client.hset(STOCK, "CUP", b"\xc1 no state")
    elif damage == "version":
        state.version += 1
        await client.hset(STOCK, "CUP", encode_state(state))
    else:
        state.places["oslo"].on_hand += 80
        await client.hset(STOCK, "CUP", encode_state(state))


# --- what the store lost -----------------------------------------------------------------------------------------


async def test_a_store_without_its_newest_entries_is_shut_and_says_what_is_lost(verifier, gate, allocator, client):
    newest = (await client.xrevrange(LEDGER, count=1))[0][0].decode()
    older = (await client.xrevrange(LEDGER, count=2))[1][0].decode()
    await _go_back(client, older)

    await verifier.run()

    standing = await gate.standing()
    assert standing.gate == SHUT
    assert older in standing.why
    assert newest in standing.why
    with pytest.raises(errors.NotReady, match="older copy"):
        await allocator.reload()


async def _go_back(client: Redis, until: str) -> None:
    """The ledger as it was after this entry; XSETID does not go back, so it is made again."""
    rows = await client.xrange(LEDGER, "-", until)
    await client.delete(LEDGER)
    for id, fields in rows:
        await client.xadd(LEDGER, fields, id)


async def test_a_store_that_went_another_way_after_a_fail_over_is_shut(verifier, gate, client):
    [(newest, fields)] = await client.xrevrange(LEDGER, count=1)
    older = (await client.xrevrange(LEDGER, count=2))[1][0].decode()
    await _go_back(client, older)
    await client.xadd(LEDGER, {**fields, b"answer": b"\x90"}, newest)

    await verifier.run()

    assert "gone different ways" in (await gate.standing()).why


async def test_a_store_of_which_sql_knows_less_than_it_has_trimmed_is_shut(verifier, gate, client, database):
    first = (await client.xrange(LEDGER, count=1))[0][0].decode()
    async with database.writing() as session:
        await begin_at(session, SELLER, READER, first)
    await client.xtrim(LEDGER, maxlen=3, approximate=False)

    await verifier.run()

    assert f"no longer has entry {first}" in (await gate.standing()).why


async def test_an_entry_that_cannot_be_read_shuts_the_store(verifier, gate, client):
    await client.xadd(LEDGER, {b"entry": b"\xc1"})

    await verifier.run()

    assert "cannot be drained" in (await gate.standing()).why


async def test_what_is_shut_stays_so_until_somebody_says_otherwise(verifier, gate, allocator):
    await verifier.run()
    run = await run_of(gate._client)
    await gate.shut(run, "a drill")
    await verifier.run()
    assert (await gate.standing()).gate == SHUT

    await gate.shut(run, "")
    assert (await gate.standing()).gate == CHECKING
    await verifier.run()

    assert await receive(allocator)


# --- one sku after the other -------------------------------------------------------------------------------------


async def test_hot_skus_are_opened_before_all_others(verifier, gate, allocator, monkeypatch):
    opened = []
    real = Gate.open

    async def listening(self, run, *, upto="", skus=None, last=False):
        opened.append((upto, skus, last))
        return await real(self, run, upto=upto, skus=skus, last=last)

    monkeypatch.setattr(Gate, "open", listening)
    monkeypatch.setattr("app.recovery.verifying.CHUNK", 1)

    await verifier.run()

    (_, hot, _), *in_order, (_, _, last) = opened
    assert set(hot) == {"CUP", "TEE", "PEN"}
    assert [upto for upto, _, _ in in_order] == ["CUP", "PEN", "TEE"]
    assert last


async def test_a_check_that_another_one_has_overtaken_freezes_nothing(verifier, gate, allocator, monkeypatch):
    real = verifying._Check.compare_all

    async def overtaken(self):
        monkeypatch.setattr(verifying._Check, "compare_all", real)
        await verifier.run()
        assert await receive(allocator)
        return await real(self)

    monkeypatch.setattr(verifying._Check, "compare_all", overtaken)

    await verifier.run()

    assert (await gate.standing()).gate == OPEN


async def test_a_server_that_is_started_again_while_it_is_checked_is_checked_again(verifier, gate, monkeypatch):
    real = Gate.freeze
    monkeypatch.setattr("app.recovery.verifying.CHUNK", 1)

    async def restarted(self, sku, evidence, *, seen=b"", run=""):
        await self.meet("the next run")
        return await real(self, sku, evidence, seen=seen, run=run)

    monkeypatch.setattr(Gate, "freeze", restarted)
    await gate._client.hdel(STOCK, "PEN")

    await verifier.run()

    assert (await gate.standing()).gate == CHECKING
