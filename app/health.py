"""`allot health ROLE`: one line and an exit code, for a container's health check."""

import http.client
import json
from typing import Annotated, Final, Literal

import typer
from pydantic import ValidationError

from .pulse import Health, look
from .whereabouts import Whereabouts, in_a_line

ANSWER_SECONDS_MAX: Final = 5.0

Role = Literal["serve", "api", "worker", "scheduler"]


def health(role: Annotated[Role, typer.Argument(help="What runs here.")]) -> None:
    """Say whether this role works on this machine: exit code 0, or 1 with the reason."""
    found = _look(role)
    typer.echo(found.says, err=not found.is_good)
    raise typer.Exit(0 if found.is_good else 1)


def _look(role: Role) -> Health:
    try:
        settings = Whereabouts()
    except ValidationError as error:
        return Health(False, in_a_line(error))
    if role in {"worker", "scheduler"}:
        return look(settings.run_dir, role)
    return _ask(settings)


def _ask(settings: Whereabouts) -> Health:
    """What /readyz of the API on this machine says."""
    connection = http.client.HTTPConnection(_own(settings.host), settings.port, timeout=ANSWER_SECONDS_MAX)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        said = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Health(False, f"the API does not answer: {type(error).__name__}")
    finally:
        connection.close()
    if answer.status == http.client.OK:
        return Health(True, "the API works")
    return Health(False, "the API is stopping" if said.get("draining") else f"the store: {said.get('store')}")


def _own(host: str) -> str:
    """An address under which a server on this machine answers that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 what it listens on, not what we ask
