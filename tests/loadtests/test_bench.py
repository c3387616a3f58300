import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import asdict

import pytest

from loadtests.bench import BURST_ORDERS, Burst, Speed, is_clean_no, make_seed, middle_of
from loadtests.http import Answer, Broken, Load, build, connect, read_answer, run_load
from tests.servers import ROOT

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
async def server(answer: Callable[[bytes], bytes]):
    """A server that answers each request line, or hangs up when there is no answer."""
    tasks = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        while line := await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            said = answer(line)
            writer.write(said)
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


def test_the_middle_of_the_rounds_is_taken_figure_by_figure():
    rounds = [Speed(100, 1, 9), Speed(300, 2, 7), Speed(200, 3, 8)]

    assert middle_of(rounds) == Speed(200, 2, 8)


@pytest.mark.parametrize("said", [(101, 99, 0, 0), (100, 99, 1, 0), (99, 101, 0, 1), (99, 100, 1, 1)])
def test_a_burst_is_exact_only_when_every_unit_was_sold_once_and_every_other_order_heard_why(said):
    assert Burst(100, 100, 0, 0, seconds=0.1).is_exact
    assert not Burst(*said, seconds=0.1).is_exact


def test_a_refusal_is_clean_when_it_is_the_documented_problem_with_its_facts():
    facts = {"type": "/problems/short", "facts": {"lines": [{"atp_now": 0}]}}
    clean = Answer(409, b"content-type: application/problem+json", json.dumps(facts).encode())

    assert is_clean_no(clean)
    assert not is_clean_no(clean._replace(status=500))
    assert not is_clean_no(clean._replace(head=b"content-type: text/plain"))


def test_each_burst_has_a_sku_of_its_own():
    seed = make_seed(2)

    hot = {row["sku"]: 0 for row in seed["stock"] if row["sku"].startswith("HOT")}
    for row in seed["stock"]:
        if row["sku"] in hot:
            hot[row["sku"]] += row["units"]
    assert hot == {"HOT-0": 100, "HOT-1": 100}


def test_a_short_benchmark_reports_every_figure_and_an_exact_burst(tmp_path):
    words = ["--rounds", "1", "--requests", "200", "--warm-up", "40", "--json", str(tmp_path / "bench.json")]

    done = subprocess.run(
        [sys.executable, "-m", "loadtests.bench", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "bench.json").read_text())
    for name in ("hello", "orders", "availability"):
        assert result[name].keys() == asdict(Speed(0, 0, 0)).keys()
        assert result[name]["requests_per_second"] > 0
        assert 0 < result[name]["p50_ms"] <= result[name]["p99_ms"]
    [burst] = result["bursts"]
    assert (burst["accepted"], burst["refused"], burst["other"], burst["left"]) == (100, 100, 0, 0)
    assert burst["accepted"] + burst["refused"] == BURST_ORDERS
    assert result["orders_to_hello"] == pytest.approx(
        result["orders"]["requests_per_second"] / result["hello"]["requests_per_second"]
    )
    assert {"cores", "processor", "python", "server"} <= result["machine"].keys()
    assert "orders to hello" in done.stdout
