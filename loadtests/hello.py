"""The yardstick: the smallest FastAPI service, under the server settings that `allot serve` uses."""

import asyncio
import gc
import socket

import uvicorn
import uvloop
from fastapi import FastAPI

app = FastAPI()


@app.get("/hello")
async def hello() -> dict[str, str]:
    """What every FastAPI tutorial begins with."""
    return {"hello": "world"}


async def serve() -> None:
    """Serve on a free port until SIGTERM, and say where."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    # Who connects from here on is answered as soon as uvicorn accepts.
    listener.listen(2_048)
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    print(f"Hello answers at http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
