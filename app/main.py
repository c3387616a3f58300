"""The composition root: makes the application from settings and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from . import openapi, problems
from .api import availability, clock, health, holds, orders, quotas, stock
from .body import BodyLimit
from .log import RequestLog
from .opening import open_service
from .schedule import running
from .settings import Settings

API_VERSION = "1"

ROUTERS = (
    # The most asked come first: routes are tried in this order.
    orders.router,
    availability.router,
    holds.router,
    stock.router,
    quotas.router,
    orders.preview,
    clock.router,
    health.router,
)

DESCRIPTION = """
How many units may each channel promise, who gets them, and where do they ship from?

Every change has a name of the caller's own: the hold's id, the order's channel, id and attempt, or the header
`Idempotency-Key`. The same name with the same request has one effect and one answer, however often it is sent.
"""


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI application; its lifespan opens and closes everything it stands on."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_service(settings) as state, running(state):
            app.state.service = state
            yield

    app = FastAPI(
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
    problems.install(app)
    app.add_middleware(BodyLimit, bytes_max=settings.body_bytes_max)
    app.add_middleware(RequestLog, quiet=settings.log_level != "debug")
    return app
