"""Dockerfile and docker-compose.yml against the code: every command, variable, port and file is there."""

import ast
import importlib
import re
import shlex
import subprocess
import tomllib
from datetime import timedelta
from typing import Any

import pytest
import typer
import yaml

import app.cli
from allocator import make_client
from allocator.client import unsafe_reasons
from app.health import health
from app.roles import SHARED
from app.schedule import GRACE_SECONDS as JOBS_GRACE_SECONDS
from app.server_process import answers, server_binary
from app.serving import GRACE_SECONDS
from app.settings import Settings
from app.store.durability import refuse_unsafe
from app.webhooks.courier import GRACE_SECONDS as COURIER_GRACE_SECONDS
from tests.postgres import MAJOR_MIN
from tests.servers import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ROLES = {name: service for name, service in SERVICES.items() if service["image"] == "allot"}
STORES = {name: service for name, service in SERVICES.items() if name not in ROLES}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
VALKEY_OF_DEVELOPERS = yaml.safe_load((ROOT / "ops" / "valkey.compose.yml").read_text())["services"]["valkey"]

DOCKERFILE = [
    line.split(maxsplit=1)
    for line in (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    if line and not line.startswith("#")
]

every_role = pytest.mark.parametrize("role", ROLES)
every_service = pytest.mark.parametrize("name", SERVICES)


@pytest.fixture(scope="module")
def allot() -> Any:
    """The command line, with the command that is added to it only where it is asked for."""
    command_line = typer.Typer()
    command_line.registered_commands = [*app.cli.app.registered_commands]
    command_line.command("health")(health)
    return typer.main.get_command(command_line)


def parsed(allot: Any, words: list[str]) -> dict[str, Any]:
    """The options of a command as its code gets them. Raises what typer raises for one that does not exist."""
    name, *options = words
    with allot.commands[name].make_context(name, options) as context:
        return context.params


def instructions(name: str) -> list[str]:
    return [rest for instruction, rest in DOCKERFILE if instruction == name]


def variables(node: Any) -> set[str]:
    """What a part of the file takes from the environment of whoever starts it."""
    return set(re.findall(r"\$\{(\w+)", yaml.safe_dump(node, width=10_000)))


def options_of(command: list[str]) -> dict[str, str]:
    return dict(zip(command[1::2], command[2::2], strict=True))


def seconds(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(s|m)", text).groups()
    return timedelta(**{{"s": "seconds", "m": "minutes"}[unit]: int(number)}).total_seconds()


# --- roles -------------------------------------------------------------------------------------------------------


def test_there_is_a_container_for_every_role_and_both_stores():
    assert ROLES.keys() == {"api", "scheduler", "worker"}
    assert STORES.keys() == {"valkey", "postgres"}


@every_role
def test_a_role_is_started_by_a_command_that_exists(allot, role):
    words = ROLES[role]["command"]

    parsed(allot, words)

    assert words[0] == role


def test_a_command_that_does_not_exist_would_be_noticed(allot):
    with pytest.raises(Exception, match="No such option: --ports"):
        parsed(allot, ["api", "--ports", "8000"])


@every_role
def test_the_health_check_of_a_role_asks_for_that_role(allot, role):
    how, program, *words = ROLES[role]["healthcheck"]["test"]

    assert (how, program) == ("CMD", "allot")
    assert parsed(allot, words) == {"role": role}


@every_role
def test_a_role_has_all_it_shares_with_others_and_no_setting_that_does_not_exist(role):
    named = ROLES[role]["environment"].keys()

    assert {f"ALLOT_{name.upper()}" for name in SHARED} <= named
    assert named <= {f"ALLOT_{name.upper()}" for name in Settings.model_fields}


@every_role
def test_the_settings_of_a_role_are_accepted(role, monkeypatch):
    for name, value in ROLES[role]["environment"].items():
        monkeypatch.setenv(name, re.sub(r"\$\{[^}]*\}", "f" * 48, value))

    settings = Settings(_env_file=None)

    assert settings.redis_url == f"redis://:{'f' * 48}@valkey:6379"
    assert settings.database_url == f"postgresql://allot:{'f' * 48}@postgres:5432/allot"


@every_role
def test_a_role_starts_when_the_stores_work_and_can_change_nothing_of_its_image(role):
    service = ROLES[role]

    assert service["depends_on"] == {store: {"condition": "service_healthy"} for store in STORES}
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]


def test_the_api_listens_where_it_is_asked(allot):
    api = ROLES["api"]
    [published] = api["ports"]
    options = parsed(allot, api["command"])

    assert options == {"host": "0.0.0.0", "port": Settings.model_fields["port"].default}
    assert published.rpartition(":")[2] == str(options["port"])
    assert instructions("EXPOSE") == [str(options["port"])]


@every_role
def test_a_role_has_the_time_it_needs_to_end_in_order(role):
    needed = {"api": GRACE_SECONDS + JOBS_GRACE_SECONDS, "scheduler": JOBS_GRACE_SECONDS + COURIER_GRACE_SECONDS}

    assert seconds(ROLES[role]["stop_grace_period"]) > needed.get(role, 10) + 5


# --- stores ------------------------------------------------------------------------------------------------------


async def test_the_valkey_is_one_that_the_service_accepts_and_asks_for_its_password(tmp_path):
    words = [re.sub(r"\$\{[^}]*\}", "secret", word) for word in SERVICES["valkey"]["command"][1:]]
    socket = tmp_path / "s.sock"
    place = ["--port", "0", "--unixsocket", str(socket), "--dir", str(tmp_path)]
    server = subprocess.Popen([server_binary(), *words, *place], stdout=subprocess.DEVNULL)
    try:
        client = make_client(f"unix://:secret@{socket}")
        while not socket.exists():
            assert server.poll() is None
        assert not answers(socket)
        assert await unsafe_reasons(client) == []
        await client.aclose()
    finally:
        server.kill()
        server.wait()


def test_the_valkey_of_developers_differs_in_its_password_and_its_port_alone():
    ours = options_of(SERVICES["valkey"]["command"])
    assert ours.pop("--requirepass").startswith("${VALKEY_PASSWORD:?")

    assert options_of(VALKEY_OF_DEVELOPERS["command"]) == ours
    assert VALKEY_OF_DEVELOPERS["image"] == SERVICES["valkey"]["image"]
    assert VALKEY_OF_DEVELOPERS["ports"] == ["127.0.0.1:6379:6379"]


def test_the_postgres_is_new_enough_and_its_durability_is_left_alone():
    postgres = SERVICES["postgres"]

    assert int(postgres["image"].removeprefix("postgres:")) >= MAJOR_MIN
    assert "command" not in postgres
    assert refuse_unsafe.__module__ == "app.store.durability"


def test_the_addresses_name_the_stores_with_their_users_and_passwords():
    environment, postgres = ROLES["api"]["environment"], SERVICES["postgres"]["environment"]
    user, database, password = (postgres[f"POSTGRES_{name}"] for name in ("USER", "DB", "PASSWORD"))

    assert environment["ALLOT_DATABASE_URL"] == f"postgresql://{user}:{password}@postgres:5432/{database}"
    assert environment["ALLOT_REDIS_URL"] == (
        f"redis://:{options_of(SERVICES['valkey']['command'])['--requirepass']}@valkey:6379"
    )


@pytest.mark.parametrize("name", STORES)
def test_a_store_keeps_its_data_in_a_volume_and_nobody_outside_reaches_it(name):
    store = STORES[name]

    [volume] = store["volumes"]
    assert volume.partition(":")[0] in COMPOSE["volumes"]
    assert "ports" not in store
    assert store["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}


# --- all ---------------------------------------------------------------------------------------------------------


@every_service
def test_every_container_is_looked_after_and_comes_back(name):
    service = SERVICES[name]

    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"].keys() >= {"test", "interval", "timeout", "start_period", "retries"}
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_only_the_api_is_published_and_at_first_to_this_machine_alone():
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["api"]
    assert SERVICES["api"]["ports"][0].startswith("${API_PORTS:-127.0.0.1:")


def test_every_secret_comes_from_the_environment_and_is_asked_for_when_it_is_missing():
    text = (ROOT / "docker-compose.yml").read_text()
    secrets = variables(COMPOSE) - {"API_PORTS"}

    assert secrets == {"VALKEY_PASSWORD", "POSTGRES_PASSWORD", "ALLOT_KEY_PEPPER"}
    assert re.findall(rf"\$\{{(?:{'|'.join(secrets)})(?!:\?\w)", text) == []
    assert all(f"{name}=$(openssl rand" in text for name in secrets)


# --- the image ---------------------------------------------------------------------------------------------------


def test_the_image_has_a_python_that_the_package_wants():
    least = PROJECT["project"]["requires-python"].removeprefix(">=")

    for base in instructions("FROM"):
        found = re.match(r"python:(\d+)\.(\d+)-slim\b", base)
        assert found
        assert (int(found[1]), int(found[2])) >= tuple(map(int, least.split(".")))


def test_the_image_is_built_from_files_that_exist_and_has_every_package():
    copied = {word for rest in instructions("COPY") if "--from" not in rest for word in rest.split()[:-1]}

    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= copied
    assert {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]} <= copied


def test_what_the_image_is_built_from_is_let_through_and_nothing_else():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line[1:] for line in lines if line.startswith("!")}
    copied = {word for rest in instructions("COPY") if "--from" not in rest for word in rest.split()[:-1]}

    assert "*" in lines
    assert let_through == copied
    assert "**/.env" in lines


def test_the_image_installs_the_tested_versions_and_the_driver_of_its_database():
    [install] = [rest for rest in instructions("RUN") if "pip install" in rest]
    words = shlex.split(install)

    assert words[words.index("-c") + 1] == "constraints.txt"
    assert words[-1] == ".[postgres]"
    assert "postgres" in PROJECT["project"]["optional-dependencies"]


def test_the_image_starts_the_command_of_the_package_as_somebody_without_rights(allot):
    [entry], [command], [user] = instructions("ENTRYPOINT"), instructions("CMD"), instructions("USER")
    module, _, function = PROJECT["project"]["scripts"]["allot"].partition(":")

    assert ast.literal_eval(entry) == ["allot"]
    assert callable(getattr(importlib.import_module(module), function))
    assert parsed(allot, ast.literal_eval(command))["host"] == "0.0.0.0"
    assert int(user) > 0


def test_no_secret_is_in_a_layer():
    text = (ROOT / "Dockerfile").read_text()

    assert instructions("ARG") == []
    assert not re.search(r"PASSWORD|PEPPER|SECRET|TOKEN", text)
