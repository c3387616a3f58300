"""An operator who adds one sku after the other to the config, and writes down which of them were saved."""

import asyncio
from collections import Counter
from typing import Final, Self

import httpx

from .places import Api
from .verdict import Fault

PAUSE_S: Final = 0.1
PATIENCE_S: Final = 40.0
"""A use case on a database that stands still is ended before that."""

CHANGED: Final = "config changes"
PUT_OFF: Final = "config changes put off"


class Tuner:
    """Works until the block ends. What was saved must be there afterwards; what is put off is put off with a 503."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._saved: list[str] = []
        self._number = 0
        self.done: Counter[str] = Counter()
        self.faults: list[Fault] = []

    async def __aenter__(self) -> Self:
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {self._api.key}"}, timeout=PATIENCE_S, trust_env=False
        )
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._client.aclose()

    async def heard(self, what: str, times: int, seconds_max: float) -> None:
        """Wait until he has heard this so often."""
        async with asyncio.timeout(seconds_max):
            while self.done[what] < times:
                await asyncio.sleep(0.01)

    async def judge(self) -> list[Fault]:
        """What was saved is in SQL, and known to Valkey."""
        for sku in self._saved:
            for place in (f"skus/{sku}", f"availability/{sku}"):
                found = await self._client.get(f"{self._api.urls()[0]}/v1/{place}")
                if found.status_code != 200:
                    self.faults.append(Fault("lost", place, f"saved, and answers {found.status_code}"))
        return self.faults

    async def _work(self) -> None:
        while True:
            self._number += 1
            await self._add(f"NEW-{self._number}")
            await asyncio.sleep(PAUSE_S)

    async def _add(self, sku: str) -> None:
        try:
            answer = await self._client.put(f"{self._api.urls()[0]}/v1/skus/{sku}", json={"sku": sku})
        except httpx.HTTPError:
            self.done["config changes unanswered"] += 1
            return
        if answer.status_code == 201:
            self._saved.append(sku)
            self.done[CHANGED] += 1
        elif answer.status_code == 503 and answer.headers["content-type"] == "application/problem+json":
            self.done[PUT_OFF] += 1
        else:
            self.faults.append(Fault("unexpected", sku, f"{answer.status_code} {answer.text[:300]}"))
