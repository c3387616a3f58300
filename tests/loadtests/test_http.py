import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager

import pytest

from loadtests.http import Broken, Load, build, connect, read_answer, run_load

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def test_an_answer_is_read_once_it_is_whole():
    for length in range(len(HELLO)):
        assert read_answer(HELLO[:length]) == (None, 0)

    answer, length = read_answer(HELLO + b"HTTP/1.1 404")

    assert (answer.status, answer.body, length) == (200, b"hello", len(HELLO))


def test_an_answer_without_a_length_is_refused_and_not_waited_for():
    with pytest.raises(Broken, match="without a length"):
        read_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


def test_a_request_names_its_length_key_and_op():
    request = build("PUT", "/v1/orders/shop/1", {"lines": []}, key="secret", op="7")

    head, body = request.split(b"\r\n\r\n")
    assert head.startswith(b"PUT /v1/orders/shop/1 HTTP/1.1\r\n")
    assert b"Authorization: Bearer secret" in head
    assert b"Idempotency-Key: 7" in head
    assert f"Content-Length: {len(body)}".encode() in head


@asynccontextmanager
async def server(answer: Callable[[bytes], bytes], piece: int = 1_000):
    """A server that answers each request line, in pieces, or hangs up when there is no answer."""
    tasks = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        while line := await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            said = answer(line)
            for start in range(0, len(said), piece):
                writer.write(said[start : start + piece])
                await asyncio.sleep(0.01 if piece < len(said) else 0)
            if not said:
                break
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as running:
        yield f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}"
        await asyncio.gather(*tasks)


async def test_a_load_sends_every_request_once_and_counts_every_answer():
    seen = []

    def hello(line: bytes) -> bytes:
        seen.append(line)
        return HELLO

    async with server(hello) as url:
        load = await run_load(url, [build("GET", f"/{number}") for number in range(50)], 4)

    assert sorted(seen) == sorted(f"GET /{number} HTTP/1.1\r\n".encode() for number in range(50))
    assert (len(load.waits), load.statuses) == (50, {200: 50})


async def test_a_connection_that_ends_before_the_answer_is_told():
    async with server(lambda _: b"") as url:
        [connection] = await connect(url, 1)
        with pytest.raises(Broken):
            await connection.ask(build("GET", "/"))


def test_figures_of_a_load_are_those_of_its_answers():
    load = Load(seconds=2, waits=[number / 1_000 for number in range(1, 101)])

    assert (load.per_second, load.wait_ms(0.5), load.wait_ms(0.99)) == pytest.approx((50, 50, 99))


async def test_a_load_keeps_the_bodies_it_is_asked_for():
    async with server(lambda _: HELLO) as url:
        load = await run_load(url, [build("GET", "/")] * 3, 2, keep_bodies=True)

    assert load.bodies == [b"hello"] * 3


async def test_an_answer_that_comes_in_pieces_is_put_together():
    async with server(lambda _: HELLO, piece=7) as url:
        load = await run_load(url, [build("GET", "/")], 1, keep_bodies=True)

    assert (load.statuses, load.bodies) == ({200: 1}, [b"hello"])


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"])
async def test_a_load_ends_when_a_connection_does_or_cannot_be_understood(said):
    async with server(lambda _: said) as url:
        with pytest.raises(Broken):
            await asyncio.wait_for(run_load(url, [build("GET", "/")] * 5, 1), 5)
