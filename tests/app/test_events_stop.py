import time

from tests.app.conftest import SHOP
from tests.app.process import Service


def test_a_service_with_an_open_stream_stops_at_once(tmp_path):
    service = Service(tmp_path, "--seed", SHOP).wait_until_ready()
    with (
        service.client() as client,
        client.stream("GET", "/v1/events/availability", headers={"Accept": "text/event-stream"}) as stream,
    ):
        lines = stream.iter_lines()
        first = next(lines)
        began = time.monotonic()
        service.process.terminate()
        rest = list(lines)
        code = service.wait()

    assert first.startswith("retry: ")
    assert not any(line.startswith("event:") for line in rest)
    assert code == 0
    assert time.monotonic() - began < 8
