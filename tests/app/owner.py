"""A service in miniature: owns an embedded server until it is told to stop. `python -m tests.app.owner FOLDER`."""

import signal
import sys
import threading
from pathlib import Path

from app.embedded import EmbeddedValkey


def main() -> None:
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    with EmbeddedValkey(Path(sys.argv[1])) as server:
        print(server.pid, flush=True)
        told.wait()


main()
