import pytest

from app.body import limited
from app.errors import BodyTooLarge
from tests.app.talk import slug

MAX = 60_000


async def test_a_body_of_the_largest_size_is_read(client):
    body = b'{"lines":[{"sku":"CUP","units":1}]}'

    answer = await client.put("/v1/orders/shop/1", content=body + b" " * (MAX - len(body)))

    assert answer.status_code == 201


async def test_one_byte_more_is_refused(client):
    answer = await client.put("/v1/orders/shop/1", content=b" " * (MAX + 1))

    assert (answer.status_code, slug(answer)) == (413, "body-too-large")
    assert str(MAX) in answer.json()["detail"]


async def test_a_body_that_does_not_say_its_length_is_cut_off_where_it_gets_too_large(client):
    sent = 0

    async def endless():
        nonlocal sent
        for _ in range(1_000):
            sent += 10_000
            yield b" " * 10_000

    answer = await client.put("/v1/orders/shop/1", content=endless())

    assert (answer.status_code, slug(answer)) == (413, "body-too-large")
    assert sent == 70_000


async def test_a_body_in_pieces_that_fits_is_read(client):
    async def pieces():
        yield b'{"lines":'
        yield b'[{"sku":"CUP","units":1}]}'

    answer = await client.put("/v1/orders/shop/1", content=pieces())

    assert answer.status_code == 201


async def test_somebody_without_a_key_does_not_get_a_body_read(stranger):
    answer = await stranger.put("/v1/orders/shop/1", content=b" " * (MAX + 1))

    assert (answer.status_code, slug(answer)) == (401, "no-key")


@pytest.mark.parametrize("length", [b"60001", b"9" * 5_000, b"-1", b"many", b""])
async def test_a_body_that_announces_too_much_or_nonsense_is_never_awaited(length: bytes):
    async def receive():
        raise AssertionError("awaited")

    read = limited({"type": "http", "headers": [(b"content-length", length)]}, receive, MAX)

    with pytest.raises(BodyTooLarge):
        await read()
