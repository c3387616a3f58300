"""Nonsense is refused before anything is written, by every verb, whoever sends it."""

import asyncio

import msgspec
import pytest
from redis.exceptions import ResponseError

from allocator import AdjustLine, StockLine, errors
from allocator.answers import unpack
from allocator.records import decode_order, waiting_member
from allocator.scripts import scripts

from .fixtures import CONFIG, CUP, MUG, atp, buckets, dump, hold, new_allocator, order, stock, units_at
from .raw import VERBS, call, changed, edge_calls, reply, right, row_calls, wrong_calls

pack = msgspec.msgpack.encode

every_verb = pytest.mark.parametrize("verb", sorted(VERBS))


@pytest.fixture
async def busy(allocator):
    """A seller with stock, an open hold h1 of ann's and an order 1."""
    await stock(allocator, oslo=10, rome=10)
    await allocator.hold(hold("h1", 2, owner="ann"))
    await allocator.order(order("1", 3))
    return allocator


def test_every_verb_is_tried():
    assert VERBS.keys() == scripts().keys()


@every_verb
async def test_the_call_the_others_are_made_from_is_right(busy, redis, verb):
    word, facts = await call(redis, verb, right(verb))

    assert word != "invalid", facts


@every_verb
async def test_one_wrong_argument_is_refused_and_changes_nothing(busy, redis, verb):
    calls = list(wrong_calls(verb))
    before = await dump(redis)

    answers = await asyncio.gather(*(call(redis, verb, arguments) for _, arguments in calls))

    taken = [what for (what, _), (word, _) in zip(calls, answers, strict=True) if word != "invalid"]
    assert taken == []
    assert await dump(redis) == before


@every_verb
async def test_what_only_just_keeps_the_limits_is_understood(busy, redis, verb):
    answers = {what: await call(redis, verb, arguments) for what, arguments in edge_calls(verb)}

    refused = {what: facts for what, (word, facts) in answers.items() if word == "invalid"}
    assert {what: facts for what, facts in refused.items() if facts not in WRONG_BESIDE_LIMITS} == {}


WRONG_BESIDE_LIMITS = (
    ["sku is there twice"],
    ["field is there twice"],
    ["version must be greater than the one in force"],
    ["candidates must name the location the goods left"],
)


@every_verb
async def test_the_fewest_and_the_most_rows_are_understood_and_no_others(busy, redis, verb):
    for what, arguments, allowed in row_calls(verb):
        word, facts = await call(redis, verb, arguments)

        assert (word != "invalid") == allowed or facts in WRONG_BESIDE_LIMITS, (what, word, facts)


@every_verb
async def test_nonsense_is_no_replay_and_names_its_op(busy, redis, verb):
    operation = b"raw" if "op" in {argument.name for argument in VERBS[verb]} else b""

    word, _, replayed, named = await reply(redis, verb, [*right(verb), "one too many"])

    assert (word, replayed, named) == (b"invalid", 0, operation)


