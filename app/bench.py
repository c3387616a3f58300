"""`allot bench`: how fast this machine is, next to a FastAPI hello; the measuring itself is in `loadtests/`."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Final

import typer

MEASURING: Final = "loadtests.bench"

SKUS_MIN: Final = 100
"""Fewer would not give an order ten different skus."""


def bench(
    *,
    skus: Annotated[
        str,
        typer.Option("--skus", "--sizes", help="Skus of the shop; several sizes, by commas, are measured in turns."),
    ] = "1000",
    rounds: Annotated[int, typer.Option(help="Rounds; the medians count.", min=1, max=100)] = 5,
    requests: Annotated[int, typer.Option(help="Requests of the lightest scenarios in a round.", min=1)] = 4_000,
    in_flight: Annotated[int, typer.Option(help="Requests in flight.", min=1, max=1_000)] = 32,
    only: Annotated[list[str] | None, typer.Option(help="Only scenarios with this in their name; repeatable.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures there as well.")] = None,
) -> None:
    """Measure speed and memory on this machine, and hold them against the targets; only a wrong burst is a failure."""
    try:
        measuring = import_module(MEASURING)
    except ModuleNotFoundError as error:
        if error.name not in {"loadtests", MEASURING}:
            raise
        typer.echo("allot cannot measure: loadtests/ is not here; run it in a checkout of the sources", err=True)
        raise typer.Exit(2) from None
    sizes, names = _sizes(skus), tuple(only or ())
    options = measuring.Options(rounds=rounds, requests=requests, in_flight=in_flight, sizes=sizes, only=names)
    raise typer.Exit(measuring.bench(options, json))


def _sizes(text: str) -> tuple[int, ...]:
    """The sizes, smallest first."""
    words = [word.strip().replace("_", "") for word in text.split(",")]
    if not all(word.isdecimal() and int(word) >= SKUS_MIN for word in words):
        raise typer.BadParameter(f"--skus takes whole numbers of at least {SKUS_MIN}, separated by commas")
    return tuple(sorted({int(word) for word in words}))
