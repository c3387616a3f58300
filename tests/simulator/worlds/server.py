"""
The server's process: runs commands as they arrive, puts them on the disk before it answers, dies and comes back.

Beside the replies it keeps what really happened, in the order in which it happened, which nobody else can know.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError

from tests.allocator.town import SELLER, SKUS
from tests.simulator.store import Store, in_bytes

from .chronicle import Begun, Chronicle, Copied, Emptied, Execution, FellBack, Happened

LEDGER, SELLER_KEY = f"{{{SELLER}}}:ledger".encode(), f"{{{SELLER}}}:seller".encode()
UNTOLD = {"find", "stock", "begin", "meet", "open", "shut"}
"""Verbs that the model is not asked for: they only read records, or work the gate."""

Words = Sequence[Any]


class Server:
    """
    One server over a store.

    history: all that counted; undone: what the power took before it was on the disk. `drained` tells the number of the
    last entry in SQL.
    """

    def __init__(
        self, store: Store, chronicle: Chronicle, clock: Callable[[], int], drained: Callable[[], int]
    ) -> None:
        self.store, self.chronicle, self.clock, self.drained = store, chronicle, clock, drained
        self.ahead_ms = 0
        self.fsync_s = 0.0
        self.life = 0
        self.away = False
        self.history: list[Happened] = []
        self.undone: list[Execution] = []
        self._safe = self._entries = 0
        self._replica: tuple[object, int] | None = None

    # --- answering ---------------------------------------------------------------------------------------------

    async def answer(self, commands: Sequence[Words], *, together: bool) -> list[Any]:
        """The replies, once all they tell is on the disk. Raises redis-py's ConnectionError when the server dies."""
        if self.away:
            raise RedisConnectionError("nobody listens")
        life = self.life
        replies = self.run(commands, together=together)
        if self.fsync_s:
            await asyncio.sleep(self.fsync_s)
            if self.life != life:
                raise RedisConnectionError("the server died")
        self.fsync()
        return replies

    def run(self, commands: Sequence[Words], *, together: bool) -> list[Any]:
        """Run these now; nothing is on the disk yet."""
        self.store.now_ms = self.clock() + self.ahead_ms
        if together:
            return self.store.together(commands)
        return [self._run_one(words) for words in commands]

    def fsync(self) -> None:
        """All that ran is on the disk."""
        self.store.fsync()
        self._safe = len(self.history)

    def _run_one(self, words: Words) -> Any:
        before, name = self.store.volatile, words[0]
        if name == "INFO":
            return f"# Server\r\nrun_id:{self.run_id}\r\n".encode()
        closed = self._closed()
        reply = self.store.command(*words)
        if name in {b"FCALL", "FCALL"}:
            self._tell_script(words, reply, closed, wrote=self.store.volatile > before)
        elif name in {"UNLINK", "FLUSHALL"}:
            self._entries = 0
            self._tell(Emptied())
        elif name == "HSET" and in_bytes(words[1]) == SELLER_KEY and in_bytes(words[2]) == b"epoch":
            self._tell_epoch(in_bytes(words[3]).decode())
        return reply

    def _tell(self, happened: Happened) -> None:
        happened.units = self.store.volatile
        self.history.append(happened)

    def _tell_epoch(self, epoch: str) -> None:
        if any(isinstance(one, Begun) and one.epoch == epoch for one in self.history):
            self.chronicle.find(f"the epoch {epoch} begins twice: who still speaks for the first is believed")
        self._tell(Begun(epoch, self.drained()))

    def _tell_script(self, words: Words, reply: Any, closed: frozenset[str] | None, *, wrote: bool) -> None:
        verb = in_bytes(words[1]).rsplit(b"_", 1)[0].decode()
        if isinstance(reply, Exception):
            if "Function not found" not in str(reply):
                self.chronicle.find(f"the script {verb} failed: {reply}")
            return
        if verb not in UNTOLD:
            arguments = [in_bytes(word) for word in words[3 + int(words[2]) :]]
            word, packed, replayed = reply[0].decode(), reply[1], bool(reply[2])
            told = Execution(verb, arguments, self.store.now_ms, word, packed, replayed, *self._new_entry(), closed)
            self._tell(told)
            if replayed and not wrote:
                self.chronicle.find(f"the replay of {told.op} wrote nothing that one could wait for")
            self.chronicle.note(f"ran {verb} {told.op}: {word} {packed.hex()}{' again' * replayed} {told.entry}")

    def _closed(self) -> frozenset[str] | None:
        """The skus that the gate keeps closed now, None when it is open to all."""
        seller = self.store.lua.store[b"keys"][SELLER_KEY]
        if seller is None or seller[b"values"][b"gate"] is None:
            return None
        facts = dict(seller[b"values"].items())
        skus = [sku.encode() for sku in SKUS]
        if facts[b"gate"] == b"checking":
            upto = facts.get(b"opened", b"")
            shut = [sku for sku in skus if facts.get(b"sku:" + sku) or (b"sku:" + sku not in facts and sku > upto)]
        else:
            shut = skus if facts[b"gate"] == b"shut" else [sku for sku in skus if facts.get(b"sku:" + sku)]
        return frozenset(sku.decode() for sku in shut)

    @property
    def run_id(self) -> str:
        """This run's own name."""
        return f"run-{self.life}"

    def gate(self) -> bytes | None:
        """How the seller's gate stands, whatever the epoch; None when it is open, or there is nothing."""
        return self._fact(b"gate")

    def why(self) -> bytes:
        """Why it is shut."""
        return self._fact(b"why") or b""

    def epoch(self) -> str:
        """The epoch that scripts must name, or ''."""
        return (self._fact(b"epoch") or b"").decode()

    def _fact(self, name: bytes) -> bytes | None:
        seller = self.store.lua.store[b"keys"][SELLER_KEY]
        return None if seller is None else seller[b"values"][name]

    def _new_entry(self) -> tuple[str, bytes]:
        """The id of the ledger entry that was made since this was last asked, and what it says; or nothing."""
        stream = self.store.lua.store[b"keys"][LEDGER]
        added = stream[b"added"] if stream is not None else 0
        if added == self._entries:
            return "", b""
        self._entries = added
        entry = stream[b"entries"][stream[b"top"]] if added else None
        # After a power cut the last one that is left may have been trimmed long ago.
        return ("", b"") if entry is None else (entry[b"id"].decode(), entry[b"fields"][2])

    # --- dying -------------------------------------------------------------------------------------------------

    def lose_power(self, kept: int) -> None:
        """Only the first `kept` units that are not on the disk survive, and nobody has heard of the others."""
        self.store.crash(kept)
        new, self.history[self._safe :] = self.history[self._safe :], []
        self.history += [happened for happened in new if happened.units <= kept]
        self.undone += [gone for gone in new if gone.units > kept and isinstance(gone, Execution)]
        self._begin_anew(f"the power failed, {kept} units survived")

    def kill(self) -> None:
        """The process dies; what it wrote is in the kernel's hands and survives."""
        self.store.restart()
        self.store.fsync()
        self._begin_anew("the process was killed")

    def _begin_anew(self, says: str) -> None:
        self.life += 1
        self._safe = len(self.history)
        self._new_entry()
        self.chronicle.note(says)

    # --- beginning and losing ------------------------------------------------------------------------------------

    def begin(self, store: object, history: Sequence[Happened]) -> None:
        """A server that has all this, by what happened."""
        self.store.restore(store)
        self.history = [*history]
        self._safe = len(history)
        self._new_entry()

    def copy_to_replica(self) -> None:
        """A replica has all this; of what comes later nothing, until it is asked for again."""
        self.fsync()
        self._tell(Copied())
        self._replica = self.store.snapshot(), self._entries

    def fail_over(self) -> None:
        """The replica takes over, with what it has; what SQL has beside that is for a rebuild to bring back."""
        if self._replica is None:
            self.copy_to_replica()
        assert self._replica is not None
        snapshot, self._entries = self._replica
        self.store.restore(snapshot)
        self._tell(FellBack())
        self._begin_anew("the replica took over")

    def last_id(self) -> str:
        """The id of the newest ledger entry, or that before the first."""
        found = self.store.command("XREVRANGE", LEDGER, "+", "-", "COUNT", "1")
        return found[0][0].decode() if found else "0-0"

    def empty(self) -> None:
        """Somebody flushes the server."""
        self.run([["FLUSHALL"]], together=False)
        self.fsync()
        self.chronicle.note("the server was flushed")
