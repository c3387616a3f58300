"""Whether this machine can build powercut.c, which is loaded into the server before its C library."""

import shutil
import sys
from functools import cache
from pathlib import Path


@cache
def compiler() -> Path | None:
    """The C compiler, or None where there is none or its output could not be loaded."""
    found = shutil.which("cc")
    return Path(found) if found and sys.platform == "linux" else None


def says() -> str:
    """For the report."""
    found = compiler()
    return f"compiler: {found or 'no cc on Linux, so the tests of power cuts and full disks did not run'}"
