"""SQL that is away for a while, under a service that runs."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.deps import State
from app.store.database import SQLITE_FILE


@asynccontextmanager
async def sql_away(state: State) -> AsyncIterator[None]:
    """
    The service's SQLite cannot be opened until the block ends.

    aiosqlite leaves connections that could not be opened to the collector: tests ignore its ResourceWarning.
    """
    file = state.settings.data_dir / SQLITE_FILE
    away = file.with_suffix(".away")
    # In this order: whoever connects while others are closed gets nothing either.
    file.rename(away)
    file.mkdir()
    await state.database.close()
    try:
        yield
    finally:
        await state.database.close()
        file.rmdir()
        away.rename(file)
        gc.collect()
