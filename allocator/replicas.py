"""
The replicas a server has, and whether one of them would lose what it confirmed.

WAIT counts what replicas have received. That it is on their disks a moment later is what `appendfsync always` on each
of them adds, so they are asked, as far as they can be reached with our own user and password.
"""

from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio import Redis

from .client import make_client, unsafe_reasons

ASK_SECONDS = 1.0


class Replica(NamedTuple):
    """One replica, at the address the server knows it by."""

    host: str
    port: int

    @property
    def address(self) -> str:
        """For people."""
        return f"{self.host}:{self.port}"


async def replicas_of(client: Redis) -> list[Replica]:
    """The replicas that follow this server now. Raises what redis-py raises."""
    info: dict[str, Any] = await client.info("replication")
    rows = (info.get(f"slave{number}") for number in range(int(info.get("connected_slaves", 0))))
    return [Replica(row["ip"], int(row["port"])) for row in rows if isinstance(row, dict) and row["state"] == "online"]


async def why_unsafe(url: str, replica: Replica) -> str:
    """Why this replica could lose what it has, '' when nothing was found; `url` is the server's own."""
    try:
        client = make_client(_beside(url, replica), timeout_s=ASK_SECONDS, connections_max=1)
    except ValueError:
        # One that came through a socket or a tunnel has an address that only the server understands.
        return f"it could not be asked: {replica.address} is no address"
    try:
        return "; ".join(reason.says for reason in await unsafe_reasons(client))
    except Exception as error:  # noqa: BLE001 - whatever keeps us from asking, it is then unknown
        return f"it could not be asked: {type(error).__name__}"
    finally:
        await client.aclose()


def _beside(url: str, replica: Replica) -> str:
    """The replica's address, reached as the server is."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    host = f"[{replica.host}]" if ":" in replica.host else replica.host
    scheme = "redis" if parts.scheme == "unix" else parts.scheme
    return urlunsplit((scheme, f"{user if parts.scheme != 'unix' else ''}{at}{host}:{replica.port}", "", "", ""))
