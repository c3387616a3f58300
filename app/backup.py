"""`allot backup`: a copy of what SQL remembers, from which `allot restore` makes a service again."""

from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from redis.exceptions import RedisError
from rich.console import Console

from allocator import make_client
from allocator.ledger import Damaged, Gap

from .exchange.progress import RowProgress
from .house import House, Refused, print_json, run, store_url
from .keys_command import AsJson, DataDir
from .recovery.backups import Backup, Manifest, NotDrained, drain_all, make_backup, refuse_taken
from .recovery.backups import Progress as Heard
from .server_process import ServerFailed
from .store.copying import CopyFailed

Target = Annotated[Path, typer.Argument(help="Folder to make; it must not be there yet.", metavar="FOLDER")]
WithPepper = Annotated[
    bool, typer.Option("--with-pepper", help="Put the pepper in as well: whoever has both can use stolen API keys.")
]
AsItIs = Annotated[
    bool, typer.Option("--as-it-is", help="Copy what SQL has now, without the ledger's end that only Valkey has.")
]
Wait = Annotated[float, typer.Option(help="Seconds to wait until SQL has all that happened until now.")]


def backup(
    target: Target,
    *,
    with_pepper: WithPepper = False,
    as_it_is: AsItIs = False,
    wait: Wait = 60.0,
    json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Copy what SQL remembers into a new folder, with all that happened until now; the service may be running."""
    work = partial(
        _backup, target=target.expanduser().absolute(), with_pepper=with_pepper, wait_s=None if as_it_is else wait
    )
    made = run(data_dir, work)
    if json:
        print_json(made.manifest)
        return
    console = Console(highlight=False)
    for line in lines_about(made.manifest):
        console.print(line, markup=False, soft_wrap=True)
    console.print(f"The backup is in {made.folder}. {_about_pepper(made.manifest)}", markup=False, soft_wrap=True)


async def _backup(house: House, *, target: Path, with_pepper: bool, wait_s: float | None) -> Backup:
    with RowProgress("backup", Console(stderr=True), unit="bytes") as progress:
        heard = shown(progress)
        try:
            refuse_taken(target)
            if wait_s is not None:
                await _drain(house, wait_s, heard)
            pepper = house.pepper if with_pepper else None
            return await make_backup(house.database, target, pepper, heard)
        except (CopyFailed, FileExistsError) as error:
            raise Refused(str(error)) from error


async def _drain(house: House, seconds: float, heard: Heard) -> None:
    with ExitStack() as stack:
        try:
            client = make_client(store_url(house.settings, stack))
            try:
                await drain_all(house.database, client, seconds, heard)
            finally:
                with suppress(RedisError, OSError):
                    await client.aclose()
        except (RedisError, ServerFailed, NotDrained, Gap, Damaged) as error:
            hint = "with --as-it-is what SQL has is copied all the same"
            raise Refused(f"SQL may lack what happened last: {error}; {hint}") from error


def shown(progress: RowProgress) -> Heard:
    """What a backup tells while it is made or put back, on this bar."""

    def hear(what: str, done: int, total: int) -> None:
        progress.say(what)
        progress.show(done, done if total else 0, total)

    return hear


def lines_about(manifest: Manifest) -> list[str]:
    """What is in a backup, in words."""
    made = datetime.fromtimestamp(manifest.made_ms / 1000, UTC).isoformat(timespec="seconds")
    return [
        f"{manifest.bytes:,} bytes of {manifest.database}, data set {manifest.epoch}, made {made}",
        *(
            f"{one.seller}: {one.skus:,} skus, {one.entries:,} ledger entries, until {when(one.newest_ms)}"
            for one in manifest.sellers
        ),
    ]


def when(ms: int) -> str:
    """A time in words."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds") if ms else "before the first entry"


def _about_pepper(manifest: Manifest) -> str:
    if manifest.pepper:
        return "The pepper is in it: keep it as you keep keys."
    return "The pepper is not in it; without it the API keys in it are useless. Keep it elsewhere."
