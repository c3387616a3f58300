"""The command line: `allot serve`, and what helps people to try it."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

ROLES = ("serve", "api", "scheduler", "worker")
"""Commands of processes that run for ever."""

ELSEWHERE = ("replay", "demo", "bench", "rebuild", "release", "simulate", "check", "backup", "restore")
"""Commands that are functions in a module of the same name; only whoever does not serve waits for their imports."""

GROUPS = {"keys": "keys_command", "sellers": "sellers_command"}
"""Commands with commands of their own, and the module of each."""

TABLES = {"import": "import_table", "export": "export_table"}
"""Commands whose names are words of Python, and their functions."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def allot() -> None:
    """Decides how many units each sales channel may promise, who gets them and where they ship from."""


@app.command()
def serve(
    data_dir: Annotated[Path | None, typer.Option(help="Folder of the embedded Valkey, SQLite and pepper.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    seed: Annotated[Path | None, typer.Option(help="YAML that fills a new data set; one in use is left alone.")] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="Where to write the first API key instead of showing it.")
    ] = None,
) -> None:
    """Run the service until SIGTERM or Ctrl-C; then finish what was begun and stop Valkey."""
    from .serving import serve

    raise typer.Exit(serve(_given(data_dir=data_dir, host=host, port=port, seed_path=seed), key_file))


@app.command()
def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
) -> None:
    """Answer HTTP alone, beside any number of others; `scheduler` and `worker` do the rest."""
    from .serving import serve_api

    raise typer.Exit(serve_api(_given(host=host, port=port)))


@app.command()
def scheduler() -> None:
    """End holds, serve backorders, turn rules, send webhooks; of several schedulers one works."""
    from .scheduler import run

    raise typer.Exit(run())


@app.command()
def worker(
    data_dir: Annotated[Path | None, typer.Option(help="Folder of a service with a Valkey of its own.")] = None,
) -> None:
    """Copy what happens into SQL; of several workers one works. `serve` does it unless ALLOT_DRAIN is false."""
    from .working import run

    raise typer.Exit(run(data_dir))


def _given(**options: Any) -> dict[str, Any]:
    """The options that were named, as settings."""
    return {name: value for name, value in options.items() if value is not None}


def main() -> None:
    """What the command `allot` runs."""
    word = next(iter(sys.argv[1:]), "")
    for name, module in GROUPS.items():
        # These import most of the service: only whoever names one, or asks what there is, waits for that.
        if word in {name, "", "--help"}:
            app.add_typer(getattr(import_module(f"app.{module}"), name), name=name)
    if word in {"health", "", "--help"}:
        app.command("health")(import_module("app.health").health)
    if word not in {*ROLES, *GROUPS, "health"}:
        for name in ELSEWHERE:
            app.command(name)(getattr(import_module(f"app.{name}"), name))
        for name, function in TABLES.items():
            app.command(name)(getattr(import_module("app.exchange.command"), function))
    app()
