"""The composition root: makes the application from settings and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from fastapi import FastAPI

from . import openapi, refusing
from .api import (
    audit,
    availability,
    balances,
    bulk_orders,
    clock,
    config,
    config_items,
    connections,
    counts,
    desk,
    drafts,
    edits,
    events,
    explain,
    frozen,
    health,
    heard,
    history,
    holds,
    hooks,
    keys,
    orders,
    past_holds,
    pay,
    quotas,
    recounts,
    returns,
    sellers,
    stock,
    sync,
    tills,
    transfers,
    webhooks,
)
from .api import metrics as metrics_page
from .door import Door, Service
from .embedded import EmbeddedValkey
from .events.hub import telling
from .metrics import Metrics
from .opening import open_service
from .request_log import RequestLog
from .schedule import OWN_JOBS, running
from .scheduling import scheduling
from .settings import Settings

API_VERSION = "1"

ROUTERS = (
    # The most asked come first: routes are tried in this order.
    orders.router,
    pay.router,
    desk.orders,
    desk.conflicts,
    desk.reject_reasons,
    bulk_orders.router,
    edits.router,
    returns.orders,
    returns.router,
    history.orders,
    availability.router,
    holds.router,
    hooks.router,
    tills.router,
    stock.router,
    explain.availability,
    explain.orders,
    history.movements,
    history.shipments,
    past_holds.router,
    balances.router,
    quotas.router,
    transfers.router,
    counts.router,
    recounts.router,
    recounts.rates,
    orders.preview,
    clock.router,
    frozen.router,
    events.router,
    webhooks.router,
    connections.router,
    sync.router,
    heard.router,
    keys.me,
    keys.router,
    sellers.router,
    audit.router,
    config.router,
    config.rules,
    drafts.router,
    *config_items.ROUTERS,
    health.router,
    metrics_page.router,
)

DESCRIPTION = """
How many units may each channel promise, who gets them, and where do they ship from?

Every change has a name of the caller's own: the hold's id, the order's channel, id and attempt, or the header
`Idempotency-Key`. The same name with the same request has one effect and one answer, however often it is sent.
"""


def create_app(settings: Settings, *, gated: bool = False, schedules: bool = True) -> Service:
    """
    The service as an ASGI application; its lifespan opens and closes everything it stands on.

    `gated`: a worker, beside it or elsewhere, checks the store after each of its starts; until then no sku is sold.
    Without `schedules` another process does what is done once for all.
    """
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with (
            open_service(settings, metrics, gated=gated) as state,
            running(state, OWN_JOBS),
            telling(
                state.database,
                _store_url(settings),
                streams_max=settings.streams_max,
                is_draining=lambda: getattr(app.state, "draining", False),
            ) as hub,
            scheduling(state) if schedules else nullcontext() as webhooks_at_work,
        ):
            app.service, app.state.events, app.state.webhooks = state, hub, webhooks_at_work
            yield

    app = Service(
        title="Allot",
        version=API_VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        # Nothing sets up an exporter; looking for one costs every request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for router in ROUTERS:
        # Not include_router: finding a route through it costs 20 µs, and every router is complete by itself.
        app.router.routes.extend(router.routes)
    openapi.install(app)
    refusing.install(app)
    door = Door(app.without_door, app.routes, bytes_max=settings.body_bytes_max)
    app.entry = RequestLog(door, quiet=settings.log_level != "debug", metrics=metrics, changes=settings.log_changes)
    return app


def _store_url(settings: Settings) -> str:
    return settings.redis_url or EmbeddedValkey(settings.data_dir).url
