import ast
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import TimeoutError as NoAnswer

from allocator.client import UNSAFE_NAMES, Unsafe, UnsafeServer, make_client, refuse_unsafe, unsafe_reasons
from tests.proxy import Proxy
from tests.servers import ROOT, Leg, Server, present

SELL_ONE = "return redis.call('INCR', KEYS[1])"
ROOMS = ("allocator", "app", "channels")
CONSTRUCTORS = {"Redis", "StrictRedis", "RedisCluster", "ConnectionPool", "BlockingConnectionPool", "Sentinel"}

each_leg = pytest.mark.parametrize("leg", present(), ids=lambda leg: leg.id)


@pytest.fixture
async def proxy(server_url: str) -> AsyncIterator[Proxy]:
    async with Proxy(server_url) as proxy:
        yield proxy


@pytest.fixture
async def remote(proxy: Proxy) -> AsyncIterator[Redis]:
    client = make_client(proxy.url, timeout_s=0.3)
    await client.ping()
    yield client
    await client.aclose()


async def test_a_script_whose_answer_was_cut_off_ran_exactly_once(redis, remote, proxy):
    proxy.cut = True

    with pytest.raises(LostConnection):
        await remote.eval(SELL_ONE, 1, "sold")

    assert await redis.get("sold") == b"1"
    assert proxy.lost == 1


async def test_a_registered_script_whose_answer_was_cut_off_ran_exactly_once(redis, remote, proxy):
    script = remote.register_script(SELL_ONE)
    await script(keys=["sold"])
    proxy.cut = True

    with pytest.raises(LostConnection):
        await script(keys=["sold"])

    assert await redis.get("sold") == b"2"
    assert proxy.lost == 1


async def test_a_pipeline_whose_answer_was_cut_off_ran_exactly_once(redis, remote, proxy):
    proxy.cut = True

    with pytest.raises(LostConnection):
        await remote.pipeline(transaction=True).incr("sold").execute()

    assert await redis.get("sold") == b"1"


async def test_a_script_that_got_no_answer_in_time_ran_exactly_once(redis, remote, proxy):
    proxy.silent = True

    with pytest.raises(NoAnswer):
        await remote.eval(SELL_ONE, 1, "sold")

    assert await redis.get("sold") == b"1"


async def test_the_next_call_after_a_cut_gets_a_new_connection(redis, remote, proxy):
    proxy.cut = True
    with pytest.raises(LostConnection):
        await remote.ping()
    proxy.cut = False

    assert await remote.ping()


async def test_a_url_cannot_bring_retries_back(server_url):
    with pytest.raises(ValueError, match="retry_on_timeout"):
        make_client(f"{server_url}?retry_on_timeout=true")


async def test_a_url_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="schemes"):
        make_client("http://shop.example")


async def test_valkey_is_another_word_for_redis_in_a_url(redis, proxy):
    await redis.set("cup", 3)
    client = make_client(proxy.url.replace("redis://", "valkey://"))

    assert await client.get("cup") == b"3"
    await client.aclose()


async def test_calls_wait_for_a_free_connection_instead_of_failing(redis, server_url):
    client = make_client(server_url, connections_max=2)

    answers = await asyncio.gather(*(client.incr("calls") for _ in range(50)))

    assert sorted(answers) == list(range(1, 51))
    await client.aclose()


async def test_a_durable_server_without_eviction_is_safe(redis):
    assert await unsafe_reasons(redis) == []


@each_leg
@pytest.mark.parametrize(
    ("setting", "value", "name"),
    [
        ("appendonly", "no", "no-persistence"),
        ("appendfsync", "everysec", "appendfsync-everysec"),
        ("appendfsync", "no", "appendfsync-no"),
        ("maxmemory-policy", "allkeys-lru", "eviction"),
    ],
)
async def test_a_server_that_may_lose_orders_is_refused_by_name(leg: Leg, setting: str, value: str, name: str):
    server = Server(leg, settings={setting: value})
    client = make_client(server.url)
    try:
        with pytest.raises(UnsafeServer, match=f"ALLOT_ALLOW_UNSAFE={name}\n  {name}: ") as refused:
            await refuse_unsafe(client, allowed=UNSAFE_NAMES - {name})
        allowed = await refuse_unsafe(client, allowed={name})

        assert refused.value.reasons == tuple(allowed)
        assert [reason.name for reason in allowed] == [name]
    finally:
        await client.aclose()
        server.stop()


async def test_a_server_that_hides_its_settings_says_which_could_not_be_read(redis, server_url):
    await redis.acl_setuser("guest", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-config"])
    guest = make_client(f"{server_url}?username=guest&password=any")

    reasons = await unsafe_reasons(guest)

    assert reasons == [Unsafe("unreadable", "appendfsync could not be read; it must be always")]
    await guest.aclose()
    await redis.acl_deluser("guest")


async def test_a_server_that_says_nothing_about_itself_is_unreadable(redis, server_url):
    await redis.acl_setuser("guest", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-info"])
    guest = make_client(f"{server_url}?username=guest&password=any")

    assert [reason.name for reason in await unsafe_reasons(guest)] == ["unreadable"]
    await guest.aclose()
    await redis.acl_deluser("guest")


@pytest.mark.parametrize(
    ("info", "old"),
    [
        ({"redis_version": "6.2.14"}, True),
        ({"redis_version": "7.0.15"}, False),
        ({"redis_version": "7.2.4", "valkey_version": "7.2.8"}, True),
        ({"redis_version": "7.2.4", "valkey_version": "8.0.0"}, False),
        ({}, True),
    ],
)
async def test_a_server_older_than_the_scripts_is_refused(info: dict[str, str], old: bool, monkeypatch, redis):
    healthy = {name: value for name, value in (await redis.info()).items() if not name.endswith("_version")}

    async def told() -> dict[str, object]:
        return healthy | info

    monkeypatch.setattr(redis, "info", told)

    assert [reason.name for reason in await unsafe_reasons(redis)] == (["old-server"] if old else [])


def modules() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def made_by(tree: ast.AST) -> set[str]:
    """Names of the client constructors a module calls, as Redis(…), redis.Redis(…) or Redis.from_url(…)."""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    words = {ast.unparse(call) for call in calls}
    return {word for word in words if CONSTRUCTORS & set(word.split("."))}


def test_no_other_module_makes_clients():
    makers = {path.relative_to(ROOT).as_posix() for path in modules() if made_by(ast.parse(path.read_text()))}

    assert makers == {"allocator/client.py"}


@pytest.mark.parametrize("call", ["Redis()", "redis.asyncio.Redis(db=1)", "aio.Redis.from_url(url)", "RedisCluster()"])
def test_every_way_of_making_a_client_is_noticed(call: str):
    assert made_by(ast.parse(call))