@pytest.mark.parametrize(
    ("verb", "values", "words"),
    [
        ("receive", {"location": ""}, "location is missing"),
        ("receive", {"location": "", "units": "0"}, "location is missing"),
        ("receive", {"why": "x" * 257}, "why must be text of at most 256 bytes without control characters"),
        ("receive", {"units": "0"}, "units must be a whole number from 1 to 1000000000"),
        ("receive", {"fingerprint": "short"}, "fingerprint must be 16 bytes, and letters for what SQL does not know"),
        ("adjust", {"units": "0"}, "units must not be 0"),
        ("count", {"units": "0"}, "units must not be 0"),
        ("unavailable", {"direction": "up"}, "direction has a value that is not known"),
        ("move_quota", {"to": "shop"}, "to must be another channel than from"),
        ("order", {"line": "1"}, "line is named twice"),
        ("return_units", {"order_id": "", "return_id": "R1"}, "return_id is of an order"),
        ("order", {"candidates": ""}, "candidates is missing"),
        ("order", {"candidates": "[1]"}, "candidates must be up to 15 locations, each once, with their ties"),
        ("configure", {"version": "0"}, "version must be a whole number from 1 to 1000000000000"),
        ("configure", {"base": "1", "version": "1"}, "version must be greater than the one in force"),
        ("recall", {"record": b"?"}, "record is not that of an ended hold or a closed order"),
        ("recall", {"kind": "order", "record": b"?"}, "record is not that of an ended hold or a closed order"),
        ("repair", {"bucket": "backordered"}, "bucket is none of that place"),
        ("repair", {"state": "?"}, "state cannot be read"),
        ("repair", {"kind": "hold", "record": "?"}, "record cannot be read"),
        ("order", {"kind": "gone", "candidates": "[]"}, "candidates must name the location the goods left"),
    ],
)
async def test_what_is_wrong_is_told_in_words(busy, redis, verb, values, words):
    assert await call(redis, verb, changed(verb, **values)) == ("invalid", [words])


async def test_arguments_too_few_or_too_many_are_told_in_words(busy, redis):
    words = ["the arguments are not as many as announced"]

    assert await call(redis, "release", [*right("release"), ""]) == ("invalid", words)
    assert await call(redis, "stock", [*right("stock"), ""]) == ("invalid", words)


@every_verb
async def test_the_refusal_names_the_argument(busy, redis, verb):
    for argument in VERBS[verb]:
        if argument.wrong:
            word, [what] = await call(redis, verb, changed(verb, **{argument.name: argument.wrong[-1]}))

            assert word == "invalid"
            assert what.startswith(f"{argument.name} ") or "as many as announced" in what


@pytest.mark.parametrize(
    ("verb", "count"),
    [
        (verb, argument.name)
        for verb in VERBS
        for argument in VERBS[verb]
        if argument.name in {"lines", "skus", "fields"}
    ],
)
async def test_a_count_that_is_not_what_follows_is_refused(busy, redis, verb, count):
    before = await dump(redis)
    [told] = {argument.right for argument in VERBS[verb] if argument.name == count}
    others = [str(int(told) + 1), str(int(told) + 7)] if verb != "serve" else []

    words = [(await call(redis, verb, changed(verb, **{count: other})))[0] for other in others]

    assert set(words) <= {"invalid"}
    assert await dump(redis) == before


async def test_the_same_line_twice_is_refused(busy, redis):
    before = await dump(redis)

    assert (await call(redis, "order", changed("order", line="1")))[0] == "invalid"
    assert (await call(redis, "hold", changed("hold", line="1")))[0] == "invalid"
    assert await dump(redis) == before


async def test_what_only_one_location_has_is_not_counted_twice(allocator, redis):
    await stock(allocator, oslo=1)

    word, _ = await call(redis, "hold", changed("hold", candidates='["oslo",0]'))

    assert word == "short"
    assert await buckets(redis, "oslo") == (1, 0, 0)


async def test_the_only_candidate_fills_no_order_twice(allocator, redis):
    await stock(allocator, oslo=1, bergen=1)

    word, _ = await call(redis, "order", changed("order", candidates='["oslo",0]'))

    # two units may be promised, but the only candidate has one of them
    assert word == "unroutable"
    assert await buckets(redis, "oslo") == (1, 0, 0)


async def test_candidates_that_do_not_exist_give_nothing(allocator, redis):
    await stock(allocator, oslo=9)

    assert (await call(redis, "order", changed("order", candidates='["atlantis",0]')))[0] == "unroutable"
    assert (await call(redis, "hold", changed("hold", candidates='["atlantis",0]')))[0] == "unroutable"


async def test_a_candidate_of_another_channel_gives_nothing(allocator, redis):
    await stock(allocator, bergen=9, oslo=1)

    word, _ = await call(redis, "order", changed("order", candidates='["bergen",0]', channel="amazon", kind="promise"))

    assert word == "short"
    assert await buckets(redis, "bergen") == (9, 0, 0)


