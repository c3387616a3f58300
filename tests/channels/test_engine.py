"""One engine talks to all channels: it waits, repeats, lets in and takes down, and never does what it may not."""

import asyncio
import time
from types import SimpleNamespace

import httpx
import pytest

from channels.base import BUSY_WAIT_S, retry_after_s
from channels.breaker import FAILURES_MAX
from channels.engine import ANSWER_MAX, ATTEMPTS_MAX, PATIENCE_S
from channels.errors import Busy, Down, Nonsense, Refused, Unauthorized, Unclear
from channels.pacing import QUEUE_S_MAX, Learned, Rate
from channels.wire import Answer, Call, get, send_json
from tests.channels.shop import World

pytestmark = pytest.mark.usefixtures("quick")

ASK = get("read", "/stock")
PUSH = send_json("push", "POST", "/stock", {"quantity": 3, "buyer": "Ann"}, repeatable=False)


@pytest.fixture
def world() -> World:
    return World()


def fine(**body) -> httpx.Response:
    return httpx.Response(200, json=body)


def step(call: Call):
    answer = yield call
    return answer.json()


async def test_a_translation_walks_from_call_to_call(world):
    def two():
        first = yield ASK
        second = yield get("read", f"/stock/{first.json()['next']}")
        return first.json()["next"] + second.json()["next"]

    world.says += [fine(next=1), fine(next=2)]

    assert await world.engine.run(two()) == 3
    assert [request.url.path for request in world.asked] == ["/stock", "/stock/1"]


async def test_a_translation_hears_of_the_error_of_its_call(world):
    def careful():
        try:
            yield ASK
        except Refused as error:
            return error.status

    world.says += [httpx.Response(404)]

    assert await world.engine.run(careful()) == 404


async def test_a_call_that_may_be_repeated_is_while_the_channel_is_down(world):
    world.says += [httpx.Response(503), httpx.ReadTimeout("slow"), fine(units=4)]

    assert await world.engine.run(step(ASK)) == {"units": 4}


async def test_nobody_is_asked_for_ever(world):
    world.says += [httpx.Response(500)] * ATTEMPTS_MAX

    with pytest.raises(Down):
        await world.engine.run(step(ASK))

    assert not world.says


async def test_a_push_whose_answer_is_lost_is_unclear_and_not_sent_again(world):
    world.says += [httpx.ReadTimeout("slow"), fine()]

    with pytest.raises(Unclear):
        await world.engine.run(step(PUSH))

    assert len(world.asked) == 1


async def test_a_push_that_never_left_is_known_not_to_have_been_done(world):
    world.says += [httpx.ConnectError("nobody there")]

    with pytest.raises(Down):
        await world.engine.run(step(PUSH))


async def test_what_is_refused_is_not_asked_again(world):
    world.says += [httpx.Response(422), fine()]

    with pytest.raises(Refused) as refused:
        await world.engine.run(step(ASK))

    assert (refused.value.status, len(world.asked)) == (422, 1)


async def test_a_busy_channel_says_when_to_come_back_and_everybody_waits(world):
    world.says += [httpx.Response(429, headers={"retry-after": "7"})] * ATTEMPTS_MAX
    world.engine._wait_for = _without_waiting(world)

    with pytest.raises(Busy) as busy:
        await world.engine.run(step(ASK))

    assert busy.value.wait_s == 7.0
    assert await world.paces.take("read", Rate(1_000.0, 1_000.0), 0.0) >= 7.0


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:09 GMT", "date": "Sun, 22 Nov 2026 12:00:00 GMT"}, 9.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:09 GMT"}, BUSY_WAIT_S),
        ({"retry-after": "soon", "date": "Sun, 22 Nov 2026 12:00:00 GMT"}, BUSY_WAIT_S),
        ({}, BUSY_WAIT_S),
    ],
)
def test_how_long_to_wait_is_said_in_seconds_or_as_a_date_by_the_channels_clock(headers, wait_s: float):
    assert retry_after_s(Answer(429, headers, b"")) == wait_s


def dear(path: str, cost: float, *, yields: bool) -> Call:
    facts = {"operation": "look", "method": "GET", "bucket": "points", "authorized": False}
    return Call(path=path, cost=cost, yields=yields, **facts)


async def test_a_push_goes_before_a_look_that_waits_for_room(world):
    rate = Rate(10.0, 10.0)
    await world.paces.learn("points", Learned(rate))
    await world.paces.take("points", rate, 7.0)
    world.says += [fine(), fine()]

    looking = asyncio.create_task(world.engine.run(step(dear("/orders", 8.0, yields=True))))
    await asyncio.sleep(0.01)
    await world.engine.run(step(dear("/stock", 2.0, yields=False)))
    world.now_ms += 2_000
    await looking

    assert [request.url.path for request in world.asked] == ["/stock", "/orders"]


async def test_a_look_that_has_let_others_go_first_for_long_takes_its_place(world, monkeypatch):
    rate, queues, take = Rate(100.0, 10.0), [], world.paces.take
    await world.paces.take("points", rate, 10.0)
    seconds = iter([0.0, 1.0])
    monkeypatch.setattr("channels.engine.time", SimpleNamespace(monotonic=lambda: next(seconds, 11.0)))

    async def noting(bucket, rate, cost, queue_s):
        queues.append(queue_s)
        return await take(bucket, rate, cost, queue_s)

    monkeypatch.setattr(world.paces, "take", noting)
    await world.paces.learn("points", Learned(rate))
    world.says += [fine()]

    await world.engine.run(step(dear("/orders", 8.0, yields=True)))

    assert queues == [0.0, QUEUE_S_MAX]


