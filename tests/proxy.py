"""A wire between client and server that can be cut, or go silent, after the server has done its work."""

import asyncio
from contextlib import suppress
from typing import Self


class Proxy:
    """
    Passes bytes between a TCP port and a server's unix socket.

    While `cut` is set, the next answer of the server is thrown away and the connection closed;
    while `silent` is set, answers are thrown away and the connection stays open.
    """

    def __init__(self, server_url: str) -> None:
        self._path = server_url.removeprefix("unix://")
        self._tasks: set[asyncio.Task[None]] = set()
        self.cut = False
        self.silent = False
        self.lost = 0

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        up_reader, up_writer = await asyncio.open_unix_connection(self._path)
        asking = asyncio.create_task(self._questions(reader, up_writer))
        try:
            with suppress(ConnectionError, asyncio.CancelledError):
                await self._answers(up_reader, writer)
        finally:
            asking.cancel()
            up_writer.close()
            writer.close()

    async def _questions(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            server.write(data)

    async def _answers(self, server: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await server.read(65536):
            if self.cut or self.silent:
                self.lost += 1
                if self.cut:
                    return
            else:
                writer.write(data)
