"""The command line: `allot serve`, and what helps people to try it."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

ROLES = ("serve", "api", "scheduler", "worker")
"""Commands of processes that run for ever."""

COMMANDS = {
    "replay": "replay",
    "demo": "demo",
    "bench": "bench",
    "rebuild": "rebuild",
    "release": "release",
    "simulate": "simulate",
    "check": "check",
    "backup": "backup",
    "restore": "restore",
    "import": "exchange.command",
    "export": "exchange.command",
    "count": "exchange.command",
    "keys": "keys_command",
    "sellers": "sellers_command",
    "sync": "sync.in_command",
    "health": "health",
}
"""Everything else, in the order of the help, and the module that has it."""

FUNCTIONS = {"import": "import_table", "export": "export_table", "count": "count_table"}
"""Commands whose functions have another name: theirs is a word of Python, or says too little."""

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
    # Each command imports a good part of the service: only whoever asks what there is waits for all of them.
    word = next(iter(sys.argv[1:]), "")
    wanted = {word} if word in COMMANDS else COMMANDS.keys() if word not in ROLES else ()
    for name, module in COMMANDS.items():
        if name in wanted:
            _add(name, module)
    app()


def _add(name: str, module: str) -> None:
    """Add the function or the group of commands that a module has under its command's name."""
    found = getattr(import_module(f"app.{module}"), FUNCTIONS.get(name, name))
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name)
    else:
        app.command(name)(found)
