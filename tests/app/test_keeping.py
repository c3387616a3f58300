"""A Valkey of our own that dies under a running service comes back by itself, with everything that was answered."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from allocator import make_client
from app.embedded import EmbeddedValkey
from app.keeping import kept_running
from tests.app.process import is_alive
from tests.app.test_embedded import left_behind

BACK_SECONDS_MAX = 10.0


@pytest.fixture
def server(tmp_path) -> EmbeddedValkey:
    return EmbeddedValkey(tmp_path / "data")


@asynccontextmanager
async def asking(server: EmbeddedValkey) -> AsyncIterator[Callable]:
    """Sends one command, again and again until it is answered."""
    client = make_client(server.url, timeout_s=1.0)

    async def ask(*words: str) -> object:
        until = time.monotonic() + BACK_SECONDS_MAX
        while True:
            try:
                return await client.execute_command(*words)
            except (RedisError, OSError):
                assert time.monotonic() < until
                await asyncio.sleep(0.02)

    yield ask
    await client.aclose()


async def until(happened: Callable[[], object]) -> None:
    end = time.monotonic() + BACK_SECONDS_MAX
    while not happened():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


def kill(server: EmbeddedValkey) -> int:
    assert server.pid is not None
    pid = server.pid
    os.kill(pid, signal.SIGKILL)
    return pid


async def test_a_server_that_was_killed_comes_back_with_what_it_had_answered(server):
    with server, capture_logs() as logs:
        async with kept_running(server), asking(server) as ask:
            await ask("SET", "cup", "7")
            killed = kill(server)
            await until(lambda: server.pid != killed)

            assert await ask("GET", "cup") == b"7"
            await until(lambda: "valkey_started_again" in [log["event"] for log in logs])

    assert [log["event"] for log in logs] == ["valkey_ended", "valkey_started_again"]
    assert logs[0]["code"] == -signal.SIGKILL


async def test_it_comes_back_again_and_again(server):
    with server:
        async with kept_running(server), asking(server) as ask:
            for number in range(3):
                await ask("INCR", "count")
                killed = kill(server)
                await until(lambda killed=killed: server.pid != killed)

                assert await ask("GET", "count") == b"%d" % (number + 1)


async def test_one_that_cannot_start_is_tried_again_until_it_can(server):
    with server, capture_logs() as logs:
        async with kept_running(server), asking(server) as ask:
            await ask("SET", "cup", "7")
            manifest = server.home / "appendonlydir" / "appendonly.aof.manifest"
            good = manifest.read_bytes()
            manifest.write_text("nonsense\n")
            kill(server)
            await until(lambda: len(logs) >= 3)
            manifest.write_bytes(good)

            assert await ask("GET", "cup") == b"7"

    ended = [log for log in logs if log["event"] == "valkey_ended"]
    assert [log["again_in_s"] for log in ended] == sorted(log["again_in_s"] for log in ended)
    assert ended[1]["code"] == 1
    assert "manifest" in ended[1]["says"]


async def test_one_that_was_adopted_is_replaced_too(server):
    with server:
        pass
    with left_behind(server.data.path) as orphan, server:
        assert server.adopted
        async with kept_running(server), asking(server) as ask:
            await ask("SET", "cup", "7")
            orphan.kill()
            orphan.wait()
            await until(lambda: server.pid != orphan.pid)

            assert await ask("GET", "cup") == b"7"
            assert not server.adopted


async def test_who_stops_the_service_stops_the_new_server(server):
    with server:
        async with kept_running(server):
            killed = kill(server)
            await until(lambda: server.pid != killed)
        pid = server.pid

    assert pid is not None
    assert not is_alive(pid)


async def test_a_server_that_is_being_started_when_the_service_stops_is_stopped_too(server):
    with server:
        async with kept_running(server):
            kill(server)
            await asyncio.sleep(0.12)

    assert not server.is_running()
    with EmbeddedValkey(server.data.path) as again:
        assert not again.adopted
