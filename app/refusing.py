"""Every error that leaves an endpoint is answered as its problem."""

from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Route

from .errors import Malformed, Unfit
from .problems import PROBLEMS, Failed, MethodNotAllowed, NotFound, respond

_HTTP: Final[dict[int, type[Exception]]] = {400: Malformed, 404: NotFound, 405: MethodNotAllowed}


async def _known(request: Request, error: Exception) -> Response:
    return respond(request, error)


async def _http(request: Request, error: Exception) -> Response:
    """What the framework refuses: unknown paths and methods, and nothing else in this service."""
    assert isinstance(error, HTTPException)
    headers = {"Allow": _methods(request)} if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else error.headers
    return respond(request, _HTTP.get(error.status_code, Failed)(), headers)


def _methods(request: Request) -> str:
    """Every method of this path; the framework names those of the first route alone."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    here = [route.methods or () for route in routes if route.path_regex.match(request.scope["path"])]
    return ", ".join(sorted({method for methods in here for method in methods}))


async def _framework_unfit(request: Request, error: Exception) -> Response:
    """What FastAPI's own validation refuses, in our words."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    part, *names = map(str, first["loc"])
    return respond(request, Unfit(first["msg"], where=f"{part} {'/'.join(names)}".strip()))


def install(app: FastAPI) -> None:
    """Answer every error of the table with its problem. What is not in it is a bug: request_log.py says `failed`."""
    for error in PROBLEMS:
        app.add_exception_handler(error, _known)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _framework_unfit)
