import json
import logging
import re

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from app import log as logs
from app.main import create_app
from app.opening import make_first_key
from app.schedule import Job, Memory, attempt
from tests.app.talk import atp, hold, line, order


@pytest.fixture
def written(capsys):
    """Gives what was written to standard error; the settings of logging are put back."""
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    yield lambda: capsys.readouterr().err
    structlog.configure(**config)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_machines_read_one_object_a_line(written):
    logs.configure("info", "auto")

    structlog.get_logger("app").info("seeded", skus=3)
    logging.getLogger("somebody.else").warning("careful %s", "now")

    ours, theirs = map(json.loads, written().splitlines())
    assert (ours["event"], ours["skus"], ours["level"]) == ("seeded", 3, "info")
    assert (theirs["event"], theirs["level"]) == ("careful now", "warning")


def test_people_read_lines(written):
    logs.configure("info", "console")

    structlog.get_logger("app").info("seeded", skus=3)

    said = written()
    assert "seeded" in said
    assert not said.startswith("{")


def test_what_is_below_the_level_is_not_written(written):
    logs.configure("warning", "json")

    structlog.get_logger("app").info("seeded")

    assert written() == ""


def test_a_traceback_is_part_of_its_event(written):
    logs.configure("info", "json")

    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        structlog.get_logger("app").exception("request_failed")

    assert "ZeroDivisionError" in json.loads(written())["exception"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_tells_nothing_of_what_was_in_hand(written, form):
    logs.configure("info", form)

    def fail(address: str) -> None:
        raise ZeroDivisionError

    try:
        fail("Nygata " + form)
    except ZeroDivisionError:
        structlog.get_logger("app").exception("request_failed")

    said = written()
    assert "ZeroDivisionError" in said
    assert f"Nygata {form}" not in said


async def test_what_went_well_is_not_logged_and_what_was_refused_is_in_one_event(client):
    with capture_logs() as events:
        await atp(client, "CUP")
        await order(client, "shop/1", line("CUP", 99))

    [event] = events
    assert (event["event"], event["log_level"], event["status"]) == ("request", "info", 409)
    assert (event["method"], event["path"]) == ("PUT", "/v1/orders/{channel}/{external_id}")
    assert (event["channel"], event["external_id"], event["duration_ms"] > 0) == ("shop", "1", True)


async def test_a_change_is_logged_with_its_key_and_without_its_body(client):
    with capture_logs() as events:
        await client.post("/v1/stock/receive", json={"lines": "secret"}, headers={"Idempotency-Key": "truck-9"})

    [event] = events
    assert (event["op"], event["status"]) == ("truck-9", 422)
    assert "secret" not in repr(event)


async def test_a_caller_who_hangs_up_is_no_failure(app, key):
    headers = [(b"authorization", f"Bearer {key}".encode()), (b"content-length", b"9")]
    path = "/v1/orders/shop/1"
    scope = {"type": "http", "method": "PUT", "path": path, "raw_path": path.encode(), "query_string": b""}

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        raise AssertionError(message)

    with capture_logs() as events:
        await app({**scope, "headers": headers}, receive, send)

    assert [(event["event"], event["log_level"]) for event in events] == [("client_gone", "info")]


# --- ids -----------------------------------------------------------------------------------------------------------


def lines(written) -> list[dict]:
    """The JSON lines that were written since."""
    return [json.loads(said) for said in written().splitlines() if said.startswith("{")]


async def test_every_answer_and_every_line_of_a_request_has_its_id(client, written, monkeypatch):
    logs.configure("info", "json")

    async def broken(*_, **__):
        structlog.get_logger("app").warning("on_the_way")
        raise ZeroDivisionError

    monkeypatch.setattr("allocator.Allocator.find_order", broken)

    good = await client.get("/v1/availability/CUP", headers={"X-Request-Id": "till-7.41"})
    bad = await client.get("/v1/orders/shop/1001", headers={"X-Request-Id": "till-7.42"})
    unnamed = await client.get("/nowhere")
    forged = await client.get("/nowhere", headers={"X-Request-Id": "a b"})

    named = [answer.headers["x-request-id"] for answer in (good, bad)]
    assert named == ["till-7.41", "till-7.42"]
    assert unnamed.headers["x-request-id"] != forged.headers["x-request-id"] != "a b"
    said = [event for event in lines(written) if event.get("request_id") == "till-7.42"]
    assert [event["event"] for event in said] == ["on_the_way", "request_failed", "request"]


async def test_a_failure_is_logged_with_the_order_it_was_about_and_who_asked(client, written, monkeypatch):
    logs.configure("info", "json")

    async def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("allocator.Allocator.ship", broken)

    await client.post("/v1/orders/shop/1001/ship", headers={"Idempotency-Key": "van-3"})

    [failed] = [event for event in lines(written) if event["event"] == "request_failed"]
    assert (failed["channel"], failed["external_id"], failed["op"]) == ("shop", "1001", "van-3")
    assert (failed["seller"], failed["actor"][:4]) == ("main", "key:")
    assert "ZeroDivisionError" in failed["exception"]


async def test_a_refused_hold_is_logged_with_its_id_its_channel_and_the_reason(client, written):
    logs.configure("info", "json")
    await hold(client, "cart-9", line("CUP", 99))

    [event] = [event for event in lines(written) if event["event"] == "request"]
    assert (event["hold_id"], event["channel"], event["outcome"]) == ("cart-9", "shop", "short")


async def test_lines_of_a_job_have_its_name_and_its_run(app, state, written):
    logs.configure("info", "json")

    async def count_sheep(state, memory):
        structlog.get_logger("app").info("one_sheep")

    job = Job(count_sheep, 1)
    await attempt(job, state, Memory())
    await attempt(job, state, Memory())

    sheep = [event for event in lines(written) if event["event"] == "one_sheep"]
    assert [event["job"] for event in sheep] == ["count_sheep"] * 2
    assert len({event["run"] for event in sheep}) == 2


async def test_changes_are_logged_when_that_is_asked_for_and_questions_are_not(settings, written):
    logs.configure("info", "json")
    app = create_app(settings.model_copy(update={"log_changes": True}))
    async with app.router.lifespan_context(app):
        key = await make_first_key(app.service, None)
        headers = {"Authorization": f"Bearer {key}"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://allot", headers=headers) as client:
            await order(client, "shop/1", line("CUP", 1))
            await atp(client, "CUP")

    [event] = [event for event in lines(written) if event["event"] == "request"]
    assert (event["method"], event["status"], event["level"]) == ("PUT", 201, "info")
    assert (event["channel"], event["external_id"], event["seller"]) == ("shop", "1", "main")


async def test_no_line_has_the_key_or_the_query(client, key, written):
    logs.configure("info", "json")
    await order(client, "shop/1", line("CUP", 99))
    await client.get("/v1/availability/CUP?channel=bazaar&owner=ann")

    said = json.dumps(lines(written))
    assert "request" in said
    assert key not in said
    assert "ann" not in re.sub("channel", "", said)
