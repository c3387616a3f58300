import json
import logging

import pytest
import structlog
from structlog.testing import capture_logs

from app import log as logs
from tests.app.talk import atp, line, order


@pytest.fixture
def written(capsys):
    """Gives what was written to standard error; the settings of logging are put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield lambda: capsys.readouterr().err
    structlog.reset_defaults()
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
