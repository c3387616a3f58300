"""
A worker with the mistake that the drain must not make: its cursor moves in a transaction of its own, before entries do.

The judge has to find what is missing when it dies in between.
"""

import sys
import time
from pathlib import Path

from allocator.ledger import Row
from app import working
from app.draining.drain import LEASE_MS, READER, Drain, Reading, _add
from app.store.cursors import Lease, move
from app.times import now_ms

BETWEEN_S = 0.5
"""Killed when its cursor has moved, it is killed here."""


class Careless(Drain):
    """Drains as `Drain` does, but in two transactions."""

    async def _write(self, seller: str, position: str, rows: list[Row]) -> Reading | None:
        last, mine = rows[-1][0], Lease(self._owner, now_ms() + LEASE_MS)
        async with self._database.writing() as session:
            if not await move(session, seller, READER, mine, before=position, after=last):
                return None
        time.sleep(BETWEEN_S)
        async with self._database.writing() as session:
            await _add(session, await self._group(session, seller, rows))
        return Reading(last, mine.until_ms)


if __name__ == "__main__":
    working.Drain = Careless
    sys.exit(working.run(Path(sys.argv[-1])))
