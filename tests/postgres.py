"""
A private PostgreSQL for the tests of one process: where it is found, how it is started, databases made quickly.

It sorts as English does and not by bytes, as most servers do that people have. Unless a test says otherwise it runs
without fsync, which the service refuses by name: what is tested on it is SQL, not power cuts.
"""

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

import psycopg

from app.server_process import end_with_parent
from app.store.database import migrate

NAME: Final = "postgres"
"""What ALLOT_TEST_REQUIRE asks for."""

BIN: Final = "ALLOT_TEST_POSTGRES_BIN"
"""Variable that names the folder of initdb and postgres, where they are neither on PATH nor where Debian puts them."""

DEBIAN: Final = "/usr/lib/postgresql"
MEMORY: Final = Path("/dev/shm")
ROOM_BYTES: Final = 2_000_000_000
MAJOR_MIN: Final = 15
READY_SECONDS_MAX: Final = 30.0
USER: Final = "allot"
TEMPLATE: Final = "allot_template"

INITDB: Final = (
    *("--no-sync", "--no-instructions", "--auth=trust", f"--username={USER}", "--encoding=UTF8"),
    *("--locale=C", "--locale-provider=icu", "--icu-locale=en-US"),
)


class Programs(NamedTuple):
    """An installed PostgreSQL."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".", maxsplit=1)[0])


@cache
def programs() -> Programs | None:
    """The newest PostgreSQL here that is new enough, or None."""
    return newest(_folders())


def newest(folders: list[Path]) -> Programs | None:
    """The newest of these that is new enough."""
    found = [Programs(folder, version) for folder in folders if (version := _version(folder / "postgres"))]
    return max((each for each in found if each.major >= MAJOR_MIN), key=lambda each: each.major, default=None)


def says() -> str:
    """What the report has to say about it."""
    found = programs()
    if found is None:
        return f"PostgreSQL: did not run, no server of version {MAJOR_MIN} or newer found"
    return f"PostgreSQL {found.version}"


def _folders() -> list[Path]:
    if named := os.environ.get(BIN):
        return [Path(named)]
    on_path = shutil.which("initdb")
    return [*([Path(on_path).parent] if on_path else []), *Path(DEBIAN).glob("*/bin")]


def _version(binary: Path) -> str | None:
    if not (binary.exists() and binary.with_name("initdb").exists()):
        return None
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\(PostgreSQL\) (\d+[.\d]*)", said)
    return found[1] if found else None


def _name_in(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


class Postgres:
    """One running server in a folder of its own, reached through a unix socket."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        found = programs()
        assert found is not None, says()
        self._bin = found.folder
        self._names = count(1)
        self._user = _servant()
        self.folder = Path(tempfile.mkdtemp(prefix="allot-pg-", dir=_in_memory()))
        self._data = self.folder / "data"
        self._settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "max_connections": "200",
            **(settings or {}),
        }
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        try:
            self._make_cluster()
            self.start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def url(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    def new(self) -> str:
        """The address of a new database with nothing in it."""
        return self._create("template1")

    def new_migrated(self) -> str:
        """The address of a new database with today's tables, and nothing in them."""
        if not self.query("SELECT 1 FROM pg_database WHERE datname = %s", TEMPLATE):
            self.query(f"CREATE DATABASE {TEMPLATE}")
            migrate(self.url(TEMPLATE))
        return self._create(TEMPLATE)

    def keep(self, url: str, name: str) -> str:
        """Keep a copy of a database nobody is connected to, to be copied; returns this name."""
        self.query(f"CREATE DATABASE {name} TEMPLATE {_name_in(url)} STRATEGY FILE_COPY")
        return name

    def copy(self, name: str) -> str:
        """The address of a new database that is as this one was kept."""
        return self._create(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.query(f"DROP DATABASE {_name_in(url)} WITH (FORCE)")

    def query(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """The rows of one statement outside of every transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / ".s.PGSQL.5432"

    def signal(self, number: signal.Signals) -> None:
        """Send this to the server and to every process it has."""
        for pid in (self.process.pid, *_children(self.process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """End it at once and all it has, as a crash would; `start` goes on with what is there."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it at once but in order, and remove its folder."""
        # SIGINT: it waits for no client.
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(READY_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _create(self, template: str) -> str:
        name = f"allot_{next(self._names)}"
        # Without fsync copying files is quicker than writing them through the log.
        self.query(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)

    def _make_cluster(self) -> None:
        command = [str(self._bin / "initdb"), "--pgdata", str(self._data), *INITDB]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=self.folder, user=self._user, group=self._group
        )
        if done.returncode:
            message = f"initdb failed:\n{done.stdout}{done.stderr}"
            raise RuntimeError(message)

    def start(self) -> None:
        """Start it, or start it again after `kill`. Raises RuntimeError."""
        chosen = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        log = self.folder / "postgres.log"
        with log.open("ab") as said:
            self.process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._data, *chosen],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=self.folder,
                user=self._user,
                group=self._group,
                start_new_session=True,
                preexec_fn=end_with_parent(),  # noqa: PLW1509 one system call, prepared before the fork
            )
        until = time.monotonic() + READY_SECONDS_MAX
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > until:
                self.process.kill()
                self.process.wait()
                message = f"{says()} did not start:\n{log.read_text()[-2000:]}"
                raise RuntimeError(message)
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            return self.query("SELECT 1") == [(1,)]
        except psycopg.OperationalError:
            return False

    @property
    def _group(self) -> int | None:
        return None if self._user is None else pwd.getpwnam(self._user).pw_gid


def _children(pid: int) -> list[int]:
    """Its backends have sessions of their own, so signals to a group miss them."""
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in found.read_text().split()] if found.exists() else []


def _in_memory() -> Path | None:
    """A folder in memory where there is room: databases are made there ten times as quickly. None for the usual one."""
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM_BYTES
    return MEMORY if has_room and os.access(MEMORY, os.W_OK) else None


def _servant() -> str | None:
    """The user to run it as: PostgreSQL refuses to be root. None for whoever we are."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