async def test_a_sale_of_goods_gone_from_nowhere_is_refused(busy, redis):
    before = await dump(redis)

    assert (await call(redis, "order", changed("order", kind="gone", candidates="[]")))[0] == "invalid"
    assert await dump(redis) == before


async def test_many_repeated_lines_of_a_movement_are_summed(allocator, redis):
    await allocator.receive([StockLine(CUP, "oslo", 2)] * 3, op="r1")

    assert await buckets(redis, "oslo") == (6, 0, 0)


async def test_repeated_lines_cannot_take_away_more_than_there_is(allocator, redis):
    await stock(allocator, oslo=5)

    with pytest.raises(errors.NotEnough) as refused:
        await allocator.adjust([AdjustLine(CUP, "oslo", -3)] * 2, op="a1", why="count")

    assert refused.value.facts == {"sku": CUP, "location": "oslo", "units": 2}
    assert await buckets(redis, "oslo") == (5, 0, 0)


async def test_sums_at_the_limits_stay_exact(allocator, redis):
    most = [StockLine(CUP, "oslo", 1_000_000_000)] * 10
    await allocator.receive(most, op="r1")

    placed = await allocator.order(order("1", *[1_000_000_000] * 9, 999_999_999))

    assert units_at(placed) == {"oslo": 9_999_999_999}
    assert await atp(allocator) == 1
    assert await buckets(redis, "oslo") == (10_000_000_000, 0, 9_999_999_999)


async def test_ids_may_look_like_anything_but_control_characters(allocator):
    await stock(allocator, oslo=9)
    strange = ["a:b", "{x}", "%d %s", "' .. x", "ключ", "🛒", "a b", "]]", "--", "\\n", "nil", "0", "%z", "(", "\u200b"]

    for id in strange:
        held = await allocator.hold(hold(id, 1, owner=id))
        assert (await allocator.find_hold(id)).takes == held.takes
        await allocator.release(id)
        await allocator.order(order(id, 1, channel="amazon"))
        await allocator.cancel("amazon", id, op="c1")

    assert await atp(allocator) == 9


async def test_backorders_of_strange_orders_are_served(allocator):
    strange = ["a:b:c", "%d", "ключ 🛒", "{x}"]
    for id in strange:
        await allocator.order(order(id, 1, channel="amazon"))

    await stock(allocator, oslo=4)
    served = await allocator.serve()

    assert sorted(line.order for line in served.lines) == sorted(f"amazon:{id}" for id in strange)


# --- damage that was there before


DAMAGE = {
    "a state of another shape": b"\xc1nonsense",
    "a state that is no list": b"\xa5hello",
    "nothing at all": b"",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
@pytest.mark.parametrize(
    "verb", ["receive", "adjust", "count", "unavailable", "hold", "order", "ship", "cancel", "release"]
)
async def test_a_damaged_state_stops_the_verb_before_it_writes(redis, verb, damage):
    allocator = await _damaged(redis, damage)
    before = await dump(redis)

    with pytest.raises(ResponseError):
        await call(redis, verb, changed(verb, **({"hold_id": ""} if verb == "order" else {})))

    assert await dump(redis) == before
    await stock(allocator, MUG, oslo=1)


async def _busy_seller(redis):
    """As `busy`, for tests that leave the books in disorder on purpose."""
    allocator = await new_allocator(redis)
    await allocator.configure_all(CONFIG)
    await stock(allocator, oslo=10, rome=10)
    await allocator.hold(hold("h1", 2, owner="ann"))
    await allocator.order(order("1", 3))
    return allocator


async def _damaged(redis, damage: bytes):
    """A seller whose cups can no longer be read; the other skus are sound."""
    allocator = await _busy_seller(redis)
    await redis.hset("{main}:stock", CUP, damage)
    return allocator


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("release", changed("release")),
        ("order", changed("order", hold_id="h1")),
        ("ship", changed("ship")),
        ("cancel", changed("cancel")),
    ],
)
async def test_takes_that_were_never_booked_cannot_be_undone(redis, verb, arguments):
    await _busy_seller(redis)
    # cups as they were before anything was held or committed: the hold and the order claim what nobody booked
    await redis.hset("{main}:stock", CUP, pack([9, 0, "oslo", 10, 0, 0, 0]))
    before = await dump(redis)

    with pytest.raises(ResponseError, match="below zero"):
        await call(redis, verb, arguments)

    assert await dump(redis) == before


