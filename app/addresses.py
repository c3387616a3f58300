"""
Where somebody may send us to: with a webhook, or to a channel.

A URL is somebody's input, and this service stands inside a network: without a check a webhook could be aimed at the
database beside it, or at the cloud's metadata service. So the address is looked up here, judged, and the very address
that was judged is connected to (`Judged`): a name that leads elsewhere a moment later changes nothing.
"""

import asyncio
import ipaddress
import socket
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import httpx

PORTS: Final = {"https": 443, "http": 80}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class BadUrl(httpx.UnsupportedProtocol):
    """Nothing is sent to this URL."""


class Target(NamedTuple):
    """A URL taken apart; `path` has the query too."""

    scheme: str
    host: str
    port: int
    path: str


def parse(url: str, *, allow_private: bool) -> Target:
    """The parts of a URL whose form is good. Raises BadUrl."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadUrl(f"this is no URL: {error}") from error
    if parts.scheme not in PORTS or not parts.hostname:
        raise BadUrl("it must be an https:// address")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise BadUrl("the URL must have neither a user nor a fragment")
    if parts.scheme == "http" and not allow_private:
        raise BadUrl("http is not safe: use https")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    literal = _literal(parts.hostname)
    if literal is not None:
        judge(parts.scheme, literal, allow_private=allow_private)
    return Target(parts.scheme, parts.hostname, port or PORTS[parts.scheme], path)


async def resolve(target: Target, *, allow_private: bool) -> str:
    """An address of the target that may be connected to; all that its name leads to must be. Raises BadUrl."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BadUrl(f"the name {target.host} leads nowhere") from error
    addresses = [ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in found]
    for address in addresses:
        judge(target.scheme, address, allow_private=allow_private)
    return str(addresses[0])


def judge(scheme: str, address: Address, *, allow_private: bool) -> None:
    """Raise BadUrl for an address that nothing is sent to."""
    inner = _inner(address)
    if inner.is_multicast or inner.is_unspecified:
        raise BadUrl(f"{address} is not the address of a server")
    if not inner.is_global and not allow_private:
        raise BadUrl(f"{address} is a private address (ALLOT_WEBHOOKS_ALLOW_PRIVATE, ALLOT_CHANNELS_ALLOW_PRIVATE)")
    if inner.is_global and scheme == "http":
        raise BadUrl("http is for private addresses alone: use https")


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it does: it is where the packets go."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


class Judged(httpx.AsyncBaseTransport):
    """
    Connects to addresses that were judged, and to no others; whose certificate is expected is decided by the name.

    Connections are kept for those who use this transport together: let them all be one receiver's.
    """

    def __init__(self, *, allow_private: bool, limits: httpx.Limits) -> None:
        self._inner = httpx.AsyncHTTPTransport(limits=limits, trust_env=False)
        self._allow_private = allow_private

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer of whoever has that address. Raises BadUrl, and what httpx raises."""
        target = parse(str(request.url), allow_private=self._allow_private)
        address = await resolve(target, allow_private=self._allow_private)
        there = httpx.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": target.host},
        )
        return await self._inner.handle_async_request(there)

    async def aclose(self) -> None:
        """Close what is open."""
        await self._inner.aclose()
