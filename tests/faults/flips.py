"""A store whose file had one bit turned over: is it refused, as it was, or closed where it is not as it was?"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from allocator import SellerKeys, errors, make_client
from allocator.gate import SHUT, Gate
from allocator.keys import KEYS
from app.checking.checking import check_seller
from app.draining.drain import Drain
from app.recovery.verifying import Verifier
from app.store.database import SQLITE_FILE, Database, sqlite_url
from tests.servers import Leg, Server

from .aof import Part, commands, flip, newest
from .shop import SELLER

SOLD_BY: Final = ("stock ", "config ", "function ")
"""What every number and every decision depends on."""

Records = dict[str, dict[bytes, Any]]


class Original(NamedTuple):
    """A store that is not running, with its records as they were, and the folder of its SQL."""

    leg: Leg
    folder: Path
    records: Records
    epoch: str
    sql: Path

    def has(self, name: str) -> bool:
        """Whether there was a record of this name, which is its key's word and its field."""
        word, _, field = name.partition(" ")
        return field.encode("latin-1") in self.records[word]


@dataclass(frozen=True)
class Flip:
    """One bit of the file, and the command it is in."""

    position: int
    bit: int
    command: str


@dataclass(frozen=True)
class Found:
    """
    What became of it, in a word, and what differs and is open.

    refused: the server did not start. as it was: nothing differs. not ready, shut, stuck: nothing is sold. told: `allot
    check` finds it. unseen: it does not. sold from: what differs decides who gets which unit.
    """

    word: str
    flip: Flip
    differs: str = ""


def choose(data: bytes, chance: Random) -> Flip:
    """A bit anywhere; every kind of command is as likely as any other, however short it is."""
    kinds: dict[str, list[list[Part]]] = {}
    for parts in commands(data):
        kinds.setdefault(_kind(parts), []).append(parts)
    kind = chance.choice(sorted(kinds))
    part = chance.choice(chance.choice(kinds[kind]))
    return Flip(part.start + chance.randrange(len(part.value) + 1), chance.randrange(8), kind)


def _kind(parts: list[Part]) -> str:
    words = [part.value.decode("latin-1") for part in parts[:2]]
    return " ".join(words) if len(parts) > 1 and SELLER in words[1] else words[0]


async def try_out(original: Original, turned: Flip) -> Found:
    """Start a copy of the store with this bit turned over, and let it be checked as after any start."""
    with tempfile.TemporaryDirectory(prefix="allot-") as home:
        folder = Path(home)
        shutil.copytree(original.folder / "appendonlydir", folder / "appendonlydir")
        flip(newest(folder), turned.position, turned.bit)
        try:
            server = Server(original.leg, folder)
        except RuntimeError:
            return Found("refused", turned)
        try:
            async with make_client(server.url) as client:
                return await _look(original, turned, client, folder)
        finally:
            server.stop()


async def _look(original: Original, turned: Flip, client: Redis, folder: Path) -> Found:
    found = await read_records(client)
    differs = list(differences(original.records, found))
    if not differs:
        return Found("as it was", turned)
    shutil.copy(original.sql / SQLITE_FILE, folder)
    async with await Database.open(sqlite_url(folder)) as database:
        try:
            await Verifier(database, client, Drain(database, client)).run()
        except errors.NotReady:
            return Found("not ready", turned)
        except Exception as error:  # noqa: BLE001 - whatever it is, an operator has to find out, and no sku is open
            return Found("stuck", turned, repr(error))
        gate = Gate(client, SELLER, original.epoch)
        if (await gate.standing()).gate == SHUT:
            return Found("shut", turned)
        frozen = {f"stock {sku}" for sku in await gate.frozen()}
        told = (await check_seller(database, client, SELLER, original.epoch)).findings
    after = await read_records(client)
    still_open = [name for name in differences(original.records, after) if name not in frozen and name in differs]
    sold_by = [name for name in still_open if name.startswith(SOLD_BY) and original.has(name)]
    return Found(_word(sold_by, still_open, is_told=bool(told.counts)), turned, ", ".join(still_open))


def _word(sold_by: list[str], still_open: list[str], *, is_told: bool) -> str:
    if sold_by:
        return "sold from"
    if not still_open:
        return "closed or put right"
    return "told" if is_told else "unseen"


def differences(before: Mapping[str, Mapping[bytes, Any]], after: Mapping[str, Mapping[bytes, Any]]) -> Iterator[str]:
    """Every record that is not as it was: its key's word and its field."""
    for word in before.keys() | after.keys():
        there, here = before.get(word, {}), after.get(word, {})
        for field in there.keys() | here.keys():
            if there.get(field) != here.get(field):
                yield f"{word} {field.decode('latin-1')}"


async def read_records(client: Redis) -> Records:
    """Everything a seller has, by the words of his keys, and the library of verbs."""
    records: Records = {"function": await _functions(client)}
    for word, key in KEYS.items():
        [name] = SellerKeys(SELLER).named(word)
        try:
            records[word] = await _READ[key.type](client, name)
        except ResponseError:
            records[word] = {b"": b"is of another type"}
    return records


async def _functions(client: Redis) -> dict[bytes, Any]:
    """The text of every library. Its functions come in any order."""
    found: dict[bytes, Any] = {}
    for library in await client.function_list(withcode=True):
        facts = library if isinstance(library, dict) else dict(zip(library[::2], library[1::2], strict=True))
        found[facts[b"library_name"]] = facts[b"library_code"]
    return found


async def _hash(client: Redis, name: str) -> Any:
    return await client.hgetall(name)


async def _stream(client: Redis, name: str) -> Any:
    return {id: repr(fields) for id, fields in await client.xrange(name)}


async def _zset(client: Redis, name: str) -> Any:
    return {member: score async for member, score in client.zscan_iter(name)}


async def _set(client: Redis, name: str) -> Any:
    return dict.fromkeys(await client.smembers(name), b"")


async def _string(client: Redis, name: str) -> Any:
    return {b"": await client.get(name)}


_READ: Final = {"string": _string, "hash": _hash, "stream": _stream, "zset": _zset, "set": _set}