@pytest.mark.parametrize("verb", ["receive", "hold", "order", "release"])
async def test_units_promised_twice_stop_every_verb_that_is_no_fact(redis, verb):
    await _busy_seller(redis)
    # 2 on hand, 2 held, 3 committed, and no deficit says so
    await redis.hset("{main}:stock", CUP, pack([9, 0, "oslo", 2, 2, 3, 0, "rome", 20, 0, 0, 0]))
    before = await dump(redis)

    with pytest.raises(ResponseError, match="promised twice"):
        await call(redis, verb, changed(verb, hold_id="h1") if verb != "hold" else changed(verb, owner=""))

    assert await dump(redis) == before


TEN_BILLION = 10_000_000_000


@pytest.mark.parametrize(
    ("owed", "place", "words"),
    [
        (0, [10, -1, 0, 0], "a bucket fell below zero"),
        (0, [10, 0, -1, 0], "a bucket fell below zero"),
        (0, [10, 0, 0, [0, ["wet", -1], []]], "a bucket fell below zero"),
        (0, [10, 0, 0, [0, ["wet", 2, "lost", -1], []]], "a bucket fell below zero"),
        (0, [10, 0, 0, [0, [], ["shop", 1, 1, 2, 0]]], "a quota consumed less than nothing"),
        (0, [10, 0, 0, [0, [], ["shop", 1, 0, -1, 0]]], "a quota consumed less than nothing"),
        (0, [10, 0, 0, [0, [], ["shop", 1, 0, 0, 0, "till", 1, 1, 2, 0]]], "a quota consumed less than nothing"),
        (0, [TEN_BILLION + 1, 0, 0, 0], "on_hand is out of range"),
        (0, [-TEN_BILLION - 1, 0, 0, [TEN_BILLION + 1, [], []]], "on_hand is out of range"),
        (0, [2, 3, 0, 0], "units were promised twice"),
        (0, [2, 3, 0, [0, ["wet", 0], []]], "units were promised twice"),
        ([-1, 0], [10, 0, 0, 0], "a debt fell below zero"),
        ([0, -1], [10, 0, 0, 0], "a debt fell below zero"),
    ],
)
async def test_numbers_that_cannot_be_stop_whatever_moves_units_of_that_sku(redis, owed, place, words):
    await _busy_seller(redis)
    await redis.hset("{main}:stock", CUP, pack([9, owed, "oslo", *place]))
    before = await dump(redis)

    with pytest.raises(ResponseError, match=words):
        await call(redis, "receive", changed("receive", location="rome"))

    assert await dump(redis) == before


@pytest.mark.parametrize(
    "place",
    [
        [TEN_BILLION, 0, 0, 0],
        [-TEN_BILLION, 0, 0, [TEN_BILLION, [], []]],
        [2, 3, 0, [1, [], []]],
        [2, 3, 0, [5, [], []]],
        [10, 0, 0, [0, ["wet", 10], ["shop", 1, 2, 2, 0]]],
    ],
)
async def test_numbers_at_their_limits_stop_nobody(redis, place):
    await _busy_seller(redis)
    await redis.hset("{main}:stock", CUP, pack([9, 0, "oslo", *place]))

    word, _ = await call(redis, "receive", changed("receive", location="rome"))

    assert word == "moved"


