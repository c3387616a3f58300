"""A server and its replica, both real and both durable, on ports of this machine."""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import redis

from tests.servers import Leg, Server

SECONDS_MAX = 20.0


class Pair(NamedTuple):
    """A server and the one that follows it; either may be frozen, killed and started again."""

    primary: Server
    replica: Server

    def told(self, *words: str) -> object:
        """One command to the replica."""
        return tell(self.replica, *words)

    def follow(self) -> None:
        """Let the replica follow the primary, and wait until it does."""
        self.told("REPLICAOF", "127.0.0.1", str(tell(self.primary, "CONFIG", "GET", "port")["port"]))
        until(lambda: tell(self.primary, "INFO", "replication").get("slave0", {}).get("state") == "online")

    def promote(self) -> None:
        """Make the replica a server of its own."""
        self.told("REPLICAOF", "NO", "ONE")


def tell(server: Server, *words: str):
    """One command and its answer, by a client of its own."""
    with redis.Redis(unix_socket_path=str(server.socket), decode_responses=True, socket_timeout=5) as client:
        return client.execute_command(*words) if len(words) < 2 else _parsed(client, *words)


def _parsed(client: redis.Redis, *words: str):
    match words:
        case ("CONFIG", "GET", name):
            return client.config_get(name)
        case ("INFO", section):
            return client.info(section)
    return client.execute_command(*words)


def until(happened: Callable[[], object]) -> None:
    """Wait until it says something."""
    end = time.monotonic() + SECONDS_MAX
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@contextmanager
def pair(leg: Leg, **of_replica: str) -> Iterator[Pair]:
    """Both servers, connected; `of_replica` are settings of the replica alone."""
    primary = _server(leg, {"repl-diskless-sync-delay": "0"})
    try:
        replica = _server(leg, of_replica)
        try:
            both = Pair(primary, replica)
            both.follow()
            yield both
        finally:
            replica.stop()
    finally:
        primary.stop()


def _server(leg: Leg, settings: Mapping[str, str]) -> Server:
    return Server(leg, settings={"port": str(_free_port()), "bind": "127.0.0.1", **settings})


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