async def test_nobody_asks_for_a_place_more_often_than_once_a_millisecond(world, monkeypatch):
    waits, began = iter([1e-9] * 10), time.monotonic()

    async def hairs_breadth(bucket, rate, cost, queue_s):
        return next(waits, 0.0)

    monkeypatch.setattr(world.paces, "take", hairs_breadth)
    world.says += [fine()]

    await world.engine.run(step(dear("/orders", 8.0, yields=True)))

    assert time.monotonic() - began >= 0.01


async def test_who_waits_for_long_asks_again_for_a_place_and_leaves_none_behind_when_he_goes(world):
    await world.paces.learn("read", Learned(Rate(0.001, 1.0)))
    await world.paces.take("read", Rate(0.001, 1.0), 1.0)
    gone = [asyncio.create_task(world.engine.run(step(ASK))) for _ in range(3)]
    await asyncio.sleep(0.01)
    for one in gone:
        one.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    world.now_ms += 1_000_000
    world.says += [fine(units=4)]

    assert await world.engine.run(step(ASK)) == {"units": 4}


async def test_who_asks_for_more_patience_than_a_call_has_is_not_waited_for(world):
    world.says += [httpx.Response(429, headers={"retry-after": str(PATIENCE_S + 1)}), fine()]

    with pytest.raises(Busy):
        await world.engine.run(step(ASK))

    assert len(world.asked) == 1


def _without_waiting(world: World):
    async def wait_for(operation: str, cost: float, *, yields: bool) -> None:
        await asyncio.sleep(0)

    return wait_for


async def test_the_token_is_fetched_once_and_kept_until_it_is_about_to_end(world):
    world.says += [fine()] * 3
    await world.engine.run(step(ASK))
    await world.engine.run(step(ASK))
    world.now_ms += 3_600_000 - 60_000

    await world.engine.run(step(ASK))

    letting_in = [request.headers["authorization"] for request in world.asked]
    assert letting_in == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


async def test_a_token_that_was_taken_back_is_renewed_once(world):
    world.says += [fine(), httpx.Response(401), fine(), httpx.Response(401), httpx.Response(401)]
    await world.engine.run(step(ASK))

    await world.engine.run(step(ASK))
    with pytest.raises(Unauthorized):
        await world.engine.run(step(ASK))

    assert world.tokens_given == 3


async def test_an_operation_is_used_as_often_as_its_channel_allows(world):
    world.says += [fine()] * 2
    slow = get("slow", "/slow")
    began = asyncio.get_running_loop().time()

    await world.engine.run(step(slow))
    await world.engine.run(step(slow))

    assert asyncio.get_running_loop().time() - began > 0.9


async def test_the_limit_a_channel_names_in_an_answer_is_kept(world):
    world.says += [httpx.Response(200, json={}, headers={"x-limit": "0.5"})]

    await world.engine.run(step(ASK))

    await world.paces.take("read", Rate(1_000.0, 1_000.0), 1.0)
    assert await world.paces.take("read", Rate(1_000.0, 1_000.0), 1.0) > 1.0


async def test_a_channel_that_fails_again_and_again_is_let_be(world):
    world.says += [httpx.ConnectError("away")] * FAILURES_MAX
    for _ in range(FAILURES_MAX):
        with pytest.raises(Down):
            await world.engine.run(step(PUSH))

    with pytest.raises(Down, match="left alone"):
        await world.engine.run(step(PUSH))

    assert len(world.asked) == FAILURES_MAX


async def test_a_refusal_is_an_answer_and_no_failure_of_the_channel(world):
    world.says += [httpx.Response(400)] * (FAILURES_MAX + 1)

    for _ in range(FAILURES_MAX + 1):
        with pytest.raises(Refused):
            await world.engine.run(step(PUSH))


async def test_every_request_is_taken_down_without_secrets_and_buyers(world):
    world.says += [httpx.Response(422, json={"message": "no such sku", "email": "ann@example.org"})]

    with pytest.raises(Refused):
        await world.engine.run(step(PUSH))

    token, push = world.notes.exchanges
    assert (token.operation, token.sent, token.answered) == ("token", "", "")
    assert (push.request, push.status, push.sent) == ("POST /stock", 422, '{"quantity":3,"buyer":"***"}')
    assert push.answered == '{"message":"no such sku","email":"***"}'
    assert push.error == "Refused: status 422"


async def test_an_address_that_was_signed_is_used_as_it_is_and_written_down_without_its_signature(world):
    world.says += [fine()]
    signed = Call(
        operation="put", method="PUT", path="https://store.test/d?sig=a%2Fb%3D", authorized=False, secret=True
    )

    await world.engine.run(step(signed))

    assert str(world.asked[0].url) == "https://store.test/d?sig=a%2Fb%3D"
    assert world.notes.exchanges[0].request == "PUT https://store.test/d"


async def test_an_answer_without_an_end_is_not_read_to_its_end(world):
    world.says += [httpx.Response(200, content=b"x" * (ANSWER_MAX + 1))]

    with pytest.raises(Nonsense):
        await world.engine.run(step(ASK))


async def test_an_answer_that_is_no_json_is_nonsense(world):
    world.says += [httpx.Response(200, content=b"<html>")]

    with pytest.raises(Nonsense):
        await world.engine.run(step(ASK))
