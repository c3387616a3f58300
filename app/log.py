"""
What the service says: one event per request and per happening, JSON for machines or coloured lines for people.

No secret, no body and no query is ever logged. Every line of a request has its id, every line of a job its name and
its run.
"""

import logging
import sys
from contextvars import ContextVar
from typing import Any

import structlog

request_id: ContextVar[str] = ContextVar("request_id", default="")


def configure(level: str, form: str) -> None:
    """Send every event of the service and of its libraries to standard error, in one form."""
    plain = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        _add_request_id,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Rich tracebacks would print local variables, and take seconds.
    last: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if plain
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[_without_meta, *last])
    )
    logging.basicConfig(
        handlers=[handler], level=max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]), force=True
    )


def _add_request_id(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    if id := request_id.get():
        event["request_id"] = id
    return event


_without_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
