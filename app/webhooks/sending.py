"""One attempt to deliver one event."""

import asyncio
from contextlib import aclosing
from functools import cached_property
from typing import Final, NamedTuple

import httpx

from app.addresses import BadUrl, Judged
from app.store.webhooks import DeliveryFacts, EndpointFacts
from app.times import now_ms

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
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        return httpx.AsyncClient(
            timeout=self._timeout_s,
            follow_redirects=False,
            trust_env=False,
            transport=Judged(allow_private=self.allow_private, limits=limits),
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
        response = await self._client.send(self._request(endpoint, delivery), stream=True)
        async with aclosing(response):
            said = await _beginning(response)
        if response.is_success:
            return Outcome(response.status_code, "")
        return Outcome(response.status_code, f"answered {response.status_code}: {said}".rstrip(": "))

    def _request(self, endpoint: EndpointFacts, delivery: DeliveryFacts) -> httpx.Request:
        now, body = now_ms(), delivery.payload.encode()
        signed = headers(delivery.id, body, valid_secrets(endpoint.secrets, now_ms=now), now_ms=now)
        said = {"content-type": "application/json", "user-agent": "Allot-Webhooks/1", **signed}
        return self._client.build_request("POST", endpoint.url, content=body, headers=said)


async def _beginning(response: httpx.Response) -> str:
    """The first bytes of the answer, fit for a log."""
    said = b""
    async for part in response.aiter_raw():
        said += part
        if len(said) >= ANSWER_BYTES_MAX:
            break
    text = said[:ANSWER_BYTES_MAX].decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else " " for sign in text)[:SAID_MAX].strip()
