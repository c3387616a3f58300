"""
What this process counts, and how Prometheus reads it.

Counting is a few dictionary operations (0.3 µs) without a lock: all of it happens in the event loop's thread. Only a
scrape turns it into the library's types. No label is ever a sku, an order or anything else without a limit, and none is
`job` or `instance`, which Prometheus gives to whatever it scrapes.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from allocator import Placed, ReturnLine
from app.version import VERSION

from .families import MENDED, OF_CHANNELS, PUSH_LAG, SYNC, Family, Labels

QUICK: Final = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.012, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Bounds for requests and scripts, in seconds; 8 ms is the promise for one-line orders."""

SLOW: Final = (0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bounds for jobs, in seconds."""

LATE: Final = (*SLOW[1:], 60.0, 120.0, 300.0, 900.0, 3_600.0)
"""Bounds for numbers on their way to channels, in seconds."""

Row = tuple[str, Labels, float]
"""A metric's name, the values of its labels, and its own value."""


class Timing:
    """How long something took: a number per bucket, and the sum in seconds."""

    __slots__ = ("bounds", "counts", "seconds")

    def __init__(self, bounds: tuple[float, ...] = QUICK) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.seconds = 0.0

    def add(self, seconds: float, times: int = 1) -> None:
        """Count something that took this long."""
        self.counts[bisect_left(self.bounds, seconds)] += times
        self.seconds += seconds * times

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bound and number of those at or below it, as Prometheus wants them."""
        total, rows = 0, []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            rows.append((bound, float(total)))
        return rows


REQUESTS: Final = Family(
    "allot_requests_total", "Requests answered, by operation id and status.", ("operation", "status")
)
ORDERS: Final = Family(
    "allot_orders_total",
    "Orders asked for: accepted, replayed, or the slug of the problem they were answered with.",
    ("seller", "channel", "outcome"),
)
ORDER_UNITS: Final = Family(
    "allot_order_units_total",
    "Units of accepted orders: committed to a shelf, shipped at once (goods gone), backordered.",
    ("seller", "channel", "fate"),
)
HOLDS: Final = Family(
    "allot_holds_total",
    "Holds asked for: accepted, replayed, or the slug of the problem they were answered with.",
    ("seller", "channel", "outcome"),
)
RETURNED: Final = Family(
    "allot_returned_units_total", "Units customers sent back, by where they went.", ("seller", "disposition")
)
SHIPPED: Final = Family(
    "allot_shipped_units_total",
    "Units that left for customers, read from the ledger: the same in every process, take the max and not the sum.",
    ("seller",),
)
JOB_RUNS: Final = Family("allot_job_runs_total", "Runs of jobs: done or failed.", ("name", "outcome"))
DELIVERIES: Final = Family("allot_webhook_tries_total", "Tries to deliver webhooks by what came of them.", ("outcome",))
BATCHES: Final = Family("allot_batches_total", "Batches of calls sent to the store.")

REQUEST_SECONDS: Final = Family(
    "allot_request_duration_seconds", "From the first byte of a request to the first of its answer.", ("operation",)
)
SCRIPT_SECONDS: Final = Family(
    "allot_script_duration_seconds", "From sending the batch a call travelled in to all its answers.", ("verb",)
)
JOB_SECONDS: Final = Family("allot_job_duration_seconds", "How long runs of jobs took.", ("name",))

BUILD: Final = Family("allot_build_info", "The version of the service; always 1.", ("version",))
STORE_UP: Final = Family("allot_store_up", "1 when Valkey answers and has the data set that SQL remembers.")
DATABASE_UP: Final = Family("allot_database_up", "1 when SQL answers.")
READY: Final = Family("allot_ready", "1 when orders can be taken, as /readyz says.")
SCHEDULER_UP: Final = Family("allot_scheduler_up", "1 when a scheduler works for all processes.")
CLOCK_JUMP: Final = Family(
    "allot_clock_jump_ms",
    "By how much the clock jumped while expiry of holds is paused; 0 when it is not.",
    ("seller",),
)
GATE: Final = Family(
    "allot_gate", "0 open; 1 but for frozen skus; 2 skus are being opened after a restart; 3 shut.", ("seller",)
)
FROZEN: Final = Family("allot_frozen_skus", "Skus of which no unit moves, because their records differ.", ("seller",))
CHECKED_TIME: Final = Family(
    "allot_checked_timestamp_seconds", "When the running check was last through with all of a seller.", ("seller",)
)
CHECKED_SECONDS: Final = Family("allot_check_round_seconds", "How long its last round took.", ("seller",))
CHECKED_RECORDS: Final = Family("allot_checked_records", "Records it looked at in that round.", ("seller",))
VIOLATIONS: Final = Family(
    "allot_violations", "What it found in that round that is not as it must be; the log has the kinds.", ("seller",)
)
CONFIG_VERSION: Final = Family("allot_config_version", "The version of the config in force.", ("seller",))
LEDGER: Final = Family("allot_ledger_entries", "Entries of the ledger kept in Valkey.", ("seller",))
DRAIN_AGE: Final = Family(
    "allot_undrained_age_seconds", "Age of the oldest ledger entry that is not in SQL; 0 when all are.", ("seller",)
)
UNDRAINED: Final = Family("allot_undrained_entries", "Ledger entries that are not in SQL.", ("seller",))
UNDRAINED_BYTES: Final = Family(
    "allot_undrained_bytes", "Memory of Valkey that ledger entries take which are not in SQL.", ("seller",)
)
UNDRAINED_MAX: Final = Family(
    "allot_undrained_bytes_max", "From so many undrained bytes on, of all sellers, new promises are refused."
)
DRAIN_FAILING: Final = Family("allot_drain_failing", "1 when something keeps the drain from going on.", ("seller",))
OPEN_HOLDS: Final = Family("allot_open_holds", "Holds that count.", ("seller",))
WAITING: Final = Family("allot_backordered_lines", "Order lines that wait for units.", ("seller",))

OPEN_RECOUNTS: Final = Family(
    "allot_open_recounts", "Skus at locations that are to be counted because of a reject.", ("seller",)
)
RECOUNT_AGE: Final = Family(
    "allot_oldest_recount_seconds", "For how long the oldest of them has waited; 0 when none does.", ("seller",)
)
PARKED_COUNTS: Final = Family("allot_parked_counts", "Counts that wait until somebody releases them.", ("seller",))
PARKED_AGE: Final = Family(
    "allot_oldest_parked_count_seconds", "For how long the oldest of them has waited; 0 when none does.", ("seller",)
)


SKUS: Final = Family("allot_skus", "Skus with a stock record.", ("seller",))
SKUS_LOW: Final = Family(
    "allot_skus_low",
    "Skus with ALLOT_LOW_STOCK units or fewer free: available at all locations, less what is owed.",
    ("seller",),
)
SKUS_OUT: Final = Family("allot_skus_sold_out", "Skus of which no unit is free.", ("seller",))
OPEN_ORDERS: Final = Family("allot_open_orders", "Orders of which something has yet to be shipped.", ("seller",))
LATE_ORDERS: Final = Family("allot_unshipped_24h_orders", "Open orders placed more than 24 hours ago.", ("seller",))
OPEN_UNITS: Final = Family(
    "allot_open_order_units",
    "Committed units of open orders by where they came from; buffer and safety are the reserve for late news.",
    ("seller", "source"),
)
UNREADABLE: Final = Family("allot_unreadable_records", "Records of skus and orders that cannot be read.", ("seller",))
SURVEY_SECONDS: Final = Family("allot_survey_round_seconds", "How long the last survey of a seller took.", ("seller",))
SURVEY_TIME: Final = Family(
    "allot_survey_finished_timestamp_seconds", "When the last survey of a seller ended.", ("seller",)
)

UNITS: Final = {
    bucket: Family(f"allot_{bucket}_units", meaning, ("seller",))
    for bucket, meaning in {
        "on_hand": "Units physically there.",
        "unavailable": "Units on hand that nobody may sell.",
        "held": "Units claimed by open holds.",
        "committed": "Units of accepted orders that wait to be shipped.",
        "deficit": "Units promised at a location that are no longer there.",
        "in_transit": "Units that transfers have on their way.",
        "backordered": "Units of accepted orders that wait for stock.",
        "conflict": "Units of accepted orders that lost their location.",
        "oversold": "Units promised above what is on hand without a recorded deficit; always 0.",
    }.items()
}

COUNTERS: Final = (REQUESTS, ORDERS, ORDER_UNITS, HOLDS, RETURNED, SHIPPED, JOB_RUNS, DELIVERIES, MENDED, BATCHES)
TIMINGS: Final = (REQUEST_SECONDS, SCRIPT_SECONDS, JOB_SECONDS)
READ: Final = (
    *(CONFIG_VERSION, LEDGER, DRAIN_AGE, OPEN_HOLDS, WAITING, GATE, FROZEN),
    *(CHECKED_TIME, CHECKED_SECONDS, CHECKED_RECORDS, VIOLATIONS),
    *(UNDRAINED, UNDRAINED_BYTES, DRAIN_FAILING),
    *(OPEN_RECOUNTS, RECOUNT_AGE, PARKED_COUNTS, PARKED_AGE),
    *OF_CHANNELS,
    *SYNC.values(),
)
"""Gauges about what a seller has that every process reads for itself."""

WALKED: Final = (
    *(SKUS, SKUS_LOW, SKUS_OUT, OPEN_ORDERS, LATE_ORDERS, OPEN_UNITS),
    *(UNREADABLE, SURVEY_SECONDS, SURVEY_TIME, *UNITS.values()),
)
"""Those that the scheduler's survey counts."""

SURVEYED: Final = READ + WALKED

GAUGES: Final = (BUILD, STORE_UP, DATABASE_UP, SCHEDULER_UP, READY, CLOCK_JUMP, UNDRAINED_MAX, *SURVEYED)

DECIDED: Final = frozenset(
    {
        *("accepted", "pending", "replayed", "short", "at-capacity", "unroutable"),
        *("unknown-sku", "unknown-location", "over-limit"),
    }
)
"""Outcomes of demand that a channel of the config has had; with any other the name may be anything."""


class Metrics:
    """Everything one process counts."""

    def __init__(self) -> None:
        self._requests: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._request_seconds: defaultdict[str, Timing] = defaultdict(Timing)
        self._script_seconds: defaultdict[str, Timing] = defaultdict(Timing)
        self._job_seconds: defaultdict[str, Timing] = defaultdict(lambda: Timing(SLOW))
        self._push_lag: dict[Labels, Timing] = {}
        self._counts: dict[str, defaultdict[Labels, int]] = {family.name: defaultdict(int) for family in COUNTERS}
        self._gauges: dict[str, dict[Labels, float]] = {family.name: {} for family in GAUGES}
        self.requests = 0
        self.set(BUILD, 1, VERSION)

    def observe(self, operation: str, status: int, seconds: float) -> None:
        """Count a request that was answered. This is on the way of every request."""
        self.requests += 1
        self._requests[operation, status] += 1
        timing = self._request_seconds[operation]
        timing.counts[bisect_left(QUICK, seconds)] += 1
        timing.seconds += seconds

    def watch(self, verbs: list[str], seconds: float) -> None:
        """Count a batch of calls, as a Pipe tells of it."""
        self._counts[BATCHES.name][()] += 1
        for verb in verbs:
            self._script_seconds[verb].add(seconds)

    def add(self, family: Family, *labels: str, times: int = 1) -> None:
        """Count something else, `times` times."""
        self._counts[family.name][labels] += times

    def placed(self, seller: str, order: Placed) -> None:
        """Count the units of an order that was accepted now."""
        if order.replayed:
            return
        units = {"committed": 0, "shipped": 0, "backordered": 0}
        for line in order.lines:
            # What an order for goods that are gone answers is shipped by the time it is answered.
            units["committed"] += line.committed
            units["shipped"] += line.shipped
            units["backordered"] += line.backordered
        for fate, number in units.items():
            if number:
                self.add(ORDER_UNITS, seller, order.channel, fate, times=number)

    def delivery(self, *, delivered: bool) -> None:
        """Count an attempt to deliver a webhook."""
        for outcome, times in (("delivered", int(delivered)), ("failed", int(not delivered))):
            # As for jobs: both exist from the first on.
            self.add(DELIVERIES, outcome, times=times)

    def job(self, name: str, outcome: str, seconds: float) -> None:
        """Count a run of a job."""
        for known in ("done", "failed"):
            # A counter that begins at 1 has never risen.
            self.add(JOB_RUNS, name, known, times=int(known == outcome))
        self._job_seconds[name].add(seconds)

    def arrived(self, seller: str, lags: Mapping[str, Mapping[str, Timing]]) -> None:
        """Have what workers have counted of numbers that arrived at a seller's channels: by connection and stage."""
        others = {labels: timing for labels, timing in self._push_lag.items() if labels[0] != seller}
        own = {(seller, code, stage): timing for code, one in lags.items() for stage, timing in one.items()}
        self._push_lag = others | own

    def mended(self, seller: str, times: Mapping[str, int]) -> None:
        """Have how many webhooks workers have made or woken for a seller, by connection."""
        counts = self._counts[MENDED.name]
        for gone in [labels for labels in counts if labels[0] == seller and labels[1] not in times]:
            del counts[gone]
        counts.update({(seller, code): count for code, count in times.items()})

    def returned(self, seller: str, lines: Iterable[ReturnLine]) -> None:
        """Count units that came back."""
        for line in lines:
            self.add(RETURNED, seller, line.disposition, times=line.units)

    def set(self, family: Family, value: float, *labels: str) -> None:
        """Set a gauge."""
        self._gauges[family.name][labels] = value

    def forget(self, family: Family, *labels: str) -> None:
        """Drop every value of a gauge whose labels begin like this."""
        gauge = self._gauges[family.name]
        for known in [known for known in gauge if known[: len(labels)] == labels]:
            del gauge[known]

    def told(self, own_jobs: Collection[str]) -> list[Row]:
        """What a scheduler counts for all: its survey, tries to deliver webhooks, runs of shared jobs."""
        rows = [(family.name, labels, n) for family in WALKED for labels, n in self._gauges[family.name].items()]
        rows += [(DELIVERIES.name, labels, n) for labels, n in self._counts[DELIVERIES.name].items()]
        runs = self._counts[JOB_RUNS.name].items()
        return rows + [(JOB_RUNS.name, labels, n) for labels, n in runs if labels[0] not in own_jobs]

    def hear(self, rows: Iterable[Row]) -> None:
        """Have what a scheduler in another process has told; what it said before is forgotten."""
        for family in WALKED:
            self._gauges[family.name].clear()
        for name, labels, value in rows:
            if name in self._gauges:
                self._gauges[name][labels] = value
            elif name in self._counts:
                self._counts[name][labels] = int(value)

    def families(self) -> Iterator[Metric]:
        """Everything counted so far, in the library's types."""
        self._counts[REQUESTS.name].update({(name, str(code)): n for (name, code), n in self._requests.items()})
        for family in COUNTERS:
            yield _filled(CounterMetricFamily, family, self._counts[family.name].items())
        for family in GAUGES:
            yield _filled(GaugeMetricFamily, family, self._gauges[family.name].items())
        for family, timings in zip(
            TIMINGS, (self._request_seconds, self._script_seconds, self._job_seconds), strict=True
        ):
            yield _histogram(family, {(label,): timing for label, timing in timings.items()})
        yield _histogram(PUSH_LAG, self._push_lag)


def _filled(
    type: type[CounterMetricFamily | GaugeMetricFamily], family: Family, rows: Iterable[tuple[Labels, float]]
) -> Metric:
    metric = type(family.name, family.help, labels=family.labels)
    for labels, value in rows:
        metric.add_metric(labels, value)
    return metric


def _histogram(family: Family, timings: Mapping[Labels, Timing]) -> Metric:
    metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    for labels, timing in timings.items():
        metric.add_metric(labels, buckets=timing.buckets(), sum_value=timing.seconds)
    return metric


# --- demand, as requests meet it -------------------------------------------------------------------------------


def note_demand(scope: MutableMapping[str, Any], family: Family, seller: str, channel: str) -> None:
    """Say that this request asks for an order or a hold; what it is answered is counted when it ends."""
    scope["allot.demand"] = (family, seller, channel)


def count_demand(metrics: Metrics, scope: MutableMapping[str, Any], status: int) -> None:
    """Count what became of the demand a request was about, if it was about any."""
    noted = scope.get("allot.demand")
    if noted is None:
        return
    family, seller, channel = noted
    outcome = scope.get("allot.outcome") or {201: "accepted", 202: "pending", 200: "replayed"}.get(status, "failed")
    count_outcome(metrics, family, seller, channel, outcome)


def count_outcome(metrics: Metrics, family: Family, seller: str, channel: str, outcome: str) -> None:
    """Count one demand; the channel only where an outcome shows that there is such a channel."""
    metrics.add(family, seller, channel if outcome in DECIDED else "", outcome)


# --- reading ---------------------------------------------------------------------------------------------------


class _Counted(Collector):
    """Hands over to the library what a process has counted."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics.families()


def registry_of(metrics: Metrics) -> CollectorRegistry:
    """A registry of our metrics and those of the process; never the library's global one."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_Counted(metrics))
    return registry


def written(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The metrics in the text form the caller accepts, and its media type."""
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type
