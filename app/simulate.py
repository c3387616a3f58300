"""`allot simulate`: worlds in which everything breaks, by the thousand; they themselves are in `tests/simulator/`."""

from importlib import import_module
from random import SystemRandom
from typing import Annotated, Final

import typer

WORLDS: Final = "tests.simulator.worlds.command"

SEED_MAX: Final = 1_000_000_000


def simulate(
    *,
    worlds: Annotated[int, typer.Option(help="How many worlds, of this seed and those after it.", min=1)] = 1_000,
    seed: Annotated[int | None, typer.Option(help="The first seed; one is drawn when none is given.", min=0)] = None,
    seconds: Annotated[float | None, typer.Option(help="Begin no more worlds after this time.", min=0)] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="With one world: print all that happens in it.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look for lost orders, double effects and drift in simulated worlds full of faults; finding any is a failure."""
    try:
        simulating = import_module(WORLDS)
    except ModuleNotFoundError as error:
        typer.echo(f"allot cannot simulate: {error.name} is not here; run it in a checkout with .[dev]", err=True)
        raise typer.Exit(2) from None
    first = SystemRandom().randrange(SEED_MAX) if seed is None else seed
    options = simulating.Options(worlds=worlds, seed=first, seconds=seconds, json=json, verbose=verbose)
    raise typer.Exit(simulating.simulate(options))
