"""The filter: Lua and Python put every name in the same place, nothing added is missed, and little else is found."""

from hashlib import sha1

import pytest

from allocator import forgotten
from allocator.forgotten import BLOCK, BLOCKS, FIRST, LEVELS, Forgotten, block_of, left_of, levels_of, name_of
from allocator.rebuilding import Rebuilding
from allocator.records import Kept
from tests.allocator.attic import forget as leave

SELLER, FILTER = "main", "{main}:forgotten"
OPS = "{main}:ops"
NAMES = [f"receive:delivery-{number}" for number in range(400)]


async def forget(allocator, redis, ops) -> None:
    """Let ops leave, whatever they were."""
    await redis.hset(OPS, mapping=dict.fromkeys(ops, b"said"))
    for start in range(0, len(ops), 100):
        await leave(allocator, [Kept("answer", op, b"said") for op in ops[start : start + 100]])


def filled(names) -> Forgotten:
    made = Forgotten()
    for name in names:
        made.add(name)
    return made


async def test_python_makes_the_filter_that_the_scripts_make(allocator, redis):
    await forget(allocator, redis, NAMES)

    made = filled(NAMES)

    found = await redis.get(FILTER)
    assert found == bytes(made.bits[: len(found)])
    assert not any(made.bits[len(found) :])
    assert int(await redis.hget("{main}:seller", "forgotten")) == made.names == len(NAMES)


def block_and_bytes(name: str) -> tuple[int, set[int]]:
    """Where a name lies in the first level, and the bytes of that block it has bits in."""
    digest = sha1(name.encode(), usedforsecurity=False).digest()
    bits = [int.from_bytes(digest[start : start + 2]) % (8 * BLOCK) for start in range(4, 20, 2)]
    return block_of(int.from_bytes(digest[:4]), 0), {bit // 8 for bit in bits}


async def test_a_name_takes_nothing_from_another_in_its_block(allocator, redis):
    """The last byte of a block, which the first of two names has a bit in, keeps it when the second comes."""
    last: dict[int, str] = {}
    pairs: list[str] = []
    for number in range(4_000):
        at, has = block_and_bytes(f"receive:{number}")
        if at in last:
            pairs += [last.pop(at), f"receive:{number}"]
        elif BLOCK - 1 in has:
            last[at] = f"receive:{number}"

    await forget(allocator, redis, pairs)

    found = await redis.get(FILTER)
    assert len(pairs) > 4
    assert found == bytes(filled(pairs).bits[: len(found)])


@pytest.mark.parametrize("names", [FIRST - 2, 3 * FIRST - 2])
async def test_a_level_that_is_full_is_followed_by_the_next_in_both(allocator, redis, names):
    """As if so many names were there: what is added then lies in two levels."""
    await redis.hset("{main}:seller", "forgotten", names)
    await forget(allocator, redis, NAMES[:10])
    made = Forgotten()
    made.names = names

    for name in NAMES[:10]:
        made.add(name)

    found, level = await redis.get(FILTER), levels_of(names)
    assert found == bytes(made.bits[: len(found)])
    assert len(found) > block_of(0, level)
    assert any(found[block_of(0, level - 1) : block_of(0, level)])
    assert await left_of(redis, SELLER, NAMES[:20]) == set(NAMES[:10])


async def test_what_python_made_is_found_by_the_scripts(allocator, redis):
    made = filled(NAMES)

    rebuilding = Rebuilding(redis, SELLER)
    await rebuilding.forgotten(made)

    assert await left_of(redis, SELLER, [*NAMES, "receive:other"]) == set(NAMES)
    await forget(allocator, redis, NAMES[:3])
    assert int(await redis.hget("{main}:seller", "forgotten")) == len(NAMES)


def test_every_name_of_a_full_level_is_found_and_one_of_a_thousand_others_at_most(monkeypatch):
    monkeypatch.setattr(forgotten, "FIRST", 65_536)
    monkeypatch.setattr(forgotten, "BLOCKS", 65_536 * 24 // 8 // BLOCK)
    made = filled(f"order:shop:{number}" for number in range(65_000))
    before = made.names

    for number in range(65_000):
        made.add(f"order:shop:{number}")
    missed = made.names - before
    for number in range(20_000):
        made.add(f"order:amazon:{number}")
    wrong = 20_000 - (made.names - before)

    assert missed == 0
    assert before > 65_000 - 65
    assert wrong < 20


def test_levels_have_room_for_twice_as_many_each_and_fit_into_one_string():
    starts = [FIRST * (2**level - 1) for level in range(LEVELS)]

    assert [levels_of(start) for start in starts] == list(range(LEVELS))
    assert [levels_of(start + 1) for start in starts] == list(range(1, LEVELS + 1))
    assert levels_of(10**12) == LEVELS
    assert block_of(BLOCKS * 2 ** (LEVELS - 1) - 1, LEVELS - 1) + BLOCK == block_of(0, LEVELS) <= 512 * 2**20


def test_all_attempts_of_an_order_and_the_order_have_one_name():
    names = {name_of(op) for op in ("order:shop:1:1", "order:shop:1:22")}

    assert names == {"order:shop:1"}
    assert [name_of(op) for op in ("order:a:b:c:7", "hold:order:x:1", "order:x", "order:a:1:x")] == [
        "order:a:b:c",
        "hold:order:x:1",
        "order:x",
        "order:a:1:x",
    ]


async def test_lua_names_ops_as_python_does(allocator, redis):
    odd = ["order:a:b:c:7", "hold:order:x:1", "order:x", "order:a:1:x", "order:shop:ü:3", "order::9", "order:a:٣"]
    await forget(allocator, redis, odd)

    found = await left_of(redis, SELLER, [name_of(op) for op in odd])

    assert found == {name_of(op) for op in odd}
    assert forgotten.name_of("order:a:٣") == "order:a:٣"
