"""
The short way in: every guarded route is found with one look and served without the framework's layers.

Those layers cost 50 µs a request, more than all that Python does for an order. The routes, their documentation and
their refusals are the framework's all the same; and what is not guarded or not known here (health, documentation, a
wrong method) goes its way.
"""

from collections.abc import Iterable
from typing import NamedTuple

from fastapi import FastAPI, Request
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from .body import limited
from .deps import State
from .guarding import Guarded
from .problems import PROBLEMS, respond


class Way(NamedTuple):
    """A route by its path's parts: (place, text) of those that are fixed, (place, name) of the others."""

    fixed: list[tuple[int, str]]
    named: list[tuple[int, str]]
    route: Guarded


Ways = dict[tuple[str, int, str], list[Way]]
"""By method, number of parts, and the part after the version: /v1/<this>/..."""


class Door:
    """Serves guarded routes itself and leaves everything else to `rest`. `bytes_max` limits a body."""

    def __init__(self, rest: ASGIApp, routes: Iterable[BaseRoute], *, bytes_max: int) -> None:
        self._rest = rest
        self._ways = ways_of(routes)
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = self._find(scope["method"], scope["path"].split("/"))
        if found is None:
            await self._rest(scope, receive, send)
            return
        scope["route"], scope["path_params"] = found
        request = Request(scope, limited(scope, receive, self._bytes_max))
        try:
            answer = await found[0].serve(request)
        except Exception as error:
            if type(error) not in PROBLEMS:
                raise
            answer = respond(request, error)
        await answer(scope, receive, send)

    def _find(self, method: str, parts: list[str]) -> tuple[Guarded, dict[str, str]] | None:
        if len(parts) < 3:
            return None
        for way in self._ways.get((method, len(parts), parts[2]), ()):
            if all(parts[place] == text for place, text in way.fixed):
                names = {name: parts[place] for place, name in way.named}
                return (way.route, names) if all(names.values()) else None
        return None


def ways_of(routes: Iterable[BaseRoute]) -> Ways:
    """Every guarded route, fixed parts before named ones. Raises TypeError for a path of another form."""
    ways: Ways = {}
    for route in routes:
        if not isinstance(route, Guarded):
            continue
        way = _way(route)
        parts = route.path.split("/")
        for method in route.methods or ():
            ways.setdefault((method, len(parts), parts[2]), []).append(way)
    for same in ways.values():
        same.sort(key=lambda way: len(way.named))
    return ways


def _way(route: Guarded) -> Way:
    parts = list(enumerate(route.path.split("/")))
    named = [(place, part[1:-1]) for place, part in parts if part.startswith("{")]
    if route.path[:4] != "/v1/" or ":" in route.path or min((place for place, _ in named), default=3) < 3:
        raise TypeError(f"{route.path} is not of the form /v1/name/...")
    return Way([(place, part) for place, part in parts[3:] if not part.startswith("{")], named, route)


class Service(FastAPI):
    """The application with the door before it; `service` is there while it is open."""

    entry: ASGIApp
    service: State

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the framework's own business."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        await self.entry(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """The framework's layers but the outermost: what nobody expected is for the log to tell and to answer."""
        outermost = super().build_middleware_stack()
        assert isinstance(outermost, ServerErrorMiddleware)
        return outermost.app

    async def without_door(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the framework makes of a request."""
        await super().__call__(scope, receive, send)
