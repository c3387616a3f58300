import pytest

from app.errors import RateLimited
from app.limits import ADDRESSES_MAX, Bucket, WrongKeys
from tests.app.holders import bearer, make, send
from tests.app.talk import line, order, slug

NOON = 43_200.0
WRONG = "allot_live_" + "0" * 12 + "_" + "x" * 43


def test_a_burst_is_a_sixth_of_a_minute_and_then_one_at_a_time():
    bucket = Bucket(600)

    at_once = [bucket.take(NOON) for _ in range(101)]
    later = [bucket.take(NOON + 0.1), bucket.take(NOON + 0.1)]

    assert at_once[:100] == [0.0] * 100
    assert at_once[100] == pytest.approx(0.1)
    assert later[0] == 0.0
    assert later[1] == pytest.approx(0.1)


def test_no_more_than_a_minutes_requests_and_one_burst_go_on_in_a_minute():
    bucket = Bucket(60)

    done = sum(not bucket.take(NOON + tick / 10) for tick in range(600))

    assert done == 60 + 10 - 1


def test_a_very_small_limit_lets_one_through():
    bucket = Bucket(1)

    assert bucket.take(NOON) == 0.0
    assert bucket.take(NOON + 59) == pytest.approx(1.0)
    assert bucket.take(NOON + 60) == 0.0


def test_what_was_refused_costs_nothing():
    bucket = Bucket(6)
    bucket.take(NOON)

    for _ in range(100):
        bucket.take(NOON)

    assert bucket.take(NOON + 10) == 0.0


def test_a_bucket_says_what_is_left_and_when_it_is_full():
    bucket = Bucket(600)
    for _ in range(30):
        bucket.take(NOON)

    assert bucket.headers(NOON) == {"RateLimit-Policy": '"key";q=600;w=60', "RateLimit": '"key";r=70;t=3'}
    assert bucket.headers(NOON + 60) == {"RateLimit-Policy": '"key";q=600;w=60', "RateLimit": '"key";r=100;t=0'}


def test_a_new_bucket_is_full():
    assert Bucket(600).left(0.0) == 100


async def test_a_key_with_a_limit_is_told_how_much_is_left_and_then_to_wait(state, stranger):
    stranger.headers.update(bearer(await make(state, requests_per_minute=12)))

    first = await stranger.get("/v1/availability/CUP")
    problem = await stranger.get("/v1/orders/shop/none")
    refused = await stranger.get("/v1/availability/CUP")

    assert (first.status_code, first.headers["ratelimit"]) == (200, '"key";r=1;t=5')
    assert (problem.status_code, problem.headers["ratelimit"]) == (404, '"key";r=0;t=10')
    assert (refused.status_code, slug(refused)) == (429, "rate-limited")
    assert refused.headers["retry-after"] == "5"
    assert refused.headers["ratelimit-policy"] == '"key";q=12;w=60'
    assert refused.headers["ratelimit"].startswith('"key";r=0;')


async def test_one_key_does_not_use_up_what_another_one_has(state, stranger):
    one, another = [await make(state, requests_per_minute=6) for _ in range(2)]

    statuses = [
        (await stranger.get("/v1/availability/CUP", headers=bearer(key))).status_code for key in (one, one, another)
    ]

    assert statuses == [200, 429, 200]


async def test_a_key_that_is_verified_anew_does_not_begin_with_a_full_bucket(state, stranger):
    made = await make(state, requests_per_minute=6)
    first = await stranger.get("/v1/availability/CUP", headers=bearer(made))

    state.keys.forget(made.id)
    second = await stranger.get("/v1/availability/CUP", headers=bearer(made))

    assert (first.status_code, second.status_code) == (200, 429)


async def test_a_key_without_a_limit_hears_nothing_of_limits(client):
    answer = await client.get("/v1/availability/CUP")

    assert not [name for name in answer.headers if name.startswith("ratelimit")]


class TestWithADefault:
    @pytest.fixture
    def settings(self, settings):
        return settings.model_copy(update={"requests_per_minute": 6})

    async def test_the_default_holds_for_keys_without_a_limit_of_their_own(self, client):
        answers = [await order(client, f"shop/{number}", line("CUP", 1)) for number in range(2)]

        assert [answer.status_code for answer in answers] == [201, 429]

    async def test_a_keys_own_limit_comes_before_the_default(self, state, stranger):
        stranger.headers.update(bearer(await make(state, requests_per_minute=600)))

        answers = [await stranger.get("/v1/availability/CUP") for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200, 200, 200]


async def test_guessing_is_slow_from_one_address_and_nobody_else_notices(app, client):
    guesses = [(await send(app, "GET", "/v1/me", bearer(WRONG), client="10.6.6.6")) for _ in range(11)]
    elsewhere = await send(app, "GET", "/v1/me", bearer(WRONG), client="10.0.0.1")
    good = await client.get("/v1/me")

    assert [guess.status for guess in guesses] == [401] * 10 + [429]
    assert guesses[10].headers["retry-after"] == "1"
    assert (elsewhere.status, good.status_code) == (401, 200)


async def test_a_good_key_that_is_known_goes_on_where_others_guess(app, state, client, key):
    known = await client.get("/v1/me")
    for _ in range(11):
        await send(app, "GET", "/v1/me", bearer(WRONG), client="10.6.6.6")

    there = await send(app, "GET", "/v1/me", bearer(key), client="10.6.6.6")

    assert (known.status_code, there.status) == (200, 200)


async def test_no_key_at_all_is_no_guess(app):
    answers = [await send(app, "GET", "/v1/me", {}, client="10.6.6.6") for _ in range(15)]

    assert {answer.status for answer in answers} == {401}


def test_addresses_do_not_fill_the_memory():
    wrong = WrongKeys(per_minute=1)
    for number in range(ADDRESSES_MAX + 5):
        wrong.count(str(number))

    wrong.refuse_guessing("0")
    with pytest.raises(RateLimited):
        wrong.refuse_guessing(str(ADDRESSES_MAX + 4))
    assert len(wrong._buckets) == ADDRESSES_MAX