@pytest.mark.parametrize(
    "changes", [{2: 4}, {3: 2}, {4: 1}, {5: 1}, {6: 1}, {7: 1}, {8: 1}, {2: 6, 4: 1, 5: 1, 6: 1, 8: 2}]
)
async def test_an_order_whose_lines_do_not_add_up_stops_its_next_verb(redis, changes):
    await _busy_seller(redis)
    row = unpack(await redis.hget("{main}:orders", "shop:1"))
    for bucket, units in changes.items():
        row[8][0][bucket] = units
    await redis.hset("{main}:orders", "shop:1", pack(row))
    before = await dump(redis)

    with pytest.raises(ResponseError, match="the units of a line do not add up"):
        await call(redis, "pick", right("pick"))

    assert await dump(redis) == before


async def test_an_order_whose_lines_add_up_from_every_bucket_is_sound(redis):
    await _busy_seller(redis)
    row = unpack(await redis.hget("{main}:orders", "shop:1"))
    row[8][0][2:9] = [3 + 2 + 3 + 4 + 5, 3, 2, 3, 4, 5, 2]
    await redis.hset("{main}:orders", "shop:1", pack(row))

    word, [state, *_] = await call(redis, "pick", right("pick"))

    assert (word, state) == ("changed", "conflict")


NAMED = ("unavailable", "quota", "consumed", "spent", "floor", "in_transit")
"""Buckets whose units have a name: a reason, a channel, a transfer."""


@pytest.mark.parametrize(
    ("move", "known"),
    [
        *((("oslo", bucket, ""), True) for bucket in ("on_hand", "held", "committed")),
        *((("oslo", bucket, "shop"), True) for bucket in NAMED),
        *((("", bucket, ""), True) for bucket in ("backordered", "conflict")),
        *((("oslo", "conflict", ""), False), (("", "held", ""), False), (("oslo", "held", "shop"), False)),
        *((("oslo", bucket, ""), False) for bucket in NAMED),
    ],
)
async def test_a_repair_moves_units_between_buckets_that_there_are(busy, redis, move, known):
    location, bucket, of = move

    word, _ = await call(redis, "repair", changed("repair", location=location, bucket=bucket, of=of))

    assert word == ("changed_meanwhile" if known else "invalid")


async def test_a_repair_takes_an_ended_hold_out_of_the_indexes(busy, redis):
    await busy.release("h1")
    await redis.zadd("{main}:deadlines", {"h1": 1})
    await redis.hset("{main}:owners", "shop:ann", "h1")
    head = right("repair")[:7]

    done = await call(redis, "repair", [*head, "0", "0", "2", "deadlines", "h1", "owners", "shop:ann"])

    assert done == ("repaired", [[], 2])
    assert await redis.exists("{main}:deadlines", "{main}:owners") == 0


async def test_an_error_of_the_server_itself_is_told(redis):
    await _busy_seller(redis)
    await redis.delete("{main}:holds")
    await redis.set("{main}:holds", "no hash")

    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await call(redis, "release", right("release"))


@pytest.mark.parametrize(("units", "gone"), [(1, 1), (11, 0)])
async def test_a_repair_takes_out_of_the_queue_what_does_not_wait(redis, units, gone):
    allocator = await new_allocator(redis)
    await allocator.configure_all(CONFIG)
    await stock(allocator, oslo=10)
    await allocator.order(order("1", units, channel="amazon"))
    member = waiting_member(decode_order(await redis.hget("{main}:orders", "amazon:1")), "1", CUP)
    await redis.zadd("{main}:waiting", {member: 0})
    head = right("repair")[:7]

    done = await call(redis, "repair", [*head, "0", "0", "1", "waiting", member.decode()])

    assert done == ("repaired", [[], gone])
    assert await redis.zcard("{main}:waiting") == 1 - gone
