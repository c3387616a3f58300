"""How deep a request goes, and how long a file gets."""

import sys
from pathlib import Path

import pytest

from allocator.pipe import Pipe
from tests.app.talk import hold, line, new_op, order
from tests.servers import ROOT

ROOMS = ("allocator", "app", "channels")
RUNNER = ["Calling._follow_config", "Remembering.attempt", "Runner.run"]


@pytest.fixture
def stacks(app, monkeypatch) -> list[list[str]]:
    """Our own frames of every script that is run from here on, the outermost first."""
    seen: list[list[str]] = []
    run = Pipe.run

    async def watched(self, *arguments):
        frame, names = sys._getframe(1), []
        while frame:
            path = Path(frame.f_code.co_filename)
            if any(path.is_relative_to(ROOT / room) for room in ROOMS):
                names.append(frame.f_code.co_qualname)
            frame = frame.f_back
        seen.append(names[::-1])
        return await run(self, *arguments)

    monkeypatch.setattr(Pipe, "run", watched)
    return seen


def below_endpoint(stacks: list[list[str]], endpoint: str) -> list[str]:
    [stack] = [stack for stack in stacks if endpoint in stack]
    return stack[stack.index(endpoint) :]


async def test_an_order_goes_from_endpoint_to_verb_to_script(client, stacks):
    await order(client, "shop/1", line("CUP", 1))

    assert below_endpoint(stacks, "put_order") == ["put_order", "Allocator.order", *RUNNER]


async def test_a_hold_goes_from_endpoint_to_verb_to_script(client, stacks):
    await hold(client, "cart-1", line("CUP", 1))

    assert below_endpoint(stacks, "put_hold") == ["put_hold", "Allocator.hold", *RUNNER]


async def test_a_question_goes_from_endpoint_to_verb_to_script(client, stacks):
    await client.get("/v1/availability/CUP")

    found = below_endpoint(stacks, "get_availability")
    assert found[:2] == ["get_availability", "Allocator.availability"]
    assert found[-3:] == RUNNER
    assert len(found) <= 6


async def test_a_movement_goes_from_endpoint_to_verb_to_script(client, stacks):
    body = {"lines": [{"sku": "CUP", "location": "oslo", "units": 1}]}

    await client.post("/v1/stock/receive", json=body, headers=new_op())

    found = below_endpoint(stacks, "receive_stock")
    assert found[:2] == ["receive_stock", "Movements.receive"]
    assert all(name.startswith(("Movements.", "Calling.", "Remembering.", "Runner.")) for name in found[1:])


async def test_one_request_is_one_script(client, stacks):
    await order(client, "shop/1", line("CUP", 1), line("PLATE", 1))

    assert len([stack for stack in stacks if "put_order" in stack]) == 1


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_is_longer_than_400_lines(room: str):
    lengths = {str(path): len(path.read_text().splitlines()) for path in (ROOT / room).rglob("*.py")}

    assert {path: length for path, length in lengths.items() if length > 400} == {}
