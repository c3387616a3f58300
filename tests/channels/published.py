"""
Holds JSON against a vendor's published model: Swagger 2 definitions, or a JSON Schema of draft 7.

Stricter than both: a name that the model does not know is a mistake, unless the model says in so many words that there
may be others.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

KINDS = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict}


def mistakes(model: dict, schema: dict, value: Any, where: str = "$", *, strict: bool = True) -> Iterator[str]:
    """What of a value the schema does not allow."""
    schema = resolved(model, schema)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(is_of(kind, value) for kind in kinds):
        yield f"{where}: {value!r} is no {'/'.join(kinds)}"
        return
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        yield f"{where}: {value!r} is not one of {schema.get('enum', schema.get('const'))}"
    for part in schema.get("allOf", []):
        yield from mistakes(model, part, value, where, strict=False)
    if schema.get("oneOf"):
        fitting = [one for one in schema["oneOf"] if not list(mistakes(model, one, value, where, strict=False))]
        if len(fitting) != 1:
            yield f"{where}: fits {len(fitting)} of {len(schema['oneOf'])} forms"
    if isinstance(value, dict):
        yield from mistakes_of_object(model, schema, value, where, strict=strict)
    elif isinstance(value, list):
        yield from mistakes_of_list(model, schema, value, where)
    elif isinstance(value, str):
        yield from mistakes_of_text(schema, value, where)
    elif isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{where}: {value} is out of bounds"


def mistakes_of_object(model: dict, schema: dict, value: dict, where: str, *, strict: bool) -> Iterator[str]:
    known = properties(model, schema)
    yield from (f"{where}: {name} is missing" for name in schema.get("required", []) if name not in value)
    for name, inner in value.items():
        if known.get(name) is False:
            yield f"{where}: {name} does not belong here"
        elif name in known:
            yield from mistakes(model, known[name], inner, f"{where}.{name}")
        elif strict and known and not schema.get("additionalProperties"):
            yield f"{where}: nobody knows {name}"


def mistakes_of_list(model: dict, schema: dict, value: list, where: str) -> Iterator[str]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        yield f"{where}: {len(value)} items"
    for number, inner in enumerate(value):
        yield from mistakes(model, schema.get("items", {}), inner, f"{where}[{number}]")


def mistakes_of_text(schema: dict, value: str, where: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        yield f"{where}: {len(value)} characters"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{where}: {value!r} does not match {schema['pattern']}"
    if schema.get("format") == "date-time":
        try:
            assert datetime.fromisoformat(value).tzinfo
        except (ValueError, AssertionError):
            yield f"{where}: {value!r} is no time"


def properties(model: dict, schema: dict) -> dict[str, Any]:
    """All names a schema knows, those of its parts too."""
    known = dict(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        known |= properties(model, resolved(model, part))
    return known


def resolved(model: dict, schema: dict) -> dict:
    if "$ref" not in schema:
        return schema
    found: Any = model
    for name in schema["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return resolved(model, found)


def is_of(kind: str, value: Any) -> bool:
    if kind == "null":
        return value is None
    return isinstance(value, KINDS[kind]) and not (isinstance(value, bool) and kind != "boolean")


class Said(NamedTuple):
    """A request and its answer."""

    method: str
    url: str
    sent: Any
    status: int
    answered: Any


async def said(response: httpx.Response) -> Said:
    await response.aread()
    request = response.request
    sent = httpx.Response(200, content=request.content).json() if request.content else None
    answered = response.json() if response.content else None
    return Said(request.method, str(request.url), sent, response.status_code, answered)


def mistakes_of_exchange(models: list[dict], one: Said) -> list[str]:
    """What of an exchange the model of its operation does not allow."""
    path = unquote(urlsplit(one.url).path)
    for model in models:
        for template, methods in model["paths"].items():
            pattern = re.sub(r"\{(\w+)\}", "([^/]+)", template)
            if re.fullmatch(pattern, path) and one.method.lower() in methods:
                operation = methods[one.method.lower()]
                return [
                    f"{operation['operationId']}: {found}" for found in _mistakes_of(model, methods, operation, one)
                ]
    return [f"{one.method} {path} is no operation"]


def _mistakes_of(model: dict, methods: dict, operation: dict, one: Said) -> Iterator[str]:
    rows = [resolved(model, row) for row in [*operation.get("parameters", []), *methods.get("parameters", [])]]
    yield from _mistakes_of_query(rows, parse_qs(urlsplit(one.url).query, keep_blank_values=True))
    bodies = [row["schema"] for row in rows if row["in"] == "body"]
    if bodies:
        yield from mistakes(model, bodies[0], one.sent, "sent")
    answer = operation["responses"].get(str(one.status))
    if answer is None:
        yield f"status {one.status} is none of its answers"
    elif "schema" in answer:
        yield from mistakes(model, answer["schema"], one.answered, "answered")


def _mistakes_of_query(rows: list[dict], asked: dict[str, list[str]]) -> Iterator[str]:
    known = {row["name"]: row for row in rows if row["in"] == "query"}
    yield from (f"nobody knows {name}" for name in asked if name not in known)
    yield from (f"{name} is missing" for name, row in known.items() if row.get("required") and name not in asked)
    for name in asked.keys() & known.keys():
        row, [text] = known[name], asked[name]
        if row["type"] == "array":
            yield from mistakes({}, {**row, "type": "array"}, text.split(","), name)
        else:
            yield from mistakes({}, row, int(text) if row["type"] == "integer" else text, name)
