"""One attempt to deliver one event."""

import asyncio
from contextlib import aclosing
from functools import cached_property
from typing import Final, NamedTuple

import httpx

from app.store.webhooks import DeliveryFacts, EndpointFacts
from app.times import now_ms

from .addresses import PORTS, BadUrl, Target, parse, resolve
from .signing import headers, valid_secrets

TIMEOUT_SECONDS: Final = 10.0
"""For everything: looking up the name, connecting, sending, and the beginning of the answer."""

ANSWER_BYTES_MAX: Final = 1_024
SAID_MAX: Final = 200

GONE: Final = 410


class Outcome(NamedTuple):
    """What came of an attempt: the status, if there was an answer, and what was wrong, '' for a success."""

    status: int | None
    error: str

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants nothing more."""
        return self.status == GONE


class Postman:
    """Posts events. Every delivery has a connection of its own: none is ever shared between two receivers."""

    def __init__(self, *, allow_private: bool, timeout_s: float = TIMEOUT_SECONDS) -> None:
        self.allow_private = allow_private
        self._timeout_s = timeout_s

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        """Made for the first event: it reads all the certificates there are."""
        return httpx.AsyncClient(
            timeout=self._timeout_s,
            follow_redirects=False,
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def deliver(self, endpoint: EndpointFacts, delivery: DeliveryFacts) -> Outcome:
        """Try once. Never raises for what the receiver does or is."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(endpoint, delivery)
        except TimeoutError:
            return Outcome(None, f"no answer within {self._timeout_s:g} s")
        except BadUrl as error:
            return Outcome(None, str(error))
        except httpx.TimeoutException:
            return Outcome(None, f"no answer within {self._timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Outcome(None, f"{type(error).__name__}: {str(error)[:SAID_MAX]}")

    async def close(self) -> None:
        """Close what is open."""
        if "_client" in vars(self):
            await self._client.aclose()

    async def _post(self, endpoint: EndpointFacts, delivery: DeliveryFacts) -> Outcome:
        target = parse(endpoint.url, allow_private=self.allow_private)
        address = await resolve(target, allow_private=self.allow_private)
        response = await self._client.send(self._request(target, address, endpoint, delivery), stream=True)
        async with aclosing(response):
            said = await _beginning(response)
        if response.is_success:
            return Outcome(response.status_code, "")
        return Outcome(response.status_code, f"answered {response.status_code}: {said}".rstrip(": "))

    def _request(self, target: Target, address: str, endpoint: EndpointFacts, delivery: DeliveryFacts) -> httpx.Request:
        """The request to the address that was judged, which believes it is for the name."""
        now, body = now_ms(), delivery.payload.encode()
        signed = headers(delivery.id, body, valid_secrets(endpoint.secrets, now_ms=now), now_ms=now)
        there = f"[{address}]" if ":" in address else address
        host = f"[{target.host}]" if ":" in target.host else target.host
        return self._client.build_request(
            "POST",
            f"{target.scheme}://{there}:{target.port}{target.path}",
            content=body,
            headers={
                "host": host if target.port == PORTS[target.scheme] else f"{host}:{target.port}",
                "content-type": "application/json",
                "user-agent": "Allot-Webhooks/1",
                **signed,
            },
            # Whose certificate is expected is decided by the name, not by the address.
            extensions={"sni_hostname": target.host},
        )


async def _beginning(response: httpx.Response) -> str:
    """The first bytes of the answer, fit for a log."""
    said = b""
    async for part in response.aiter_raw():
        said += part
        if len(said) >= ANSWER_BYTES_MAX:
            break
    text = said[:ANSWER_BYTES_MAX].decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else " " for sign in text)[:SAID_MAX].strip()
