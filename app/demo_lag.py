"""How long numbers take to reach channels, as a service tells it in its metrics."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families

LAG: Final = "allot_push_lag_seconds"
INFINITE: Final = float("inf")


class Lag(NamedTuple):
    """Of one connection: upper bounds in seconds, with the numbers that were seen there at or below each."""

    buckets: Mapping[float, float]

    def at(self, part: float) -> float | None:
        """
        Where this part of all lies; None where there are none.

        Between two bounds it is taken for even, as Prometheus does it; above the last one that has an end it is that.
        """
        total = max(self.buckets.values(), default=0.0)
        below = low = 0.0
        for bound in sorted(self.buckets) if total else ():
            if self.buckets[bound] >= part * total:
                inside = self.buckets[bound] - below
                return low if bound == INFINITE else low + (bound - low) * (part * total - below) / (inside or 1.0)
            below, low = self.buckets[bound], bound
        return None


Lags = Mapping[str, Lag]
"""By connection."""


async def lags_of(url: str) -> Lags:
    """What the service at this address has counted until now."""
    async with httpx.AsyncClient(trust_env=False) as http:
        said = (await http.get(f"{url}/metrics")).text
    found: dict[str, dict[float, float]] = {}
    for family in text_string_to_metric_families(said):
        for sample in family.samples:
            if sample.name == f"{LAG}_bucket" and sample.labels["stage"] == "applied":
                found.setdefault(sample.labels["connection"], {})[float(sample.labels["le"])] = sample.value
    return {code: Lag(buckets) for code, buckets in found.items()}


def since(now: Lags, before: Lags) -> Lags:
    """What was counted in between."""
    nothing = Lag({})
    return {
        code: Lag({bound: n - before.get(code, nothing).buckets.get(bound, 0.0) for bound, n in lag.buckets.items()})
        for code, lag in now.items()
    }
