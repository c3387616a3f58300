"""A power cut leaves what was on the disk, whole units of it, and nothing else."""

import pytest

from tests.simulator.pipe import Client, Network
from tests.simulator.store import NOON_MS, Store
from tests.simulator.wishes import PROBE, Wishes

KEYS = [f"{{x}}:{name}" for name in ("hash", "hash-2", "set", "zset", "queue", "stream", "string")]


@pytest.fixture
def store():
    return Store()


def data(store):
    """All there is; in no order, since what a power cut brings back may come last."""
    readers = {b"hash": ["HGETALL"], b"set": ["SMEMBERS"], b"string": ["GET"], b"none": ["EXISTS"]}
    found = {}
    for key in KEYS:
        kind = store.command("TYPE", key)
        if kind in readers:
            reply = store.command(*readers[kind], key)
            found[key] = sorted(reply) if isinstance(reply, list) else reply
        elif kind == b"zset":
            found[key] = store.command("ZRANGE", key, 0, -1, "WITHSCORES")
        else:
            found[key] = store.command("XRANGE", key, "-", "+"), store.command("XINFO", "STREAM", key)
    return found


def test_what_was_not_on_the_disk_is_forgotten(store):
    store.command("HSET", "{x}:hash", "a", "1")
    store.fsync()
    store.command("HSET", "{x}:hash", "a", "2", "b", "3")
    store.command("SADD", "{x}:set", "m")

    store.crash()

    assert data(store)["{x}:hash"] == {b"a": b"1"}
    assert store.command("EXISTS", "{x}:set") == 0
    assert store.volatile == 0


def test_the_first_units_may_have_reached_the_disk_and_the_later_ones_not(store):
    for value in "1234":
        store.command("HSET", "{x}:hash", "a", value)

    store.crash(kept=2)

    assert store.command("HGET", "{x}:hash", "a") == b"2"


def test_all_a_script_wrote_is_one_unit_also_when_it_failed(store):
    store.command("FUNCTION", "LOAD", PROBE)
    store.fsync()
    failed = store.command("FCALL", "probe_error", 1, "{x}:string", "text")
    store.command("FCALL", "probe_numbers", 1, "{x}:hash")

    units = store.volatile

    assert isinstance(failed, Exception)
    assert units == 2


def test_reading_makes_no_unit(store):
    store.command("HGETALL", "{x}:hash")
    store.command("HDEL", "{x}:hash", "a")

    assert store.volatile == 0


def test_commands_of_a_transaction_are_one_unit(store):
    store.together([["HSET", "{x}:hash", "a", "1"], ["SADD", "{x}:set", "m"]])

    assert store.volatile == 1


@pytest.mark.parametrize("seed", range(20))
def test_after_a_power_cut_the_data_are_those_of_the_moment_the_kept_units_end(store, seed):
    wishes = Wishes(seed)
    for _ in range(200):
        store.command(*wishes.one())
    store.fsync()
    moments = [data(store)]
    while store.volatile < 60:
        store.command(*wishes.one())
        if store.volatile == len(moments):
            moments.append(data(store))
    kept = wishes.random.randint(0, 60)

    store.crash(kept)

    assert data(store) == moments[kept]


def test_a_library_that_was_not_on_the_disk_is_gone_and_one_that_was_starts_anew(store):
    store.command(
        "FUNCTION",
        "LOAD",
        "#!lua name=one\nlocal n = 0\nredis.register_function('count', function() n = n + 1 return n end)",
    )
    store.fsync()
    store.command("FCALL", "count", 0)
    store.command("FUNCTION", "LOAD", PROBE)

    store.crash()

    assert store.command("FCALL", "count", 0) == 1
    assert "Function not found" in str(store.command("FCALL", "probe_numbers", 1, "k"))


def test_a_snapshot_can_be_restored_more_than_once(store):
    store.command("HSET", "{x}:hash", "a", "1")
    store.command("ZADD", "{x}:zset", "1", "m")
    store.command("XADD", "{x}:stream", "1-1", "a", "b")
    snapshot, before = store.snapshot(), data(store)

    for _ in range(2):
        store.command("HSET", "{x}:hash", "a", "2", "c", "3")
        store.command("ZADD", "{x}:zset", "5", "m", "6", "n")
        store.command("XADD", "{x}:stream", "*", "c", "d")
        store.restore(snapshot)

        assert data(store) == before


def test_ledger_ids_follow_the_clock_and_rise_when_it_stands_or_goes_back(store):
    ids = []
    for now in (NOON_MS, NOON_MS, NOON_MS + 5, NOON_MS - 3_600_000):
        store.now_ms = now
        ids.append(store.command("XADD", "{x}:stream", "*", "a", "b"))

    assert ids == [
        f"{NOON_MS}-0".encode(),
        f"{NOON_MS}-1".encode(),
        f"{NOON_MS + 5}-0".encode(),
        f"{NOON_MS + 5}-1".encode(),
    ]
    assert store.command("TIME") == [str((NOON_MS - 3_600_000) // 1000).encode(), b"0"]


def test_what_is_drawn_at_random_is_the_same_for_the_same_seed():
    drawn = []
    for seed in (5, 5, 6):
        store = Store(seed)
        store.command("SADD", "{x}:set", *(f"member-{n}" for n in range(50)))
        drawn.append([store.command("SRANDMEMBER", "{x}:set", 3) for _ in range(20)])

    assert drawn[0] == drawn[1] != drawn[2]
    assert all(len(set(few)) == 3 for few in drawn[0])


async def test_a_large_hash_is_scanned_in_pages_and_what_stays_is_seen_once(store):
    client = Client(Network(store))
    await client.hset("{x}:hash", mapping={f"field-{n}": n for n in range(1_000)})

    seen = []
    async for field, _ in client.hscan_iter("{x}:hash", count=70):
        seen.append(field)
        if len(seen) == 100:
            await client.hdel("{x}:hash", *(f"field-{n}" for n in range(90)))

    assert len(seen) == len(set(seen)) == 1_000


def test_what_the_shim_does_not_know_stops_the_world_instead_of_being_guessed(store):
    with pytest.raises(Exception, match="does not know options of ZADD"):
        store.command("ZADD", "{x}:zset", "NX", "1", "a")
